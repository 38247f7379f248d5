"""The kill switch against real processes, with everything else broken."""

import ast
import hashlib
import http.server
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from exposer.files import Places
from exposer.procs import Entry, Ledger, ProcessId, boot_id
from tests.support import images
from tests.support.backends import docker, engine_runs, inspect
from tests.support.disk import fill, mounted
from tests.support.eventually import eventually
from tests.support.families import family
from tests.support.serving import serving

NAME = "one"
PANIC = [sys.executable, "-m", "exposer.panic"]


@dataclass
class Exposure:
    """One exposure made of sleeping process families, and the ledger that knows them."""

    root: Path
    name: str = NAME
    families: dict[str, tuple[ProcessId, list[ProcessId]]] = field(default_factory=dict)

    @property
    def places(self) -> Places:
        return Places(self.name)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.places.ledger)

    def dead(self, *roles: str) -> bool:
        return not any(self.alive(role) for role in roles)

    def alive(self, role: str) -> bool:
        leader, members = self.families[role]
        return any(process.alive() for process in (leader, *members))

    def panic(self, *argv: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*PANIC, *argv], capture_output=True, text=True, timeout=120, cwd=cwd or self.root, check=False
        )


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State and runtime folders of this test's own, and no Docker engine."""
    monkeypatch.setenv("EXPOSER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("EXPOSER_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    monkeypatch.delenv("EXPOSER_FILE", raising=False)


@contextmanager
def exposed(
    root: Path, name: str = NAME, roles: tuple[str, ...] = ("supervisor", "tunnel", "gateway", "backend")
) -> Iterator[Exposure]:
    made = Exposure(root, name)
    made.places.prepare()
    (Path(made.places.runtime) / "gateway" / "live").mkdir(parents=True)
    (Path(made.places.runtime) / "gateway" / "live" / "key").touch()
    (Path(made.places.state) / "keyring").write_text("ring")
    with ExitStack() as stack:
        for role in roles:
            made.families[role] = stack.enter_context(family(2))
            detail = {"panic": "stop"} if role == "supervisor" else {}
            made.ledger.append(Entry(role, made.families[role][0], detail=detail))
        yield made


@pytest.fixture
def exposure(tmp_path: Path) -> Iterator[Exposure]:
    with exposed(tmp_path) as made:
        yield made


def state_of(process: ProcessId) -> str:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]


def report_of(exposure: Exposure) -> dict[str, Any]:
    (path,) = Path(exposure.places.state, "incidents").glob("*.json")
    return dict(json.loads(path.read_text()))


ALL = ("supervisor", "tunnel", "gateway", "backend")


# What it does


@pytest.mark.parametrize("reason", ["it leaks", "", 'a "quoted" \\ word\nand é, \x07'])
def test_everything_ends_and_the_lock_is_kept(exposure: Exposure, reason: str) -> None:
    done = exposure.panic("--reason", reason)
    assert (done.returncode, done.stderr) == (0, "")
    assert "offline after" in done.stdout
    assert "locked until" in done.stdout
    eventually(lambda: exposure.dead(*ALL))
    lock = Path(exposure.places.lock)
    assert lock.stat().st_mode & 0o777 == 0o600
    assert lock.parent.stat().st_mode & 0o777 == 0o700
    said = json.loads(lock.read_text())
    assert (said.pop("reason"), said.pop("uid"), sorted(said)) == (reason, os.getuid(), ["at", "pid"])


def test_what_gets_traffic_ends_first_and_the_lock_is_there_before(exposure: Exposure) -> None:
    assert exposure.panic().returncode == 0
    steps = [step["step"] if step["step"] != "signalled" else step["role"] for step in report_of(exposure)["steps"]]
    assert steps[0] == "locked"
    assert set(steps[1:3]) == {"tunnel", "gateway"}
    assert steps.index("tunnel") < steps.index("supervisor") < steps.index("keys withdrawn") < steps.index("backend")


