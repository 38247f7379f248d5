"""The whole journey on the sample backend: up, calls, keys, changes, panic, down."""

import json
import os
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from exposer.procs import started_at
from exposer.render import templates_dir
from tests.support.eventually import eventually
from tests.support.exposure import Exposure, get, sample_config
from tests.support.keys import spoiled
from tests.support.ports import free_port

pytestmark = pytest.mark.nginx


def processes_of(exposure: Exposure) -> list[int]:
    """Every process whose ledger entry lives."""
    return [entry["pid"] for entry in exposure.ledger() if "pid" in entry and os.path.exists(f"/proc/{entry['pid']}")]


def test_a_key_opens_what_is_published_and_nothing_else(sample: Exposure) -> None:
    said = sample.up()
    assert said["phase"] == "online"
    assert sample.get("/api/notes").json()[0]["text"] == "buy milk"
    assert sample.get("/api/notes/2").json()["id"] == "2"
    refused = sample.get("/api/notes", key="")
    assert refused.status == 401
    assert refused.headers["content-type"] == "application/problem+json"
    assert "www-authenticate" in refused.headers
    assert sample.get("/api/notes", key=spoiled(sample.key)).status == 401
    assert sample.get("/api/private").status == 404
    assert sample.get("/api/notes/1", method="DELETE").status == 404
    assert sample.get("/health").status == 404
    assert sample.get("/api/notes/1").status == 200


def test_the_document_points_at_the_public_address_with_its_base_path(sample: Exposure) -> None:
    sample.up()
    document = json.loads(sample.run("schema", "show").stdout)
    assert document["servers"] == [{"url": f"{sample.url}/api"}]
    assert next(iter(document["components"]["securitySchemes"].values()))["name"] == "X-API-Key"
    assert {method for item in document["paths"].values() for method in item} == {"get"}


def test_status_says_everything_the_contract_promises(sample: Exposure) -> None:
    sample.up()
    status = sample.status()
    assert status["phase"] == "online"
    assert status["public_url"] == sample.url
    assert status["backend"] | {"id": None} == {"kind": "command", "healthy": True, "id": None, "restarts": 0}
    assert status["gateway"]["listen"].startswith("127.0.0.1:")
    assert status["tunnel"]["provider"] == "local"
    assert [(key["label"], key["state"]) for key in status["keys"]] == [("default", "active")]
    assert (status["schema"]["operations"], status["schema"]["published"]) == (3, 2)
    assert status["checks"]["public_reachable"] is True
    assert status["checks"]["refuses_without_key"] is True
    assert sample.run("url").stdout.strip() == sample.url


def test_down_leaves_nothing_behind(sample: Exposure) -> None:
    sample.up()
    pids = processes_of(sample)
    assert len(pids) >= 3
    done = sample.run("down")
    assert done.returncode == 0, done.stderr
    assert [pid for pid in pids if started_at(pid)] == []
    assert get(sample.url).status == 0
    assert not (sample.runtime / sample.name).exists()
    assert sample.phase() == "offline"
    assert sample.run("url").returncode == 5


def test_down_lets_a_running_call_end(make_exposure) -> None:
    port = free_port()
    exposure: Exposure = make_exposure(
        sample_config(port).replace("scripts/sample_backend.py", "tests/support/slow.py")
    )
    exposure.up()
    answers = []
    caller = threading.Thread(target=lambda: answers.append(exposure.get("/slow").status))
    caller.start()
    eventually(lambda: "asked" in exposure.run("logs", "backend").stdout)
    exposure.run("down")
    caller.join()
    assert answers == [200]


def test_the_key_is_shown_once_and_still_valid_after_a_new_start(sample: Exposure) -> None:
    sample.up()
    sample.run("down")
    again = sample.up()
    assert again["first_key"] is None
    assert sample.get("/api/notes").status == 200


