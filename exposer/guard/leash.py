"""The leash: a copy of the guard that sleeps until the guard is gone, and cuts when the supervisor is gone as well."""

import os
import signal

from exposer.files import FileLock, Places
from exposer.guard.cut import cut
from exposer.guard.lease import Lease, running_supervisor
from exposer.guard.verdict import decide
from exposer.guard.waiting import wait
from exposer.procs import Ledger, ProcessId

SLEEP = 60.0  # its end wakes us; where the kernel cannot tell we look oftener
LOOK = 0.25


def fork_leash(places: Places, guard: ProcessId) -> ProcessId | None:
    """Starts the leash of this guard; the guard has one thread only, so a copy of it is whole."""
    pid = os.fork()
    if pid:
        return ProcessId.of(pid)
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        code = hold(places, guard)
    finally:
        os._exit(code)


def hold(places: Places, guard: ProcessId) -> int:
    """Until there is another guard, or nothing left to hold."""
    every = SLEEP if hasattr(os, "pidfd_open") else LOOK
    while guard.alive():
        wait([guard], every)
    lease = Lease(places)
    while os.path.isdir(places.runtime) and not _another(places, guard):
        terms = lease.terms()
        verdict = decide(terms, lease.renewed(), locked=False)
        if verdict is None and running_supervisor(places, terms) is None and not _somebody_at_it(places):
            cut(places.name, lock=False, reason="supervisor and guard were both gone")
            return 0
        if verdict is not None:
            cut(places.name, lock=False, reason=verdict.reason)
            return 0
        wait([], LOOK)
    return 0


def _another(places: Places, guard: ProcessId) -> bool:
    """Whether a new guard is there, with a leash of its own."""
    for entry in reversed(Ledger(places.ledger).entries()):
        if entry.role == "guard" and entry.process is not None and not entry.detail.get("leash"):
            return entry.process != guard and entry.process.alive()
    return False


def _somebody_at_it(places: Places) -> bool:
    """Whether an `up` or a `down` has the supervisor's lock just now: it is on its way to take over, or to sweep up."""
    lock = FileLock(os.path.join(places.state, "supervisor.lock"))
    try:
        return not lock.acquire(wait=False)
    except OSError:
        return False
    finally:
        lock.release()