def test_no_key_is_valid_any_more_and_the_ring_is_put_aside(exposure: Exposure) -> None:
    assert exposure.panic().returncode == 0
    gateway = Path(exposure.places.runtime, "gateway")
    assert not (gateway / "live").exists()
    assert [path.name.partition(".off-")[0] for path in gateway.iterdir()] == ["live"]
    state = Path(exposure.places.state)
    assert not (state / "keyring").exists()
    assert (state / "keyring.panicked").read_text() == "ring"


def test_the_report_is_private_and_says_why(exposure: Exposure) -> None:
    done = exposure.panic("--reason", "it leaks \u20ac and \udcff")
    assert done.returncode == 0
    folder = Path(exposure.places.state, "incidents")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600, 0o600]
    (markdown,) = folder.glob("*.md")
    assert "it leaks \u20ac" in markdown.read_text()
    assert str(markdown) in done.stdout


def test_json_is_one_document(exposure: Exposure) -> None:
    done = exposure.panic("--json")
    said = json.loads(done.stdout)
    assert (said["schema"], done.returncode, done.stderr) == (1, 0, "")
    (one,) = said["exposures"]
    assert (one["name"], one["locked"], one["trouble"], one["still_open"]) == (NAME, True, [], [])
    assert 0 < said["cut_ms"] < 30_000


def test_quiet_is_quiet(exposure: Exposure) -> None:
    done = exposure.panic("-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    eventually(lambda: exposure.dead(*ALL))


def test_a_backend_that_is_kept_goes_on(exposure: Exposure) -> None:
    assert exposure.panic("--backend", "keep").returncode == 0
    eventually(lambda: exposure.dead("supervisor", "tunnel", "gateway"))
    leader, members = exposure.families["backend"]
    assert all(process.alive() for process in (leader, *members))
    assert state_of(leader) == "S"


def test_a_backend_that_is_paused_stands_still(exposure: Exposure) -> None:
    assert exposure.panic("--backend", "pause").returncode == 0
    eventually(lambda: exposure.dead("supervisor", "tunnel", "gateway"))
    leader, members = exposure.families["backend"]
    eventually(lambda: {state_of(process) for process in (leader, *members)} == {"T"})


@pytest.mark.parametrize(("configured", "alive"), [("keep", True), ("stop", False), ("nonsense", False)])
def test_without_a_word_about_the_backend_the_config_of_the_supervisor_counts(
    exposure: Exposure, configured: str, alive: bool
) -> None:
    leader = exposure.families["supervisor"][0]
    exposure.ledger.keep(lambda entry: entry.role != "supervisor")
    exposure.ledger.append(Entry("supervisor", leader, detail={"panic": configured}))
    assert exposure.panic().returncode == 0
    eventually(lambda: exposure.alive("backend") is alive)
    eventually(lambda: exposure.dead("supervisor", "tunnel", "gateway"))


def test_a_part_that_this_version_does_not_know_ends_too(tmp_path: Path) -> None:
    with exposed(tmp_path, roles=("doors", "guard", "backend")) as made:
        assert made.panic("--backend", "keep").returncode == 0
        eventually(lambda: made.dead("doors", "guard"))
        assert made.alive("backend")


def test_every_exposure_is_cut_or_only_the_one_that_is_named(tmp_path: Path) -> None:
    with exposed(tmp_path, "one") as one, exposed(tmp_path, "two") as two, exposed(tmp_path, "three") as three:
        assert one.panic("--name", "two").returncode == 0
        eventually(lambda: two.dead(*ALL))
        assert one.alive("tunnel")
        assert not one.places.locked()
        assert one.panic().returncode == 0
        eventually(lambda: one.dead(*ALL) and three.dead(*ALL))


def test_a_mistyped_name_is_not_taken_for_success(exposure: Exposure) -> None:
    done = exposure.panic("--name", "onee")
    assert done.returncode == 1
    assert "no exposure called onee" in done.stderr
    assert NAME in done.stderr
    assert exposure.alive("tunnel")


def test_with_nothing_to_take_offline_it_says_so(tmp_path: Path) -> None:
    done = Exposure(tmp_path).panic()
    assert (done.returncode, done.stdout) == (0, "there is no exposure to take offline\n")
    assert json.loads(Exposure(tmp_path).panic("--json").stdout)["exposures"] == []


def test_an_exposure_that_never_ran_is_locked_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "exposer.toml").write_text('name = "fresh"\n')
    assert Exposure(tmp_path).panic().returncode == 0
    assert Places("fresh").locked()


