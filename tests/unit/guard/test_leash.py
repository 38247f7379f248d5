"""The leash ties what passes data to itself as soon as that is on record."""

import errno
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from exposer.files import Places
from exposer.guard import Guard, leash
from exposer.guard.lease import Lease, Terms
from exposer.guard.tether import KNOWN
from exposer.procs import Entry, Ledger, ProcessId
from tests.support.eventually import eventually
from tests.support.families import family

pytestmark = pytest.mark.skipif(not KNOWN, reason="this kernel has no such signals")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    for name in ("STATE", "RUNTIME"):
        monkeypatch.setenv(f"EXPOSER_{name}_DIR", str(tmp_path / name.lower()))
    monkeypatch.setattr(leash, "LOOK", 3600.0)  # whatever it sees, it has been told of
    found = Places("one")
    for folder in (found.state, found.runtime):
        Path(folder).mkdir(mode=0o700, parents=True)
    Ledger(found.ledger).append(Entry("supervisor", ProcessId.of(os.getpid())))
    return found


@contextmanager
def held(places: Places) -> Iterator[int]:
    """A leash that runs."""
    guard = ProcessId.of(os.getpid())
    assert guard is not None
    process = leash.fork_leash(places, guard)
    assert process is not None
    try:
        yield process.pid
    finally:
        os.kill(process.pid, signal.SIGKILL)
        os.waitpid(process.pid, 0)


def tied(pid: int) -> int:
    """How many it holds: each has a pipe of its own, with both ends in there."""
    ends: list[str] = []
    for entry in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):  # closed meanwhile
            ends.append(os.readlink(f"/proc/{pid}/fd/{entry}"))
    return sum(ends.count(name) == 2 for name in set(ends) if name.startswith("pipe:"))


def test_a_guard_that_gets_no_process_for_its_leash_tries_again(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> int:
        raise BlockingIOError(errno.EAGAIN, "no more processes")

    me = ProcessId.of(os.getpid())
    assert me is not None
    Lease(places).renew()
    Lease(places).set_terms(Terms(me, 90.0))
    guard = Guard(places.name)
    guard.terms = guard.lease.terms()
    with monkeypatch.context() as short:
        short.setattr(os, "fork", none)
        guard._keep_leash()
    assert not Path(guard.lease.ready).exists()
    guard._keep_leash()
    assert guard.leash is not None
    guard.leash.signal(signal.SIGKILL)
    os.waitpid(guard.leash.pid, 0)


def test_a_part_is_tied_when_it_goes_on_record_and_ends_with_the_leash(places: Places) -> None:
    ledger = Ledger(places.ledger)
    with family(2) as (tunnel, members), family(1) as (gateway, workers), family(1) as (stranger, _):
        with held(places) as pid:
            before = tied(pid)
            ledger.append(Entry("tunnel", tunnel))
            eventually(lambda: tied(pid) == before + 1)
            ledger.keep(lambda entry: entry.role != "supervisor")  # another file in its place
            ledger.append(Entry("gateway", gateway))
            eventually(lambda: tied(pid) == before + 2)
        eventually(lambda: not any(process.alive() for process in (tunnel, gateway, *members, *workers)))
        assert stranger.alive()
