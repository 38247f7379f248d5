"""Backends in containers, with the real engine."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from exposer import procs
from exposer.config.model import SecretRef, UpstreamAuth
from exposer.engine import client as engine
from exposer.engine import removal
from exposer.errors import ConfigError, ExposerError, MissingError, TimeoutExceededError
from exposer.procs import Entry, Ledger
from tests.support import images
from tests.support.backends import Stage, ask, docker, engine_runs, inspect, left_over
from tests.support.eventually import eventually

READY = engine_runs()
pytestmark = [pytest.mark.docker, pytest.mark.skipif(not READY, reason="no running Docker engine")]

NASTY = 'it\'s "quoted" $HOME `id` \\ \t\n second line\n\nexit 1\n'


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("EXPOSER_STATE_DIR", str(tmp_path / "state"))
    stage = Stage(tmp_path)
    try:
        yield stage
        stage.close()
        assert left_over(stage.name) == []
    finally:
        engine.remove_all(stage.name)


@pytest.fixture
def stranger() -> Iterator[str]:
    """A container that somebody else runs, in a network of its own, with a published port."""
    name = f"stranger-{os.urandom(4).hex()}"
    docker("network", "create", name)
    docker("run", "-d", "--name", name, "--network", name, "-p", "0:8080", images.server_image())
    try:
        yield name
    finally:
        docker("rm", "-f", "-v", name)
        docker("network", "rm", name)


def test_an_image_is_run_until_healthy_and_leaves_nothing_behind(stage: Stage) -> None:
    part, entry = stage.start(kind="image", image=images.server_image())
    assert part.look(entry).healthy is True
    assert entry.process is not None
    assert entry.process.alive()
    part.stop(entry)
    assert left_over(stage.name) == []
    assert not entry.process.alive()
    assert part.look(entry).alive is False
    assert list(Path(stage.runtime, "gateway", "up").iterdir()) == []
    part.stop(entry)


def test_everything_is_on_record_before_it_runs(stage: Stage) -> None:
    running_when_recorded: list[tuple[str, str]] = []

    def record(entry: Entry) -> None:
        if "container" in entry.ids and entry.process is None:
            running_when_recorded.append((entry.role, inspect(entry.ids["container"])["State"]["Status"]))
        stage.ledger.append(entry)

    part = stage.part(kind="image", image=images.server_image())
    entry = part.start(record, stage.told.append)
    part.stop(entry)
    assert running_when_recorded == [("backend", "created"), ("link", "created")]
    assert {entry.role for entry in stage.ledger} == {"network", "backend", "link"}


def test_what_cannot_be_recorded_is_not_started(stage: Stage) -> None:
    def record(entry: Entry) -> None:
        if entry.role == "backend":
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        stage.part(kind="image", image=images.server_image()).start(record, stage.told.append)
    assert left_over(stage.name) == []


def test_the_container_has_labels_limits_and_no_way_back_by_itself(stage: Stage) -> None:
    _, entry = stage.start(kind="image", image=images.server_image(), memory=200_000_000, pids=99)
    found = inspect(entry.ids["container"])
    host = found["HostConfig"]
    assert host["RestartPolicy"]["Name"] == "no"
    assert not host["PortBindings"]
    assert not any(found["NetworkSettings"]["Ports"].values())
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert (host["Memory"], host["PidsLimit"], host["CapDrop"]) == (200_000_000, 99, ["NET_RAW"])
    assert found["Config"]["Labels"]["io.exposer.name"] == stage.name
    assert found["Config"]["Labels"]["io.exposer.role"] == "backend"


def test_the_link_can_do_nothing_but_its_duty(stage: Stage) -> None:
    _, entry = stage.start(kind="image", image=images.server_image())
    host = inspect(entry.detail["link"]["container"])["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["NetworkMode"] == f"container:{entry.ids['container']}"
    assert host["RestartPolicy"]["Name"] == "no"


def test_the_network_is_internal_and_the_host_has_no_address_in_it(stage: Stage) -> None:
    _, entry = stage.start(kind="image", image=images.server_image())
    network = inspect(entry.ids["network"])
    assert network["Internal"] is True
    assert network["Options"]["com.docker.network.bridge.inhibit_ipv4"] == "true"
    assert list(inspect(entry.ids["container"])["NetworkSettings"]["Networks"]) == [network["Name"]]
    addresses = subprocess.run(["ip", "-4", "addr"], capture_output=True, text=True, check=True).stdout
    assert network["IPAM"]["Config"][0]["Gateway"] not in addresses


@contextlib.contextmanager
def listener() -> Iterator[int]:
    """A service of this machine that listens on all its addresses."""
    with socket.create_server(("0.0.0.0", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    server.accept()[0].close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def own_addresses() -> set[str]:
    listed = json.loads(subprocess.run(["ip", "-j", "-4", "addr"], capture_output=True, check=True).stdout)
    return {a["local"] for link in listed for a in link["addr_info"] if not a["local"].startswith("127.")}


def test_the_backend_reaches_neither_this_machine_nor_the_outside(stage: Stage) -> None:
    _, entry = stage.start(kind="image", image=images.server_image())
    gateway = inspect(entry.ids["network"])["IPAM"]["Config"][0]["Gateway"]
    with listener() as port:
        for host in [*own_addresses(), gateway]:
            assert ask(entry, "/reach", {"host": host, "port": port}) != "reached", host
    for host, port in [("192.0.2.1", 80), ("8.8.8.8", 53), ("example.com", 80)]:
        assert ask(entry, "/reach", {"host": host, "port": port}) != "reached", host


def test_outside_names_are_not_even_asked_for(stage: Stage) -> None:
    """An old engine would forward the question from its own network: a way out for data (CVE-2024-29018)."""
    _, entry = stage.start(kind="image", image=images.server_image())
    assert inspect(entry.ids["container"])["HostConfig"]["Dns"] == ["127.0.0.1"]


def test_with_internet_the_backend_has_a_way_out(stage: Stage) -> None:
    _, entry = stage.start(kind="image", image=images.server_image(), internet=True)
    assert inspect(entry.ids["network"])["Internal"] is False
    with listener() as port:
        reached = [ask(entry, "/reach", {"host": host, "port": port}) for host in own_addresses()]
    assert "reached" in reached  # the same question as above, so that its answer there means something


@pytest.mark.parametrize("shell", [True, False], ids=["with a shell", "from scratch"])
def test_secrets_arrive_exactly_and_are_nowhere_to_be_seen(stage: Stage, shell: bool) -> None:
    mark = f"s3cret-{uuid.uuid4().hex}"  # in no other process of this machine
    stage.secrets = {"ONE": f"{mark}-value", "MANY": f"{NASTY}{mark}-too"}
    env = {"PLAIN": "p", "ONE": SecretRef("env", "ONE"), "MANY": SecretRef("env", "MANY")}
    _, entry = stage.start(kind="image", image=images.server_image(shell), env=env)
    assert entry.process is not None
    inside = ask(entry, "/env")
    assert {name: inside[name] for name in stage.secrets} == stage.secrets
    assert inside["PLAIN"] == "p"
    for said in (
        json.dumps(inspect(entry.ids["container"])),
        docker("logs", entry.ids["container"]),
        subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout,
        json.dumps(inspect(inspect(entry.ids["container"])["Image"])),
        b"".join(entry.to_line() for entry in [*stage.ledger, entry]).decode(),
        " ".join(stage.told),
    ):
        assert mark not in said
    assert b"gate" not in Path(f"/proc/{entry.process.pid}/cmdline").read_bytes()


def test_behind_the_gate_the_program_reads_nothing(stage: Stage) -> None:
    stage.secrets = {"ONE": "value"}
    _, entry = stage.start(kind="image", image=images.server_image(), env={"ONE": SecretRef("env", "ONE")})
    assert ask(entry, "/stdin") == {"stdin": ""}


def test_a_container_with_secrets_that_is_restarted_by_hand_does_not_run_its_program(stage: Stage) -> None:
    stage.secrets = {"ONE": "value"}
    part, entry = stage.start(kind="image", image=images.server_image(), env={"ONE": SecretRef("env", "ONE")})
    docker("restart", "-t", "1", entry.ids["container"])
    assert docker("logs", entry.ids["container"]).count("serving at") == 1
    assert part.look(entry).alive is False
    assert part.adopt([entry]) is None


def test_an_end_of_input_before_the_secrets_ends_the_gate(stage: Stage) -> None:
    from exposer.backends import gate

    for stdin in ("", "marker\n", "marker\nexport A='b'\n"):
        done = subprocess.run(
            gate.entrypoint(["/bin/echo", "it ran"]), input=stdin, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (1, "")


def test_an_image_that_does_not_say_what_to_run_is_refused(stage: Stage) -> None:
    with pytest.raises(ConfigError, match="neither ENTRYPOINT nor CMD"):
        stage.start(kind="image", image=images.silent_image())
    assert left_over(stage.name) == []


def test_a_container_that_dies_at_its_start_shows_its_last_words_without_secrets(stage: Stage) -> None:
    stage.secrets = {"DIE": "the-s3cret"}
    with pytest.raises(ExposerError) as caught:
        stage.start(kind="image", image=images.server_image(), env={"DIE": SecretRef("env", "DIE")})
    assert "exit code 3" in caught.value.message
    assert "about to die: …" in caught.value.message
    assert "s3cret" not in caught.value.message
    assert left_over(stage.name) == []


def test_a_container_that_never_gets_healthy_is_removed_and_its_answer_told(stage: Stage) -> None:
    with pytest.raises(TimeoutExceededError, match=r"GET /health answers 503[\s\S]*serving at"):
        stage.start(kind="image", image=images.server_image(), env={"SICK": "1"}, start_timeout=10.0)
    assert left_over(stage.name) == []


def test_a_wrong_port_is_told_as_such(stage: Stage) -> None:
    with pytest.raises(TimeoutExceededError, match="nothing listens on its port"):
        stage.start(kind="image", image=images.server_image(), port=9999, start_timeout=10.0)


def test_an_image_that_is_nowhere_is_missing(stage: Stage) -> None:
    with pytest.raises(MissingError) as caught:
        stage.start(kind="image", image="127.0.0.1:1/no/such:image")
    assert "127.0.0.1:1/no/such:image" in caught.value.message
    assert caught.value.hint
    assert left_over(stage.name) == []


def test_a_volume_that_does_not_exist_is_not_made_by_the_engine(stage: Stage, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(MissingError, match="does not exist"):
        stage.start(kind="image", image=images.server_image(), volumes=(f"{missing}:/data:ro",))
    assert not missing.exists()


def test_a_volume_is_seen_inside(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "note").write_text("hello")
    _, entry = stage.start(kind="image", image=images.server_image(), volumes=(f"{tmp_path}/note:/note:ro",))
    assert ask(entry, "/files", ["/note"]) == {"/note": "hello"}


def test_health_may_need_the_backends_own_key(stage: Stage) -> None:
    stage.secrets = {"UP": "Bearer up"}
    auth = UpstreamAuth("Authorization", SecretRef("env", "UP"))
    part, entry = stage.start(kind="image", image=images.server_image(), env={"WANT": "Bearer up"}, auth=auth)
    assert part.look(entry).healthy is True
    stage.secrets = {}
    assert part.look(entry).healthy is False


def test_a_backend_that_listens_on_its_own_loopback_is_reached(stage: Stage) -> None:
    _, entry = stage.start(kind="image", image=images.server_image(), env={"BIND": "127.0.0.1"})
    assert ask(entry, "/env")["BIND"] == "127.0.0.1"


def test_a_folder_is_built_and_run(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {images.server_image()}\nENV BUILT=yes\n")
    try:
        _, entry = stage.start(kind="build", build=str(tmp_path))
        assert ask(entry, "/env")["BUILT"] == "yes"
        assert any("Step 2/2" in line for line in stage.told)
    finally:
        stage.close()
        assert "Untagged" in docker("rmi", f"exposer-{stage.name}:built")


def test_a_build_that_fails_shows_why(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {images.server_image()}\nCOPY nothing /here\n")
    with pytest.raises(ExposerError, match=r"nothing[\s\S]*Step 2/2"):
        stage.start(kind="build", build=str(tmp_path))


def test_a_dead_container_is_seen_with_its_exit_code(stage: Stage) -> None:
    part, entry = stage.start(kind="image", image=images.server_image())
    with pytest.raises((ExposerError, AssertionError)):
        ask(entry, "/quit")
    look = eventually(lambda: (seen := part.look(entry)).alive is False and seen)
    assert "exit code 7" in look.error


def test_without_its_link_a_backend_counts_as_gone_for_only_a_start_makes_another(stage: Stage) -> None:
    part, entry = stage.start(kind="image", image=images.server_image())
    docker("kill", entry.detail["link"]["container"])
    look = part.look(entry)
    assert (look.alive, look.healthy) == (False, False)
    assert "link" in look.error
    assert part.adopt([entry]) is None


def test_a_paused_backend_is_unhealthy_and_can_still_be_stopped(stage: Stage) -> None:
    part, entry = stage.start(kind="image", image=images.server_image())
    docker("pause", entry.ids["container"])
    look = part.look(entry)
    assert (look.alive, look.healthy) == (True, False)
    part.stop(entry)
    assert left_over(stage.name) == []


def test_a_running_backend_is_adopted_by_its_digest_through_the_ledger(stage: Stage, tmp_path: Path) -> None:
    _, entry = stage.start(kind="image", image=images.server_image())
    ledger = Ledger(str(tmp_path / "ledger"))
    for line in [*stage.ledger, entry]:
        ledger.append(line)
    again = stage.part(kind="image", image=images.server_image(), health="/env")
    adopted = again.adopt(ledger.entries())
    assert adopted is not None
    assert adopted.to_line() == entry.to_line()
    assert again.look(adopted).healthy is True
    assert stage.part(kind="image", image=images.server_image(), memory=99**4).adopt([entry]) is None


def test_what_a_crash_left_behind_is_replaced(stage: Stage) -> None:
    _, first = stage.start(kind="image", image=images.server_image())
    _, second = stage.start(kind="image", image=images.server_image())
    assert first.process is not None
    assert not first.process.alive()
    assert ask(second, "/env")
    assert len(left_over(stage.name)) == 3


def test_a_running_container_is_linked_and_left_as_it_was(stage: Stage, stranger: str) -> None:
    before = inspect(stranger)
    part, entry = stage.start(kind="container", container=stranger)
    assert part.look(entry).healthy is True
    assert any("reachable past the gateway" in line for line in stage.told)
    part.stop(entry)
    removal.remove(entry.ids)
    after = inspect(stranger)
    assert after["State"]["Running"] is True
    assert after["State"]["Pid"] == before["State"]["Pid"]
    assert after["NetworkSettings"]["Networks"] == before["NetworkSettings"]["Networks"]
    assert left_over(stage.name) == []


def test_a_linked_container_that_is_restarted_from_outside_is_noticed(stage: Stage, stranger: str) -> None:
    part, entry = stage.start(kind="container", container=stranger)
    docker("restart", "-t", "1", stranger)
    look = part.look(entry)
    assert (look.alive, look.healthy) == (False, False)
    assert "restarted from outside" in look.error


def test_a_container_to_adopt_must_run(stage: Stage, stranger: str) -> None:
    docker("stop", "-t", "1", stranger)
    with pytest.raises(MissingError, match="does not run"):
        stage.start(kind="container", container=stranger)
    with pytest.raises(MissingError, match="there is no container"):
        stage.start(kind="container", container=f"{stranger}-not")


def test_two_homes_with_the_same_name_do_not_end_each_others_things(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, entry = stage.start(kind="image", image=images.server_image())
    with monkeypatch.context() as other:
        other.setenv("EXPOSER_STATE_DIR", str(tmp_path / "another"))
        assert engine.remove_all(stage.name) == []
        removal.remove(entry.ids)
    assert part.look(entry).healthy is True


@pytest.mark.parametrize("time", ["first", "second", "third"])
def test_two_who_remove_the_same_at_once_both_find_it_gone(stage: Stage, time: str) -> None:
    _, entry = stage.start(kind="image", image=images.server_image())
    at_once, seen = threading.Barrier(2), list[object]()

    def remove() -> None:
        at_once.wait(60)
        try:
            removal.remove(entry.ids)
            seen.append(docker("inspect", "--format", "{{.Id}}", entry.ids["container"], entry.ids["network"]))
        except ExposerError as error:
            seen.append(error)

    both = [threading.Thread(target=remove) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(120)
    assert len(seen) == 2
    assert all(isinstance(said, str) and said.lower().count("no such object") == 2 for said in seen), seen


def test_remove_all_tells_what_it_removed(stage: Stage) -> None:
    _, entry = stage.start(kind="image", image=images.server_image())
    removed = engine.remove_all(stage.name)
    assert len(removed) == 3
    assert all(name.startswith(f"exposer-{stage.name}-") for name in removed)
    assert entry.process is not None
    eventually(lambda: entry.process is not None and not entry.process.alive())


def test_the_recorded_process_is_the_containers_own(stage: Stage) -> None:
    _, entry = stage.start(kind="image", image=images.server_image())
    assert entry.process is not None
    assert entry.process.signal(signal.SIGKILL)
    assert procs.wait_until(lambda: not inspect(entry.ids["container"])["State"]["Running"], 20)


def test_logs_are_the_containers(stage: Stage) -> None:
    part, entry = stage.start(kind="image", image=images.server_image())
    assert "serving at 0.0.0.0 8080" in part.logs(entry, 50)
    assert len(part.logs(entry, 1).splitlines()) == 1
    heard = threading.Event()

    def keep_asking() -> None:
        while not heard.wait(0.2):
            ask(entry, "/env")

    asking = threading.Thread(target=keep_asking)
    asking.start()
    lines = part.follow(entry)
    try:
        assert any("GET /env" in line for line in lines)
    finally:
        heard.set()
        asking.join()
        lines.close()