# Wrong usage


@pytest.mark.parametrize("argv", [("--nonsense",), ("one",), ("--backend", "burn"), ("--name", "../x")])
def test_what_is_not_understood_is_said_and_cuts_nothing(exposure: Exposure, argv: tuple[str, ...]) -> None:
    done = exposure.panic(*argv)
    assert (done.returncode, done.stdout) == (2, "")
    assert "exposer panic --help" in done.stderr
    assert all(exposure.alive(role) for role in ALL)
    assert not exposure.places.locked()


def test_a_wrong_word_is_json_on_standard_error_when_json_was_asked_for(exposure: Exposure) -> None:
    done = exposure.panic("--json", "--nonsense")
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, done.stdout, error["code"]) == (2, "", "usage")
    assert "--nonsense" in error["message"]


def test_help_cuts_nothing(exposure: Exposure) -> None:
    done = exposure.panic("--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: exposer panic")
    assert exposure.alive("tunnel")


@pytest.mark.parametrize("command", [["-m", "exposer", "panic"], ["-m", "exposer", "-f", "x.toml", "--json", "panic"]])
def test_it_is_the_same_behind_the_main_command(exposure: Exposure, command: list[str]) -> None:
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=exposure.root)
    assert done.returncode == 0
    eventually(lambda: exposure.dead(*ALL))


# Whom it spares


def test_a_recycled_pid_is_spared(tmp_path: Path) -> None:
    with exposed(tmp_path, roles=("tunnel",)) as made, family(1) as (innocent, members):
        for started, boot in ((str(int(innocent.started) - 1), innocent.boot), (innocent.started, "another boot")):
            for role in ALL:
                made.ledger.append(Entry(role, ProcessId(innocent.pid, started, boot)))
        done = made.panic()
        assert (done.returncode, done.stderr) == (0, "")
        eventually(lambda: made.dead("tunnel"))
        assert innocent.alive()
        assert all(member.alive() for member in members)


@pytest.mark.parametrize("pid", [-1, 0, 1, 10**30])
def test_a_mad_pid_harms_nobody_and_stops_nothing(exposure: Exposure, pid: int) -> None:
    line = {"role": "tunnel", "pid": pid, "started": "1", "boot": boot_id()}
    with open(exposure.places.ledger, "a") as ledger:
        ledger.write(json.dumps(line) + "\n")
    assert exposure.panic().returncode == 0
    eventually(lambda: exposure.dead(*ALL))


# What may be broken


def test_workers_end_though_their_master_died_first(tmp_path: Path) -> None:
    with exposed(tmp_path, roles=()) as made, family(3, leader="exit") as (leader, workers):
        made.ledger.append(Entry("gateway", leader))
        assert made.panic().returncode == 0
        eventually(lambda: not any(worker.alive() for worker in workers))


def test_a_supervisor_that_hangs_ends(exposure: Exposure) -> None:
    for process in (exposure.families["supervisor"][0], exposure.families["tunnel"][0]):
        process.signal_group(signal.SIGSTOP)
        eventually(lambda process=process: state_of(process) == "T")
    assert exposure.panic().returncode == 0
    eventually(lambda: exposure.dead(*ALL))


def test_without_a_ledger_the_lock_still_holds(exposure: Exposure) -> None:
    os.unlink(exposure.places.ledger)
    assert exposure.panic().returncode == 0
    assert exposure.places.locked()
    assert not Path(exposure.places.runtime, "gateway", "live").exists()


@pytest.mark.parametrize(
    "garbage",
    [b'{"role": "tun', b"\x00" * 5000, b"[" * 100_000, b'{"role": "x", "pid": Infinity, "started": "", "boot": ""}'],
)
def test_a_torn_ledger_costs_only_the_torn_line(exposure: Exposure, garbage: bytes) -> None:
    path = Path(exposure.places.ledger)
    path.write_bytes(garbage + b"\n" + path.read_bytes() + garbage)
    assert exposure.panic().returncode == 0
    eventually(lambda: exposure.dead(*ALL))


