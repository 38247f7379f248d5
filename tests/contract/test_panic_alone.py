"""The kill switch with the things broken that it usually looks at: disk, ledger, engine."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from exposer import procs
from exposer.files import Places
from exposer.panic import cut_now
from exposer.procs import Entry, Ledger, ProcessId
from tests.contract.test_panic import ALL, Exposure, exposed, nowhere, report_of, somewhere
from tests.support.eventually import eventually
from tests.support.families import family
from tests.support.hung import hung

__all__ = ["nowhere"]


@pytest.fixture
def exposure(tmp_path: Path) -> Iterator[Exposure]:
    with exposed(tmp_path) as made:
        yield made


def child(exposure: Exposure, log: str, *argv: str, cwd: str | None = None) -> ProcessId:
    """Something that exposer itself has started, and that nobody has put on record."""
    return procs.spawn(argv or ("sleep", "300"), log=log, record=lambda process: None, cwd=cwd)


# The disk


def test_a_state_folder_that_hangs_delays_nothing_and_is_said(exposure: Exposure) -> None:
    with hung(Path(exposure.places.state)):
        done = exposure.panic("--json")
        eventually(lambda: exposure.dead(*ALL))
    said = json.loads(done.stdout)
    assert done.returncode == 1
    assert said["exposures"][0]["locked"] is False
    assert any("does not answer" in line for line in said["exposures"][0]["trouble"])
    assert said["cut_ms"] < 30_000


def test_a_state_root_that_hangs_does_not_hide_what_runs(exposure: Exposure) -> None:
    with hung(exposure.root / "state"):
        assert exposure.panic().returncode == 1
        eventually(lambda: exposure.dead(*ALL))


def test_a_runtime_folder_that_hangs_hides_nothing_that_bears_our_mark(exposure: Exposure) -> None:
    tunnel = child(exposure, f"{exposure.places.runtime}/tunnel.log")
    with hung(Path(exposure.places.runtime)):
        assert exposure.panic("--name", exposure.name).returncode == 1
        eventually(lambda: not _alive(tunnel))
        assert exposure.places.locked()


def _alive(process: ProcessId) -> bool:
    procs.reap()
    return process.alive()


def test_with_no_disk_that_answers_it_is_said_that_nothing_is_known(exposure: Exposure) -> None:
    tunnel = child(exposure, f"{exposure.places.runtime}/tunnel.log")
    with hung(exposure.root / "state"), hung(exposure.root / "run"):
        done = exposure.panic()
        eventually(lambda: not _alive(tunnel))
        assert done.returncode == 1
        assert f"{exposure.root}/run does not answer, so it is not known what runs there" in done.stderr
        assert exposure.panic("--json").returncode == 1


def test_with_all_folders_gone_what_bears_our_mark_still_ends(tmp_path: Path) -> None:
    with exposed(tmp_path, "one", roles=()) as one, exposed(tmp_path, "two") as two:
        ours = [child(one, f"{one.places.runtime}/tunnel.log"), child(one, f"{one.places.state}/logs/backend.log")]
        for place in (one.places.runtime, one.places.state):
            shutil.rmtree(place)
        done = two.panic()
        assert (done.returncode, done.stderr) == (0, "")
        eventually(lambda: two.dead(*ALL) and not any(_alive(process) for process in ours))
        assert one.places.locked()


# The ledger


@pytest.mark.parametrize("ledger", ["gone", "torn", "empty"])
def test_without_a_ledger_our_own_are_known_by_their_mark(tmp_path: Path, ledger: str) -> None:
    with exposed(tmp_path, roles=()) as made, family(1) as (stranger, members):
        runtime, state = made.places.runtime, made.places.state
        ours = [child(made, f"{runtime}/tunnel.log"), child(made, f"{state}/logs/backend.log")]
        if ledger != "gone":
            Path(made.places.ledger).write_bytes(b'{"role": "tun' if ledger == "torn" else b"")
        done = made.panic()
        assert (done.returncode, done.stderr) == (0, "")
        eventually(lambda: not any(_alive(process) for process in ours))
        assert stranger.alive()
        assert all(member.alive() for member in members)


def test_without_a_ledger_a_backend_that_is_to_be_kept_is_known_too(tmp_path: Path) -> None:
    with exposed(tmp_path, roles=()) as made:
        backend = child(made, f"{made.places.state}/logs/backend.log")
        tunnel = child(made, f"{made.places.runtime}/tunnel.log")
        try:
            assert made.panic("--backend", "keep").returncode == 0
            eventually(lambda: not _alive(tunnel))
            assert _alive(backend)
        finally:
            procs.stop(backend)


def test_the_children_of_another_exposure_are_spared(tmp_path: Path) -> None:
    with exposed(tmp_path, "one", roles=()) as one, exposed(tmp_path, "two", roles=()) as two:
        other = child(two, f"{two.places.runtime}/tunnel.log")
        try:
            assert one.panic("--name", "one").returncode == 0
            assert _alive(other)
        finally:
            procs.stop(other)


def test_what_a_hook_has_left_in_the_background_is_the_users(tmp_path: Path) -> None:
    with exposed(tmp_path, roles=()) as made:
        own = child(made, f"{made.places.state}/logs/hooks.log")
        try:
            assert made.panic().returncode == 0
            assert _alive(own)
        finally:
            procs.stop(own)


@pytest.mark.parametrize("role", ["tunnel", "supervisor", "hooks"])
def test_a_line_that_is_wrong_about_a_process_does_not_hide_it(tmp_path: Path, role: str) -> None:
    with exposed(tmp_path, roles=()) as made:
        tunnel = child(made, f"{made.places.runtime}/tunnel.log")
        made.ledger.append(Entry(role, ProcessId(tunnel.pid, "1", tunnel.boot)))
        try:
            assert made.panic().returncode == 0
            eventually(lambda: not _alive(tunnel))
        finally:
            procs.stop(tunnel)


def test_a_ledger_of_ten_thousand_lines_is_read_to_its_end(exposure: Exposure) -> None:
    live = Path(exposure.places.ledger).read_bytes()
    gone = ProcessId(2**22 + 1, "1", procs.boot_id())
    lines = b"".join(Entry("tunnel", gone, detail={"n": n}).to_line() for n in range(10_000))
    Path(exposure.places.ledger).write_bytes(lines + live)
    assert exposure.panic().returncode == 0
    eventually(lambda: exposure.dead(*ALL))


def test_a_clock_that_runs_backwards_changes_nothing(exposure: Exposure) -> None:
    Path(exposure.places.lock).parent.joinpath("incidents").mkdir(mode=0o700)
    for place in (exposure.places.ledger, exposure.places.state):
        os.utime(place, (time.time() + 10**8,) * 2)
    assert exposure.panic().returncode == 0
    eventually(lambda: exposure.dead(*ALL))


@pytest.mark.parametrize("role", ["tunnel", "backend", "link", "doors"])
@pytest.mark.parametrize("marked", [True, False])
def test_what_a_part_has_started_in_a_session_of_its_own_ends_with_it(tmp_path: Path, role: str, marked: bool) -> None:
    with exposed(tmp_path, roles=()) as made:
        log = f"{made.places.state}/logs/{role}.log"
        script = "setsid sh -c 'sleep 300 & echo $! > child; wait' & wait"
        leader = child(made, log, *(() if marked else ("env", "-i")), "/bin/sh", "-c", script, cwd=str(tmp_path))
        eventually(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text().endswith("\n"))
        inner = ProcessId.of(int((tmp_path / "child").read_text()))
        assert inner is not None
        try:
            made.ledger.append(Entry(role, leader))
            assert made.panic().returncode == 0
            eventually(lambda: not _alive(leader) and not inner.alive())
        finally:
            procs.stop(leader)
            inner.signal(signal.SIGKILL)


def test_a_name_that_cannot_be_printed_hides_nothing_of_what_came_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as server, exposed(tmp_path, os.fsdecode(b"a\xffb")) as made:
        made.ledger.append(Entry("gateway", detail={"listen": somewhere(server)}))
        done = made.panic()
    assert done.returncode == 8
    assert "NOT offline" in done.stdout
    assert "still takes connections" in done.stderr


# Whom it spares


def test_a_port_that_was_ours_once_and_now_is_somebody_elses_keeps_its_connections(exposure: Exposure) -> None:
    gone = ProcessId(2**22 + 1, "1", procs.boot_id())
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as stack:
        exposure.ledger.append(Entry("gateway", gone, detail={"listen": somewhere(server)}))
        caller = stack.enter_context(socket.create_connection(server.getsockname()))
        callee = stack.enter_context(server.accept()[0])
        exposure.panic("--no-verify")
        eventually(lambda: exposure.dead(*ALL))
        caller.sendall(b"still")
        assert callee.recv(5) == b"still"


def test_somebody_elses_nginx_is_spared_though_our_folder_leads_to_his(exposure: Exposure) -> None:
    shutil.copy(shutil.which("sleep") or "", exposure.root / "nginx")
    folder = Path(exposure.places.runtime, "gateway")
    shutil.rmtree(folder)
    folder.symlink_to(exposure.root)
    with subprocess.Popen([exposure.root / "nginx", "300"], cwd=exposure.root) as other:
        try:
            eventually(lambda: Path(f"/proc/{other.pid}/comm").read_text() == "nginx\n")
            exposure.panic()
            eventually(lambda: exposure.dead(*ALL))
            assert other.poll() is None
        finally:
            other.kill()


# For a watch of our own


def test_a_cut_without_a_lock_leaves_the_keys_and_the_way_back(exposure: Exposure) -> None:
    report = cut_now(exposure.name, lock=False, reason="the lease is over")
    eventually(lambda: exposure.dead(*ALL))
    assert (report["trouble"], report["still_open"], report["locked"]) == ([], [], False)
    assert not exposure.places.locked()
    assert Path(exposure.places.state, "keyring").read_text() == "ring"
    assert not Path(exposure.places.runtime, "gateway", "live").exists()
    assert "the lease is over" in Path(report["report"]).read_text()


def test_a_cut_with_a_lock_is_a_panic(exposure: Exposure) -> None:
    report = cut_now(exposure.name, lock=True, reason="a decoy key was used")
    assert report["locked"]
    assert exposure.places.locked()
    assert report_of(exposure)["reason"] == "a decoy key was used"


GUARD = """
import os, sys
from exposer.panic import cut_now
sys.stdin.readline()
report = cut_now("one", lock=False, reason="idle")
print(report["trouble"], report["still_open"], flush=True)
"""


def test_the_guard_that_cuts_survives_its_own_cut(exposure: Exposure) -> None:
    argv = [sys.executable, "-c", GUARD]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, start_new_session=True, cwd=exposure.root) as guard:
        exposure.ledger.append(Entry("guard", ProcessId.of(guard.pid)))
        said, _ = guard.communicate(b"go\n", timeout=120)
        assert (guard.returncode, said) == (0, b"[] []\n")
    eventually(lambda: exposure.dead(*ALL))


def test_a_container_whose_process_is_dead_needs_no_engine(exposure: Exposure) -> None:
    with family(1) as (init, _):
        Ledger(Places(exposure.name).ledger).append(Entry("backend", init, ids={"container": "c" * 64}))
        done = exposure.panic()
        assert (done.returncode, done.stderr) == (0, "")
        eventually(lambda: not init.alive())


def test_stopped_by_hand_is_ended_all_the_same(exposure: Exposure) -> None:
    for role in ALL:
        exposure.families[role][0].signal_group(signal.SIGSTOP)
    assert exposure.panic().returncode == 0
    eventually(lambda: exposure.dead(*ALL))
