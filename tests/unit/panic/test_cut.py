"""A surprise in one step of the cut keeps none of the others from being done."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from exposer import procs
from exposer.panic import sockets
from exposer.panic.cut import Cut
from exposer.panic.datapath import DataPath
from exposer.panic.options import Options
from exposer.procs import Entry


@pytest.fixture
def cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cut:
    monkeypatch.setenv("EXPOSER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("EXPOSER_RUNTIME_DIR", str(tmp_path / "run"))
    (tmp_path / "run" / "one" / "gateway" / "live").mkdir(parents=True)
    (tmp_path / "state" / "one").mkdir(parents=True)
    (tmp_path / "state" / "one" / "keyring").touch()
    return Cut("one", Options([]), 0.0)


def broken(*_: object) -> None:
    raise RuntimeError("a surprise")


def broken_after(calls: int) -> Callable[[int], list[int]]:
    """`find.family`, where the call after so many is a surprise."""
    counted = [0]

    def family(pid: int) -> list[int]:
        counted[0] += 1
        if counted[0] == calls + 1:
            raise RuntimeError("a surprise")
        return [pid]

    return family


def steps(cut: Cut) -> list[str]:
    return [str(step["step"]) for step in cut.steps]


@pytest.mark.parametrize("what", ["_step_aside", "_cut_late", "_cut_backends", "_end"])
def test_the_cut_goes_on(cut: Cut, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut, what, broken)
    cut.cut()
    assert "keys withdrawn" in steps(cut)
    assert not Path(cut.places.runtime, "gateway", "live").exists()
    assert any("a surprise" in said for said in cut.trouble)


def test_without_the_data_path_the_keys_go_all_the_same(cut: Cut, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut.path, "cut", broken)
    cut.cut()
    assert {"keys withdrawn", "backend cut"} <= set(steps(cut))


@pytest.mark.parametrize("what", ["_end_gateway", "_end_leash"])
def test_the_end_is_brought_to_an_end(cut: Cut, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut, what, broken)
    cut.lock()
    cut.cut()
    cut.finish()
    assert Path(cut.places.state, "keyring.panicked").exists(), "no key is in force after the panic"
    assert cut.locked


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