@pytest.mark.parametrize("kind", ["folder", "symlink", "pipe"])
def test_a_ledger_that_cannot_be_read_is_said(exposure: Exposure, kind: str) -> None:
    path = Path(exposure.places.ledger)
    path.rename(path.with_suffix(".moved"))
    {"folder": path.mkdir, "symlink": lambda: path.symlink_to("loop"), "pipe": lambda: os.mkfifo(path)}[kind]()
    done = exposure.panic()
    assert done.returncode == 1
    assert "ledger" in done.stderr
    assert exposure.places.locked()


def test_the_lock_may_be_a_folder(exposure: Exposure) -> None:
    Path(exposure.places.lock).mkdir()
    done = exposure.panic()
    assert (done.returncode, done.stderr) == (0, "")
    assert exposure.places.locked()
    eventually(lambda: exposure.dead(*ALL))


def test_a_second_panic_keeps_the_first_lock(exposure: Exposure) -> None:
    assert exposure.panic("--reason", "first").returncode == 0
    assert exposure.panic("--reason", "second").returncode == 0
    assert json.loads(Path(exposure.places.lock).read_text())["reason"] == "first"
    assert Path(exposure.places.state, "keyring.panicked").exists()


def test_two_at_once_do_not_disturb_each_other(exposure: Exposure) -> None:
    both = [
        subprocess.Popen(PANIC, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=exposure.root)
        for _ in range(3)
    ]
    said = [one.communicate(timeout=120) for one in both]
    assert [one.returncode for one in both] == [0, 0, 0], said
    eventually(lambda: exposure.dead(*ALL))
    assert exposure.places.locked()


@pytest.mark.parametrize("text", [None, "this is = = no toml [[[", '\x00\xff name = "', "name = 5\n" * 100_000])
def test_no_config_or_a_broken_one_does_not_matter(exposure: Exposure, text: str | None) -> None:
    if text is not None:
        (exposure.root / "exposer.toml").write_text(text, encoding="latin-1")
    assert exposure.panic().returncode == 0
    eventually(lambda: exposure.dead(*ALL))


def test_a_working_folder_that_is_gone_does_not_matter(exposure: Exposure) -> None:
    gone = exposure.root / "gone"
    gone.mkdir()
    script = f"cd {gone} && rmdir {gone} && exec {sys.executable} -m exposer.panic"
    assert subprocess.run(["sh", "-c", script], stderr=subprocess.PIPE).returncode == 0
    eventually(lambda: exposure.dead(*ALL))


@pytest.mark.parametrize("options", ["ro", "nr_inodes=1"])
def test_a_state_folder_that_cannot_be_written_is_said_and_does_not_stop_the_cut(
    exposure: Exposure, options: str
) -> None:
    with mounted(Path(exposure.places.state), options):
        done = exposure.panic()
        assert os.listdir(exposure.places.state) == []
    assert done.returncode == 1
    assert "the lock could not be kept" in done.stderr
    assert "NOT locked" in done.stdout
    assert "locked until" not in done.stdout
    eventually(lambda: exposure.dead(*ALL))


def test_on_a_full_disk_the_lock_is_kept_though_nothing_can_be_written_into_it(exposure: Exposure) -> None:
    with mounted(Path(exposure.places.state), "size=16k") as state:
        fill(state)
        done = exposure.panic("--json")
        assert exposure.places.locked()
    eventually(lambda: exposure.dead(*ALL))
    said = json.loads(done.stdout)["exposures"][0]
    assert (done.returncode, said["locked"]) == (1, True)
    assert any("report could not be written" in line for line in said["trouble"])
    assert json.loads(done.stderr)["error"]["code"] == "failed"


def test_a_file_where_the_state_should_be_does_not_stop_the_cut(exposure: Exposure) -> None:
    state = Path(exposure.places.state)
    state.rename(state.with_suffix(".moved"))
    state.write_text("")
    done = exposure.panic()
    assert done.returncode == 1
    assert "the lock could not be kept" in done.stderr
    eventually(lambda: exposure.dead(*ALL))