def test_folders_and_files_are_private(sample: Exposure) -> None:
    sample.up()
    for root in (sample.state / sample.name, sample.runtime / sample.name):
        assert stat.S_IMODE(root.stat().st_mode) == 0o700
        for path in root.rglob("*"):
            with suppress(FileNotFoundError):  # written anew just then
                if path.is_symlink() or path.is_socket():
                    continue
                assert not stat.S_IMODE(path.stat().st_mode) & 0o007, path


def test_the_clear_key_is_in_no_file_and_no_argument_list(sample: Exposure) -> None:
    sample.up()
    sample.get("/api/notes")
    secret = sample.key.encode()
    for root in (sample.state, sample.runtime):
        for path in root.rglob("*"):
            with suppress(FileNotFoundError):
                assert not path.is_file() or secret not in path.read_bytes(), path
    for pid in processes_of(sample):
        for name in ("cmdline", "environ"):
            with open(f"/proc/{pid}/{name}", "rb") as file:
                assert secret not in file.read()


def test_a_second_up_says_that_it_is_running(sample: Exposure) -> None:
    sample.up()
    again = sample.run("up", "-d")
    assert again.returncode == 0
    assert "running already" in again.stdout
    foreground = sample.run("up")
    assert foreground.returncode == 1
    assert "running already" in foreground.stderr


def test_up_in_the_foreground_shows_its_steps_and_ends_cleanly_on_ctrl_c(sample: Exposure) -> None:
    process = sample.begin("up")
    sample.wait_for("online")
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 0, text
    for part in (
        "backend: up",
        "gateway: up",
        "tunnel: up",
        "is online after",
        "curl -H",
        "exposer panic",
        "is offline",
    ):
        assert part in text
    assert sample.phase() == "offline"


@contextmanager
def nobody_starts_it_anew(exposure: Exposure) -> Iterator[None]:
    """The guard, which would, stands still meanwhile."""
    (guard,) = eventually(lambda: exposure.guards(leash=False))
    os.kill(guard, signal.SIGSTOP)
    yield
    os.kill(guard, signal.SIGCONT)


def test_a_killed_supervisor_is_replaced_without_a_lost_request(sample: Exposure) -> None:
    sample.up()
    before = {entry["role"]: entry.get("pid") for entry in sample.ledger()}
    statuses: list[int] = []
    going = threading.Event()

    def call() -> None:
        while not going.is_set():
            statuses.append(sample.get("/api/notes").status)

    caller = threading.Thread(target=call)
    caller.start()
    with nobody_starts_it_anew(sample):
        os.kill(before["supervisor"], signal.SIGKILL)
        eventually(lambda: started_at(before["supervisor"]) is None)
        degraded = sample.status()
        assert degraded["phase"] == "degraded"
    sample.up()
    going.set()
    caller.join()
    after = {entry["role"]: entry.get("pid") for entry in sample.ledger()}
    assert sample.status()["public_url"] == sample.url
    assert {role: pid for role, pid in after.items() if role != "supervisor"} == {
        role: pid for role, pid in before.items() if role != "supervisor"
    }
    assert len(statuses) > 3
    assert set(statuses) == {200}


def test_a_key_rotated_while_there_is_no_supervisor_is_in_force_after_the_next_start(sample: Exposure) -> None:
    sample.up()
    gateway, old = sample.pid("gateway"), sample.key
    with nobody_starts_it_anew(sample):
        sample.kill("supervisor")
        eventually(lambda: sample.status()["phase"] == "degraded")
        new = sample.run("rotate-key", "--now").stdout.strip()
        assert sample.get("/api/notes", key=old).status == 401
    sample.up()
    eventually(lambda: sample.get("/api/notes", key=new).status == 200)
    assert sample.get("/api/notes", key=old).status == 401
    assert sample.pid("gateway") == gateway


