"""The supervisor's side of the guard: renews the lease, starts it anew when it has ended, waits until it holds."""

import json
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from exposer import __version__, files, procs
from exposer.errors import ExposerError
from exposer.files import Places
from exposer.guard.lease import Lease, Terms, now
from exposer.procs import Entry, Ledger, ProcessId
from exposer.supervisor.timebox import FOREVER, TimeBox

ROLE = "guard"
LOOK_EVERY = 1.0
PATIENCE = 20.0


class Guarding:
    """Keeps one guard running while the exposure is wanted. `argv` starts this supervisor anew ([] when it may not)."""

    def __init__(self, places: Places, ledger: Ledger, note: Callable[..., None], lease: float) -> None:
        self.lease_seconds = lease
        self.box: TimeBox = FOREVER
        self.argv: tuple[str, ...] = ()
        self._places, self._ledger, self._note = places, ledger, note
        self._lease = Lease(places)
        self._guard: ProcessId | None = None
        self._leash = 0
        self._next = 0.0
        self._trouble = ""
        self._recording = threading.Lock()  # the loop and the start of a tunnel may both find a new leash

    def begin(self) -> None:
        """The lease first, then the guard that holds it: one that runs already is taken over. Raises OSError."""
        self._lease.renew()
        self.tell_terms()
        known = [e for e in self._ledger.entries() if e.role == ROLE and e.process is not None and e.process.alive()]
        running = [e for e in known if not e.detail.get("leash")]
        self._leash = next((e.process.pid for e in known if e.process and e.detail.get("leash")), 0)
        for entry in running:
            if entry.detail.get("version") == __version__ and self._guard is None:
                self._guard = entry.process
        if self._guard is None:
            self._spawn()
        for entry in running:
            if entry.process is not None and entry.process != self._guard:
                entry.process.signal(15)  # of another version: the new one holds the lease from now on
        self._next = now() + LOOK_EVERY

    def tell_terms(self) -> None:
        """Writes down what the guard goes by. Raises OSError."""
        me = ProcessId.of(os.getpid())
        assert me is not None  # noqa: S101
        self._lease.set_terms(Terms(me, self.lease_seconds, self.box.ends, self.box.until, self.argv))

    def renew(self) -> None:
        """Once a cycle, from the loop itself: a supervisor that hangs is silent."""
        with suppress(OSError):  # then it is silent, and cut
            self._lease.renew()
        at = now()
        if at < self._next:
            return
        self._next = at + LOOK_EVERY
        self._put_leash_on_record()
        if self._guard is None or not self._guard.alive():
            self._again()

    def wait_until_held(self) -> None:
        """Blocks until a guard and its leash hold the lease; no tunnel opens before. Raises ExposerError."""
        if not procs.wait_until(lambda: bool(self._ready()), PATIENCE):
            raise ExposerError("the guard does not hold the lease", "see: exposer logs guard")
        self._put_leash_on_record()

    def close(self) -> None:
        self._lease.close()

    def _again(self) -> None:
        was = self._guard
        try:
            self._spawn()
        except (ExposerError, OSError) as error:
            if str(error) != self._trouble:
                self._note("guard", f"the guard could not be started: {error}")
            self._trouble = str(error)
            return
        self._trouble = ""
        if was is not None:
            self._note("guard", "the guard had ended; it was started anew")

    def _spawn(self) -> None:
        """On record before it begins. It starts the supervisor anew, so it has the supervisor's environment."""

        def record(identity: ProcessId) -> None:
            self._ledger.append(Entry(ROLE, identity, detail={"version": __version__}))

        argv = [sys.executable, "-m", "exposer.guard", self._places.name]
        log = os.path.join(self._places.logs, "guard.log")
        Path(self._lease.ready).unlink(missing_ok=True)
        self._guard = procs.spawn(argv, log=log, record=record, env=dict(os.environ))

    def _ready(self) -> int:
        """The leash's pid, once the guard has it; 0 before."""
        try:
            said = json.loads(files.read_private(self._lease.ready, 4096))
        except (OSError, ValueError):
            return 0
        return int(said.get("leash", 0)) if self._guard is not None and said.get("guard") == self._guard.pid else 0

    def _put_leash_on_record(self) -> None:
        with self._recording:
            pid = self._ready()
            identity = ProcessId.of(pid) if pid and pid != self._leash else None
            if identity is not None:
                with suppress(ExposerError, OSError):
                    self._ledger.append(Entry(ROLE, identity, detail={"leash": True}))
                    self._leash = pid