def test_a_state_root_that_cannot_be_read_does_not_hide_what_runs(exposure: Exposure) -> None:
    state = exposure.root / "state"
    state.rename(exposure.root / "moved")
    state.symlink_to(state)
    done = exposure.panic()
    assert done.returncode == 1
    eventually(lambda: exposure.dead(*ALL))


def test_output_that_goes_nowhere_does_not_stop_the_cut(exposure: Exposure) -> None:
    subprocess.run(f"{sys.executable} -m exposer.panic > /dev/full 2>&1", shell=True, cwd=exposure.root)
    eventually(lambda: exposure.dead(*ALL))
    assert exposure.places.locked()
    assert report_of(exposure)["still_open"] == []


def test_closed_standard_streams_do_not_stop_the_cut(exposure: Exposure) -> None:
    subprocess.run(f"exec {sys.executable} -m exposer.panic <&- >&- 2>&-", shell=True, cwd=exposure.root)
    eventually(lambda: exposure.dead(*ALL))
    assert exposure.places.locked()


def test_called_from_inside_a_group_that_is_cut_it_comes_to_its_end(tmp_path: Path) -> None:
    """A hook of the supervisor's, or of its own doing when a decoy key was used."""
    with exposed(tmp_path, roles=("tunnel", "backend")) as made:
        go = tmp_path / "go"
        os.mkfifo(go)
        script = f"read x < {go}; {sys.executable} -m exposer.panic; echo never"
        with subprocess.Popen(
            ["sh", "-c", script], start_new_session=True, cwd=tmp_path, stdout=subprocess.PIPE
        ) as shell:
            supervisor = ProcessId.of(shell.pid)
            assert supervisor is not None
            made.ledger.append(Entry("supervisor", supervisor))
            go.write_text("go\n")
            said, _ = shell.communicate(timeout=120)
            assert shell.returncode == -signal.SIGKILL
        assert b"never" not in said
        assert b"offline after" in said
        eventually(lambda: made.dead("tunnel", "backend"))
        assert report_of(made)["locked"] is True


# The proof


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def somewhere(server: socket.socket) -> str:
    return f"127.0.0.1:{server.getsockname()[1]}"


def test_a_gateway_that_somebody_has_started_again_is_found(exposure: Exposure, listener: socket.socket) -> None:
    exposure.ledger.append(Entry("gateway", ProcessId(2**22 + 1, "1", "gone"), detail={"listen": somewhere(listener)}))
    done = exposure.panic()
    assert done.returncode == 8
    assert f"{somewhere(listener)} still takes connections" in done.stderr
    assert "NOT offline" in done.stdout
    eventually(lambda: exposure.dead(*ALL))
    assert report_of(exposure)["still_open"]


def test_what_still_answers_is_an_error_in_json(exposure: Exposure, listener: socket.socket) -> None:
    exposure.ledger.append(Entry("gateway", detail={"listen": somewhere(listener)}))
    done = exposure.panic("--json")
    assert done.returncode == 8
    assert json.loads(done.stdout)["exposures"][0]["still_open"]
    assert json.loads(done.stderr)["error"]["code"] == "unverified"


def test_a_gateway_on_a_unix_socket_is_found(exposure: Exposure) -> None:
    path = f"{exposure.places.runtime}/g.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        exposure.ledger.append(Entry("gateway", detail={"listen": f"unix:{path}"}))
        assert exposure.panic().returncode == 8
    assert exposure.panic().returncode == 0


def test_a_gateway_that_is_too_busy_to_accept_is_not_taken_for_closed(exposure: Exposure) -> None:
    with socket.socket() as server, ExitStack() as stack:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        exposure.ledger.append(Entry("gateway", detail={"listen": somewhere(server)}))
        assert exposure.panic().returncode == 8


def test_without_proof_nobody_is_asked(exposure: Exposure, listener: socket.socket) -> None:
    exposure.ledger.append(Entry("gateway", detail={"listen": somewhere(listener)}))
    assert exposure.panic("--no-verify").returncode == 0
    listener.settimeout(0.05)
    with pytest.raises(TimeoutError):
        listener.accept()