def test_down_ends_what_a_dead_supervisor_left_behind(sample: Exposure) -> None:
    sample.up()
    pids = processes_of(sample)
    with nobody_starts_it_anew(sample):
        sample.kill("supervisor")
        eventually(lambda: sample.status()["phase"] == "degraded")
        assert "supervisor is not running" in sample.status()["trouble"]
    assert sample.run("down").returncode == 0
    assert [pid for pid in pids if started_at(pid)] == []
    assert get(sample.url).status == 0


def test_a_hung_supervisor_does_not_keep_down_from_its_work(sample: Exposure) -> None:
    sample.up()
    pids = processes_of(sample)
    sample.kill("supervisor", signal.SIGSTOP)
    assert sample.run("down").returncode == 0
    assert [pid for pid in pids if started_at(pid)] == []


def test_each_killed_part_comes_back(sample: Exposure) -> None:
    sample.up()
    for role in ("backend", "gateway"):
        pid = sample.pid(role)
        os.killpg(pid, signal.SIGKILL)
        eventually(lambda role=role, pid=pid: sample.pid(role) not in (0, pid), within=20)
        eventually(lambda: sample.get("/api/notes").status == 200, within=20)
    eventually(lambda: sample.status()["backend"]["restarts"] == 1)


def test_a_rotated_key_takes_over_and_the_old_one_ends_after_its_grace(sample: Exposure) -> None:
    sample.up()
    old = sample.key
    done = sample.run("rotate-key", "--grace", "3s")
    assert done.returncode == 0, done.stderr
    new = done.stdout.strip()
    assert sample.get("/api/notes", key=old).status == 200
    began = time.monotonic()
    assert sample.get("/api/notes", key=new).status == 200
    assert sample.get("/api/notes", key=old).status == 200 or time.monotonic() - began > 3
    eventually(lambda: sample.get("/api/notes", key=old).status == 401)
    assert sample.get("/api/notes", key=new).status == 200
    states = {key["state"] for key in json.loads(sample.run("keys", "list", "--json").stdout)["keys"]}
    assert states == {"active", "revoked"}


def test_rotate_now_ends_the_old_key_before_it_returns(sample: Exposure) -> None:
    sample.up()
    new = sample.run("rotate-key", "default", "--now").stdout.strip()
    assert sample.get("/api/notes").status == 401
    assert sample.get("/api/notes", key=new).status == 200


def test_panic_cuts_everything_and_up_refuses_until_unlock(sample: Exposure) -> None:
    sample.up()
    pids = processes_of(sample)
    panic = sample.run("panic", "--reason", "a test", "--json")
    assert panic.returncode == 0, panic.stderr
    said = json.loads(panic.stdout)
    assert said["exposures"][0]["locked"] is True
    assert get(sample.url).status == 0
    eventually(lambda: [pid for pid in pids if started_at(pid)] == [])
    assert sample.phase() == "panicked"
    refused = sample.run("up", "-d")
    assert refused.returncode == 6
    assert "exposer unlock" in refused.stderr
    assert sample.run("unlock").returncode == 2
    assert sample.run("unlock", "--yes", "something-else").returncode == 2
    assert sample.run("up", "-d").returncode == 6
    unlocked = sample.run("unlock", "--yes", sample.name)
    assert unlocked.returncode == 0, unlocked.stderr
    assert "a test" in unlocked.stderr
    old = sample.key
    sample.up()
    assert sample.get("/api/notes", key=old).status == 401
    assert sample.get("/api/notes").status == 200


def test_panic_works_with_a_stopped_supervisor_and_a_broken_config(sample: Exposure) -> None:
    sample.up()
    supervisor = sample.pid("supervisor")
    os.kill(supervisor, signal.SIGSTOP)
    sample.file.write_text("this is not TOML [")
    panic = sample.run("panic")
    assert panic.returncode == 0, panic.stderr
    assert get(sample.url).status == 0
    eventually(lambda: started_at(supervisor) is None)
    sample.write(sample_config(free_port()))


def test_removing_the_lock_by_hand_does_not_bring_old_keys_back(sample: Exposure) -> None:
    sample.up()
    old = sample.key
    sample.run("panic")
    (sample.state / sample.name / "PANIC").unlink()
    sample.up()
    assert sample.get("/api/notes", key=old).status == 401


