"""The kill switch on whole exposures: what is in progress is cut and on record, and the way back is the right one."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from exposer.procs import started_at
from tests.support.eventually import eventually
from tests.support.exposure import EXPOSER, REPOSITORY, Exposure, get, removed, sample_config
from tests.support.ports import free_port

pytestmark = pytest.mark.nginx
Make = Callable[..., Exposure]


@pytest.fixture
def exposure(make_exposure: Make) -> Exposure:
    made = make_exposure(sample_config(free_port()))
    made.up()
    return made


def endless(make_exposure: Make) -> Exposure:
    """A backend whose one answer has no end."""
    text = sample_config(free_port(), '[schema]\nclient = "openapi"\ninclude = ["GET /download"]')
    program = REPOSITORY / "scripts" / "benchmarks" / "download.py"
    return make_exposure(text.replace(str(REPOSITORY / "scripts" / "sample_backend.py"), str(program)))


def incident(exposure: Exposure) -> dict:
    path = max((exposure.state / exposure.name / "incidents").glob("*.json"))
    return dict(json.loads(path.read_text()))


def events(exposure: Exposure) -> list[str]:
    journal = sqlite3.connect(exposure.state / exposure.name / "journal.db")
    try:
        return [kind for (kind,) in journal.execute("SELECT kind FROM events ORDER BY seq")]
    finally:
        journal.close()


def logged(exposure: Exposure) -> list[dict]:
    text = (exposure.runtime / exposure.name / "gateway" / "access.log").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_download_in_progress_is_cut_and_its_line_in_the_log_is_kept(make_exposure: Make, tmp_path: Path) -> None:
    exposure = endless(make_exposure)
    exposure.up()
    taken = tmp_path / "taken"
    argv = ["curl", "-s", "-o", str(taken), "-H", f"X-API-Key: {exposure.key}", f"{exposure.url}/download"]
    with subprocess.Popen(argv) as caller:
        eventually(lambda: taken.exists() and taken.stat().st_size > 3_000_000)
        done = exposure.run("panic", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        assert caller.wait(30) != 0
    (line,) = [line for line in logged(exposure) if line.get("operation") == "download"]
    assert line["bytes"] > 1_000_000
    said = incident(exposure)["left"]
    assert [(row["name"], row["calls"]) for row in said["operations"]] == [("download", 1)]
    assert said["bytes"] >= line["bytes"]
    assert said["keys"][0]["name"] in exposure.key
    assert said["addresses"][0]["name"] == "127.0.0.1"


def test_the_report_sums_up_what_left_also_what_only_the_log_has(exposure: Exposure) -> None:
    assert exposure.get("/api/notes").status == 200
    eventually(lambda: json.loads(exposure.run("audit", "--json").stdout)["requests"])  # and what the self-test asked
    for _ in range(2):
        assert exposure.get("/api/notes").status == 200
    assert exposure.get("/api/notes", key="").status == 401
    assert exposure.run("panic", "--reason", "a test").returncode == 0
    said = incident(exposure)
    assert said["left"]["calls"] == 3
    assert said["left"]["refused"] >= 1
    assert said["who"]["uid"] == os.getuid()
    (markdown,) = (exposure.state / exposure.name / "incidents").glob("*.md")
    text = markdown.read_text()
    assert "3 calls were answered" in text
    assert exposure.key not in text
    assert exposure.key not in json.dumps(said)


def test_a_journal_that_cannot_be_read_is_not_needed(exposure: Exposure) -> None:
    for path in (exposure.state / exposure.name).glob("journal.db*"):
        path.unlink()
    (exposure.state / exposure.name / "journal.db").write_bytes(b"no journal" * 1000)
    done = exposure.run("panic")
    assert done.returncode == 0, done.stderr
    assert incident(exposure)["left"]["unknown"]
    (exposure.state / exposure.name / "journal.db").unlink()


def test_old_keys_stay_refused_after_unlock_and_the_next_up(exposure: Exposure) -> None:
    old = exposure.key
    assert exposure.run("panic").returncode == 0
    assert exposure.run("up", "-d").returncode == 6
    done = exposure.run("unlock", "--yes", exposure.name)
    assert done.returncode == 0
    assert "## What was done" in done.stderr
    exposure.up()
    assert exposure.get("/api/notes", key=old).status in (401, 429)
    assert "lock-removed" not in events(exposure)


def test_a_lock_that_is_removed_by_hand_is_noticed_and_the_old_keys_stay_refused(exposure: Exposure) -> None:
    old = exposure.key
    assert exposure.run("panic").returncode == 0
    (exposure.state / exposure.name / "PANIC").unlink()
    exposure.up()
    assert events(exposure).count("lock-removed") == 1
    assert exposure.key != old
    assert exposure.get("/api/notes").status == 200
    assert exposure.get("/api/notes", key=old).status in (401, 429)
    assert exposure.run("down").returncode == 0
    exposure.up()
    assert events(exposure).count("lock-removed") == 1


def test_a_drill_cuts_for_real_and_comes_back_with_the_same_keys_and_address(exposure: Exposure) -> None:
    before = exposure.pid("gateway")
    done = exposure.run("panic", "--drill", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (said,) = json.loads(done.stdout)["exposures"]
    assert (said["kind"], said["locked"]) == ("drill", False)
    assert said["steps"][0]["step"] == "locked"
    assert said["steps"][-1]["step"] == "came back"
    assert said["steps"][-1]["url"] == exposure.url
    assert exposure.get("/api/notes").status == 200
    assert exposure.pid("gateway") != before
    assert "drilled" in events(exposure)
    assert "lock-removed" not in events(exposure)
    ignored = Path(f"/proc/{exposure.pid('backend')}/status").read_text().partition("SigIgn:")[2].split()[0]
    assert not int(ignored, 16) & 1 << signal.SIGTERM - 1
    assert incident(exposure)["left"]["calls"] <= 1  # the self-test's own by the public address, if not yet read


def test_a_drill_brings_back_the_environment_that_it_was_started_with(make_exposure: Make) -> None:
    text = sample_config(free_port()).replace("[tunnel]", 'env = { TOKEN = "env:ONLY_THERE" }\n[tunnel]')
    exposure = make_exposure(text)
    done = exposure.run("up", "-d", "--json", ONLY_THERE="a secret of the shell")
    assert done.returncode == 0, done.stderr
    assert exposure.run("panic", "--drill").returncode == 0
    assert exposure.phase() == "online"
    ledger = (exposure.runtime / exposure.name / "ledger").read_text()
    assert "a secret of the shell" not in ledger


def test_a_drill_that_does_not_come_back_stays_cut_and_locked(exposure: Exposure) -> None:
    exposure.write("nonsense = [")
    done = exposure.run("panic", "--drill")
    assert done.returncode == 1
    assert "did not come back" in done.stderr
    assert (exposure.state / exposure.name / "PANIC").exists()
    assert not (exposure.state / exposure.name / "keyring").exists()
    assert get(f"{exposure.url}/api/notes").status == 0


def test_there_is_no_drill_where_nothing_runs_or_a_lock_holds(exposure: Exposure) -> None:
    assert exposure.run("panic").returncode == 0
    done = exposure.run("panic", "--drill")
    assert done.returncode == 5
    assert "locked by a panic" in done.stderr
    assert exposure.run("unlock", "--yes", exposure.name).returncode == 0
    done = exposure.run("panic", "--drill")
    assert done.returncode == 5
    assert "does not run" in done.stderr
    assert not (exposure.state / exposure.name / "PANIC").exists()


@pytest.mark.parametrize("lost", [("runtime",), ("runtime", "state")], ids="-".join)
def test_an_exposure_whose_folders_are_gone_is_found(exposure: Exposure, lost: tuple[str, ...]) -> None:
    """As when a session ends and its runtime folder with it. From a folder without a config."""
    pids = [exposure.pid(role) for role in ("supervisor", "gateway", "backend")]
    for place in lost:
        removed(getattr(exposure, place))
    done = subprocess.run(
        [*EXPOSER, "panic"], env=exposure.env, cwd="/", capture_output=True, text=True, timeout=60, check=False
    )
    eventually(lambda: not any(started_at(pid) for pid in pids), within=20)
    assert get(f"{exposure.url}/api/notes").status == 0
    assert f"{exposure.name}: offline after" in done.stdout
    assert (exposure.state / exposure.name / "PANIC").exists()


def test_a_supervisor_in_a_terminal_is_found_though_its_ledger_is_gone(make_exposure: Make) -> None:
    exposure = make_exposure(sample_config(free_port()))
    with exposure.begin("up") as process:
        ended_without_its_ledger(exposure, process)


def ended_without_its_ledger(exposure: Exposure, process: "subprocess.Popen[str]") -> None:
    exposure.wait_for("online")
    listen = next(line["detail"]["listen"] for line in exposure.ledger() if line["detail"].get("listen"))
    (exposure.runtime / exposure.name / "ledger").unlink()
    done = exposure.run("panic")
    assert done.returncode == 0, done.stderr
    process.communicate(timeout=60)
    assert process.returncode == -9
    assert get(f"http://{listen}/").status == 0


def test_an_ordinary_user_is_told_how_much_may_still_leave(make_exposure: Make, tmp_path: Path) -> None:
    """A process without CAP_NET_ADMIN cuts all the same."""
    exposure = endless(make_exposure)
    exposure.up()
    address = urlsplit(exposure.url)
    request = f"GET /download HTTP/1.1\r\nHost: x\r\nX-API-Key: {exposure.key}\r\n\r\n"
    with socket.create_connection((address.hostname, address.port)) as caller:
        caller.sendall(request.encode())
        assert caller.recv(20).startswith(b"HTTP/1.1 200")
        without = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"]
        argv = [*(without if os.geteuid() == 0 else ()), sys.executable]
        done = subprocess.run(
            [*argv, "-m", "exposer.panic", "--json"], env=exposure.env, capture_output=True, text=True, timeout=60
        )
    said = json.loads(done.stdout)["exposures"][0]
    assert done.returncode == 0, done.stderr
    assert any("bytes that already waited" in line for line in said["notes"])
    assert get(f"{exposure.url}/").status == 0