class Public(http.server.BaseHTTPRequestHandler):
    """What the outside sees; the answers are the test's."""

    status, body = 404, b""

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@contextmanager
def public(status: int, body: bytes) -> Iterator[str]:
    handler = type("Handler", (Public,), {"status": status, "body": body})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "code"), [(200, b"ours", 8), (401, b"", 8), (200, b"a page of the provider", 0), (530, b"", 0)]
)
def test_the_public_address_is_asked_for_what_only_our_gateway_says(
    exposure: Exposure, status: int, body: bytes, code: int
) -> None:
    supervisor = exposure.families["supervisor"][0]
    exposure.ledger.keep(lambda entry: entry.role != "supervisor")
    exposure.ledger.append(Entry("supervisor", supervisor, detail={"probe": "p", "probe_answer": "ours"}))
    with public(status, body) as url:
        exposure.ledger.append(Entry("tunnel", detail={"url": url}))
        assert exposure.panic().returncode == code


@pytest.mark.parametrize("numbers", [(signal.SIGHUP, signal.SIGINT), (signal.SIGTERM,)], ids=["terminal", "service"])
def test_a_closed_terminal_an_impatient_ctrl_c_or_the_end_of_its_service_does_not_stop_it(
    exposure: Exposure, listener: socket.socket, numbers: tuple[int, ...]
) -> None:
    exposure.ledger.append(Entry("gateway", detail={"listen": somewhere(listener)}))  # keeps the proof busy
    with subprocess.Popen(PANIC, cwd=exposure.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as panic:
        eventually(exposure.places.locked)
        for number in numbers:
            panic.send_signal(number)
        panic.communicate(timeout=120)
        assert panic.returncode == 8
    assert report_of(exposure)["still_open"]


# The engine


class Engine(http.server.BaseHTTPRequestHandler):
    """As much of Docker's API as the kill switch uses; one container cannot be ended."""

    asked: list[str] = []

    def do_GET(self) -> None:
        self.answer(200, [{"Id": "unknown", "Labels": {"io.exposer.role": "gateway"}}])

    def do_POST(self) -> None:
        self.asked.append(self.path)
        if "stubborn" in self.path:
            self.answer(500, {"message": "cannot kill container: permission denied"})
        elif "gone" in self.path:
            self.answer(404, {"message": "No such container: gone"})
        else:
            self.answer(204, None)

    def answer(self, status: int, data: object) -> None:
        text = json.dumps(data).encode() if data is not None else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def address_string(self) -> str:
        return ""

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@contextmanager
def engine(path: Path) -> Iterator[list[str]]:
    handler = type("Handler", (Engine,), {"asked": []})
    with serving(socketserver.UnixStreamServer(str(path), handler)):
        yield handler.asked


def test_a_container_that_cannot_be_ended_does_not_keep_the_others(exposure: Exposure) -> None:
    for container, role in (("stubborn", "tunnel"), ("gone", "link"), ("fine", "backend")):
        exposure.ledger.append(Entry(role, ids={"container": container}))
    with engine(exposure.root / "docker.sock") as asked:
        done = exposure.panic()
    assert sorted(asked) == [f"/containers/{name}/kill" for name in ("fine", "gone", "stubborn", "unknown")]
    assert done.returncode == 1
    assert "permission denied" in done.stderr
    eventually(lambda: exposure.dead(*ALL))


def test_a_container_that_ran_before_us_is_spared_unless_it_is_asked_for(exposure: Exposure) -> None:
    exposure.ledger.append(Entry("backend", ids={"container": "adopted"}, detail={"kind": "container"}))
    with engine(exposure.root / "docker.sock") as asked:
        assert exposure.panic().returncode == 0
        assert asked == ["/containers/unknown/kill"]
        assert exposure.panic("--backend", "stop").returncode == 0
        assert sorted(asked[1:]) == ["/containers/adopted/kill", "/containers/unknown/kill"]


def test_a_backend_in_a_container_is_paused_by_the_engine(exposure: Exposure) -> None:
    exposure.ledger.append(Entry("backend", ids={"container": "fine"}))
    with engine(exposure.root / "docker.sock") as asked:
        assert exposure.panic("--backend", "pause").returncode == 0
    assert sorted(asked) == ["/containers/fine/pause", "/containers/unknown/kill"]


def test_an_engine_that_hangs_is_said_and_does_not_stop_the_cut(exposure: Exposure) -> None:
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(exposure.root / "docker.sock"))
        deaf.listen()
        done = exposure.panic()
    assert done.returncode == 1
    assert "Docker engine" in done.stderr
    eventually(lambda: exposure.dead(*ALL))