def test_a_change_of_the_config_is_taken_over_without_a_lost_request(make_exposure) -> None:
    port = free_port()
    exposure: Exposure = make_exposure(sample_config(port))
    exposure.up()
    statuses: list[int] = []
    going = threading.Event()

    def call() -> None:
        while not going.is_set():
            statuses.append(exposure.get("/api/notes").status)

    caller = threading.Thread(target=call)
    caller.start()
    exposure.write(sample_config(port, '[schema]\nexclude = ["GET /api/notes/*"]\n'))
    eventually(lambda: exposure.get("/api/notes/1").status == 404, within=10)
    exposure.write(sample_config(port))
    eventually(lambda: exposure.get("/api/notes/1").status == 200, within=10)
    going.set()
    caller.join()
    assert set(statuses) == {200}


def test_a_broken_config_is_reported_and_the_last_good_one_stays(sample: Exposure) -> None:
    sample.up()
    good = sample.file.read_text()
    sample.file.write_text(good.replace('provider = "local"', 'provider = "cloudflare"'))
    eventually(lambda: sample.status().get("config_error"), within=10)
    assert "did you mean 'cloudflared'" in sample.status()["config_error"]
    assert sample.get("/api/notes").status == 200
    sample.file.write_text(good)
    eventually(lambda: not sample.status().get("config_error"), within=10)


def test_a_template_of_ones_own_is_laid_over_and_a_broken_one_is_refused(make_exposure) -> None:
    port = free_port()
    exposure: Exposure = make_exposure(sample_config(port, '[gateway]\ntemplates = "./templates"\n'))
    overlay = exposure.folder / "templates" / "nginx"
    overlay.mkdir(parents=True)
    exposure.up()
    name = "nginx.conf.j2"
    text = (templates_dir() / "nginx" / name).read_text()
    (overlay / name).write_text(text.replace("keepalive_requests 100000;", "keepalive_requests 7;"))
    conf = exposure.runtime / exposure.name / "gateway" / "nginx.conf"
    eventually(lambda: "keepalive_requests 7;" in conf.read_text(), within=10)
    (overlay / name).write_text(text + "\nthis is no nginx config")
    eventually(lambda: exposure.status()["gateway"].get("error"), within=10)
    assert "keepalive_requests 7;" in conf.read_text()
    assert exposure.get("/api/notes").status == 200


def test_a_change_of_the_document_is_taken_over(make_exposure) -> None:
    document = {
        "openapi": "3.0.3",
        "info": {"title": "t", "version": "1"},
        "paths": {"/api/notes": {"get": {"responses": {"200": {"description": "ok"}}}}},
    }
    port = free_port()
    exposure: Exposure = make_exposure(sample_config(port).replace('"/openapi.json"', '"doc.json"'))
    (exposure.folder / "doc.json").write_text(json.dumps(document))
    exposure.up()
    assert exposure.get("/api/notes").status == 200
    assert exposure.get("/api/notes/1").status == 404
    document["paths"]["/api/notes/{id}"] = document["paths"]["/api/notes"] | {
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    }
    (exposure.folder / "doc.json").write_text(json.dumps(document))
    eventually(lambda: exposure.get("/api/notes/1").status == 200, within=10)
    (exposure.folder / "doc.json").write_text("<html>not a document</html>")
    eventually(lambda: exposure.status()["schema"]["stale"], within=10)
    assert exposure.get("/api/notes/1").status == 200


@pytest.mark.parametrize("words", [("--help",), ("up", "--help"), ("keys", "list", "--help"), ("panic", "--help")])
def test_help_is_there_without_any_config(words: tuple[str, ...], tmp_path) -> None:
    import sys

    done = subprocess.run([sys.executable, "-m", "exposer", *words], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0
    assert "Usage: exposer" in done.stdout
