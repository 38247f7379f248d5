"""What passes data is cut in a certain order, whatever goes wrong on the way."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from exposer import procs
from exposer.panic import sockets
from exposer.panic.datapath import DataPath
from exposer.procs import Entry


def broken_after(calls: int) -> Callable[[int], list[int]]:
    """`find.family`, where the call after so many is a surprise."""
    counted = [0]

    def family(pid: int) -> list[int]:
        counted[0] += 1
        if counted[0] == calls + 1:
            raise RuntimeError("a surprise")
        return [pid]

    return family


def test_what_leads_out_of_the_machine_is_cut_before_all_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, object]] = []
    path = DataPath(lambda step, **data: said.append((step, data.get("role"))), [], [])
    entries, looked_at = [], []
    look = sockets.of_processes

    def looking(pids: list[int]) -> set[int]:
        looked_at.append((pids[0], len(said)))
        return look(pids)

    monkeypatch.setattr(sockets, "of_processes", looking)
    try:
        for role in ("supervisor", "gateway", "standby", "tunnel"):  # not the order in which they have to go
            process = procs.spawn(["sleep", "60"], log=str(tmp_path / role), record=lambda identity: None)
            entries.append(Entry(role, process))
        path.cut(entries)
    finally:
        for entry in entries:
            assert entry.process is not None
            procs.stop(entry.process, ((signal.SIGKILL, 5.0),))
    stopped = [role for step, role in said if step == "signalled"]
    assert stopped == ["standby", "tunnel", "gateway", "supervisor", "standby", "tunnel"], "the last two are killed"
    of = {entry.role: entry.process.pid for entry in entries if entry.process is not None}
    assert looked_at == [(of["standby"], 2), (of["gateway"], 4)], "the tunnels' connections go before the gateway stops"
    assert [step for step, _ in said].count("connections destroyed") == 1


def test_a_surprise_with_the_tunnels_connections_keeps_nothing_from_being_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble: list[str] = []
    path = DataPath(lambda step, **data: None, trouble, [])
    monkeypatch.setattr("exposer.panic.find.family", broken_after(1))
    entries = [Entry(r, procs.spawn(["sleep", "60"], log=str(tmp_path / r), record=print)) for r in ("tunnel", "link")]
    try:
        path.cut(entries)
        for entry in entries:
            assert entry.process is not None
            assert procs.wait_until(lambda one=entry.process: not one.alive(), 10), f"the {entry.role} goes on"  # type: ignore[misc]
    finally:
        for entry in entries:
            assert entry.process is not None
            procs.stop(entry.process, ((signal.SIGKILL, 5.0),))
    assert trouble == ["connections could not be destroyed, what waits in them may still leave: a surprise"]
    assert not path.destroyed