def test_an_engine_that_is_not_there_matters_only_when_containers_are_on_record(exposure: Exposure) -> None:
    assert exposure.panic().returncode == 0
    exposure.ledger.append(Entry("backend", ids={"container": "fine"}))
    done = exposure.panic()
    assert done.returncode == 1
    assert "no Docker engine" in done.stderr


@pytest.mark.docker
@pytest.mark.skipif(not engine_runs(), reason="no running Docker engine")
@pytest.mark.parametrize("paused", [False, True])
def test_a_real_container_of_ours_ends_though_no_ledger_knows_it(
    exposure: Exposure, monkeypatch: pytest.MonkeyPatch, paused: bool
) -> None:
    monkeypatch.delenv("DOCKER_HOST")
    home = hashlib.sha256(str(exposure.root / "state").encode()).hexdigest()[:12]
    os.unlink(exposure.places.ledger)
    made = []
    try:
        for mark in (home, "somebody-else"):
            labels = [
                f"--label=io.exposer.{key}={value}"
                for key, value in (("name", NAME), ("home", mark), ("role", "gateway"))
            ]
            made.append(docker("run", "-d", *labels, "--network", "none", images.server_image()).strip())
        if paused:
            docker("pause", made[0])
        done = exposure.panic()
        assert (done.returncode, done.stderr) == (0, "")
        eventually(lambda: not inspect(made[0])["State"]["Running"])
        assert inspect(made[1])["State"]["Running"]
    finally:
        docker("rm", "-f", *made)


# What it is made of

CHILD = """
import sys
before = set(sys.modules)
seen = {}
def watch(event, args):
    if event == "os.killpg" and "cut" not in seen:
        seen["cut"] = sorted(set(sys.modules) - before)
sys.addaudithook(watch)
from exposer.panic import main
code = main(["-q"])
seen["end"] = sorted(set(sys.modules) - before)
print(repr((code, seen)))
"""
HEAVY = {"subprocess", "dataclasses", "typing", "argparse", "socket", "ssl", "http", "urllib", "logging", "threading"}
HEAVY |= {"pathlib", "asyncio", "inspect", "tempfile", "shutil", "email", "click", "docker", "tomllib", "datetime"}
HEAVY |= {"re", "json", "enum", "signal", "functools", "collections"}


def test_it_is_made_of_the_standard_library_and_little_else(exposure: Exposure) -> None:
    with engine(exposure.root / "docker.sock"), public(404, b"") as url:
        exposure.ledger.append(Entry("tunnel", detail={"url": url, "listen": "127.0.0.1:1"}))
        argv = [sys.executable, "-c", CHILD]
        done = subprocess.run(argv, capture_output=True, text=True, cwd=exposure.root, check=True)
    code, seen = ast.literal_eval(done.stdout)
    assert code == 0
    assert not HEAVY & {name.partition(".")[0] for name in seen["cut"]}
    ours = {name for name in seen["end"] if name.partition(".")[0] == "exposer"}
    ours -= {name for name in ours if name.startswith(("exposer.panic", "exposer.procs."))}
    assert ours == {"exposer", "exposer.files", "exposer.procs"}
    strangers = {name.partition(".")[0] for name in seen["end"]} - set(sys.stdlib_module_names) - {"exposer"}
    assert strangers == set()


def test_it_needs_no_installed_package_and_no_site(exposure: Exposure) -> None:
    home = Path(__file__).resolve().parents[2]
    code = f"import sys; sys.path.insert(0, {str(home)!r}); from exposer.panic import main; sys.exit(main(['-q']))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, cwd=exposure.root)
    assert (done.returncode, done.stderr) == (0, "")
    eventually(lambda: exposure.dead(*ALL))
