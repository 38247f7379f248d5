"""The kill switch run by somebody else, on another boot, and with nobody outside to ask."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from exposer.procs import Entry, ProcessId
from tests.contract.test_panic import ALL, Exposure, exposed, nowhere, public, report_of, somewhere
from tests.support.eventually import eventually
from tests.support.families import family
from tests.support.somebody import panic_as_nobody

__all__ = ["nowhere"]


@pytest.fixture
def exposure(tmp_path: Path) -> Iterator[Exposure]:
    with exposed(tmp_path) as made:
        yield made


@pytest.fixture
def visible(monkeypatch: pytest.MonkeyPatch) -> Iterator[Exposure]:
    """One whose folders stand where others can see that they are there."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        monkeypatch.setenv("EXPOSER_STATE_DIR", str(root / "state"))
        monkeypatch.setenv("EXPOSER_RUNTIME_DIR", str(root / "run"))
        monkeypatch.setenv("DOCKER_HOST", f"unix://{root}/docker.sock")
        with exposed(root) as made:
            yield made


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@needs_root
@pytest.mark.parametrize("options", [(), ("--name", "one")])
def test_somebody_else_is_told_that_nothing_could_be_cut(visible: Exposure, options: tuple[str, ...]) -> None:
    for place in ("state", "run"):
        (visible.root / place).chmod(0o755)
    done = panic_as_nobody(*options)
    assert done.returncode == 8
    assert "NOT offline, NOT locked" in done.stdout
    assert "ledger is another user's; run this as that user, or as root" in done.stderr
    assert "the lock could not be kept: Permission denied" in done.stderr
    assert all(visible.alive(role) for role in ALL)


@needs_root
def test_somebody_else_who_sees_nothing_is_not_told_that_there_is_nothing(visible: Exposure) -> None:
    done = panic_as_nobody()
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"{visible.root}/run may not be looked into" in done.stderr
    assert "as the user who has started it, or as root" in done.stderr
    said = panic_as_nobody("--json")
    assert (said.returncode, json.loads(said.stderr)["error"]["code"]) == (1, "failed")


@needs_root
def test_somebody_else_cannot_end_what_he_can_read_of_and_that_is_said(visible: Exposure) -> None:
    for place in (visible.root / "run", Path(visible.places.runtime), visible.root / "state"):
        place.chmod(0o755)
    Path(visible.places.ledger).chmod(0o644)
    done = panic_as_nobody()
    assert done.returncode == 8
    pid = visible.families["tunnel"][0].pid
    assert f"tunnel (pid {pid}): Operation not permitted" in done.stderr
    assert f"tunnel (pid {pid}) still runs" in done.stderr
    assert all(visible.alive(role) for role in ALL)


def panic_where(mounted: str) -> subprocess.CompletedProcess[str]:
    """A panic in a world of mounts of its own, made by that command."""
    argv = ["unshare", "--mount", "sh", "-c", f'{mounted} && exec "$@"', "sh", sys.executable, "-m", "exposer.panic"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    if "unshare failed" in done.stderr or "mount:" in done.stderr:
        pytest.skip("no mounts of our own here")
    return done


@needs_root
def test_after_a_boot_what_bears_an_old_pid_is_somebody_else(exposure: Exposure) -> None:
    fake = exposure.root / "boot_id"
    fake.write_text("11111111-2222-3333-4444-555555555555\n")
    with family(1) as (leader, members):
        exposure.ledger.append(Entry("tunnel", leader))
        done = panic_where(f"mount --bind {fake} /proc/sys/kernel/random/boot_id")
        assert done.returncode == 0, done.stderr
        assert exposure.places.locked()
        assert all(process.alive() for process in (leader, *members))
        assert all(exposure.alive(role) for role in ALL)
    assert exposure.panic().returncode == 0
    eventually(lambda: exposure.dead(*ALL))


@needs_root
def test_where_no_process_can_be_seen_nothing_is_called_offline(exposure: Exposure) -> None:
    done = panic_where("mount -t tmpfs none /proc")
    assert done.returncode == 8
    assert "NOT offline" in done.stdout
    assert "what runs cannot be seen here" in done.stderr
    assert exposure.places.locked()
    assert exposure.panic().returncode == 0
    eventually(lambda: exposure.dead(*ALL))


def test_without_a_public_address_there_is_no_outside_to_ask_and_that_is_said(exposure: Exposure) -> None:
    exposure.ledger.append(Entry("tunnel", detail={"url": "http://127.0.0.1:9"}))
    done = exposure.panic()
    assert done.returncode == 0
    assert "proof: nothing of it answers on this machine; there is no outside to ask" in done.stdout
    assert "no outside to ask" in report_of(exposure)["proof"]


def test_an_address_that_gives_no_answer_is_no_proof_by_itself(exposure: Exposure) -> None:
    exposure.ledger.append(Entry("tunnel", detail={"url": "https://nobody.invalid"}))
    done = exposure.panic()
    assert done.returncode == 0
    assert (
        "https://nobody.invalid gives no answer from here (gaierror), so ask it once more from elsewhere" in done.stdout
    )


def test_what_still_answers_is_no_proof(exposure: Exposure) -> None:
    with public(401, b"") as url:
        exposure.ledger.append(Entry("tunnel", detail={"url": url}))
        done = exposure.panic("--json")
    assert done.returncode == 8
    assert json.loads(done.stdout)["exposures"][0]["proof"] == ""


def test_a_process_of_another_boot_is_never_signalled_by_its_number(exposure: Exposure) -> None:
    with family(1) as (leader, members):
        exposure.ledger.append(Entry("gateway", ProcessId(leader.pid, leader.started, "another boot")))
        assert exposure.panic().returncode == 0
        assert all(process.alive() for process in (leader, *members))


NO_ADDRESSES = [
    "http://[::1",
    "http://127.0.0.1:99999",
    "http://x:abc",
    "https://",
    "http://\x00",
    "http://a b/",
    "\ud800",
]


@pytest.mark.parametrize("address", [*NO_ADDRESSES, "127.0.0.1:99999", ":8" + "0" * 25, "unix:\0", "unix:" + "x" * 500])
def test_an_address_that_is_none_keeps_none_of_the_others_from_being_asked(exposure: Exposure, address: str) -> None:
    with public(401, b"") as url:
        exposure.ledger.append(Entry("gateway", detail={"listen": address}))
        exposure.ledger.append(Entry("tunnel", detail={"url": address}))
        exposure.ledger.append(Entry("tunnel", detail={"url": url}))
        done = exposure.panic()
    assert done.returncode == 8
    assert f"{url} still answers" in done.stderr
    assert "verify:" not in done.stderr


def test_an_answer_without_an_end_does_not_keep_the_report_waiting(exposure: Exposure) -> None:
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=endless, args=(server, over))
        thread.start()
        exposure.ledger.append(Entry("tunnel", detail={"url": f"http://{somewhere(server)}"}))
        try:
            assert exposure.panic("--reason", "slow").returncode in (0, 8)
        finally:
            over.set()
            thread.join()
    assert report_of(exposure)["reason"] == "slow"


def endless(server: socket.socket, over: threading.Event) -> None:
    """Takes one call and says a letter of a header each half second, for longer than anybody should wait."""
    caller, _ = server.accept()
    with caller, suppress(OSError):
        caller.sendall(b"HTTP/1.1 200 OK\r\n")
        while not over.wait(0.5):
            caller.sendall(b"x")
