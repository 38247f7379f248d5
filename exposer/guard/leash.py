"""The leash: a copy of the guard that holds what the guard holds, should that be stopped or gone.

It watches the lease on its own, a little more patiently than the guard: with supervisor and guard both stopped it
cuts. When the guard is gone it cuts as soon as the supervisor is gone as well. And what passes data is tethered to it:
when it is killed together with the others, the kernel kills tunnel and gateway with it. It is killed by a deadline that
the kernel keeps when it should be stopped together with them.
"""

import json
import os
import signal

from exposer import files
from exposer.files import FileLock, Places
from exposer.guard.changes import Changes
from exposer.guard.cut import cut
from exposer.guard.deadline import Deadline
from exposer.guard.lease import Lease, Terms, now, running_supervisor
from exposer.guard.tether import Tethers
from exposer.guard.verdict import Verdict, decide
from exposer.guard.waiting import wait
from exposer.panic.datapath import CUT_FIRST
from exposer.procs import Ledger, ProcessId

LOOK, LOOK_ALONE = 0.5, 0.25
LATER = 5.0  # and how much longer than that it may stand still
CUTTING = 60.0  # how long its own cut may take at the most
LATE = 5.0  # how much longer than the guard it waits for a lease: a cut under way must come to its end


def fork_leash(places: Places, guard: ProcessId) -> ProcessId | None:
    """Starts the leash of this guard; the guard has one thread only, so a copy of it is whole."""
    pid = os.fork()
    if pid:
        return ProcessId.of(pid)
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        code = Leash(places, guard).hold()
    finally:
        os._exit(code)


class Leash:
    """One guard's. However it ends, but for another leash in its place, what is tethered to it ends too."""

    def __init__(self, places: Places, guard: ProcessId) -> None:
        self._places = places
        self._guard = guard
        self._lease = Lease(places)
        self._terms: Terms | None = None
        self._ledger = Ledger(places.ledger)
        self._seen: tuple[int, ...] = ()
        self._tethers = Tethers()
        self._deadline = Deadline()
        self._changes = Changes(places.ledger)

    def hold(self) -> int:
        """Until another guard has a leash of its own, or there is nothing left to hold: what runs on with its folder
        gone has a lease that nobody can renew."""
        while os.path.isdir(self._places.runtime) or self._tethers.any():
            self._terms = self._lease.terms() or self._terms
            self._changes.begin()
            self._tether()
            alive = self._guard.alive()
            if not alive and self._relieved():
                break
            self._put_off()
            verdict = self._overdue() if alive else self._alone()
            if verdict is not None:
                self._deadline.put(CUTTING)
                cut(self._places.name, lock=False, reason=verdict.reason)
                return 0
            wait([self._guard], LOOK if alive else LOOK_ALONE, self._changes.fd)
        self._tethers.let_go()
        return 0

    def _tether(self) -> None:
        """Whatever passes data, as soon as it is on record."""
        try:
            info = os.stat(self._places.ledger)
        except OSError:
            return
        seen = (info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
        if seen == self._seen:
            return
        try:
            entries = self._ledger.read()
        except OSError:
            return
        self._tethers.hold(e.process for e in entries if e.role in CUT_FIRST and e.process is not None)
        self._seen = seen

    def _put_off(self) -> None:
        """As long as the lease is renewed and this runs, the deadline never comes."""
        if self._terms is not None:
            left = self._lease.renewed() + self._terms.lease + LATE + LATER - now()
            self._deadline.put(max(LATER, left))

    def _overdue(self) -> Verdict | None:
        """Long over, though there is a guard: it must be stopped, as the supervisor is."""
        terms = self._terms
        if terms is None or now() - self._lease.renewed() <= terms.lease + LATE:
            return None
        return Verdict(f"supervisor and guard were silent for longer than the lease of {terms.lease:g} s")

    def _alone(self) -> Verdict | None:
        """There is no guard: what it would decide, and that there is no supervisor."""
        terms = self._terms
        verdict = decide(terms, self._lease.renewed(), locked=False)
        if verdict is None and running_supervisor(self._places, terms) is None and not _somebody_at_it(self._places):
            return Verdict("supervisor and guard were both gone")
        return verdict

    def _relieved(self) -> bool:
        """Whether a new guard is there that has a leash."""
        try:
            said = json.loads(files.read_private(self._lease.ready, 4096))
            leash, guard = int(said["leash"]), int(said["guard"])
        except (OSError, ValueError, KeyError, TypeError):
            return False
        if guard == self._guard.pid or leash == os.getpid() or ProcessId.of(leash) is None:
            return False
        for entry in reversed(self._ledger.entries()):
            if entry.role == "guard" and entry.process is not None and not entry.detail.get("leash"):
                return entry.process.pid == guard and entry.process.alive()
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
