"""The supervisor as a background process of `up --detach`: a copy of this one, which has half of it loaded already."""

import gc
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from exposer import procs
from exposer.errors import ExposerError, LockedError
from exposer.files import FileLock, Places
from exposer.procs import Entry, Ledger, ProcessId
from exposer.procs.copies import Forked, fork


class Background:
    """Made ready at once, begun later: it loads what it needs while the one who waits for it still has to do.

    `argv` is the command line that it is.
    """

    def __init__(self, places: Places, argv: list[str]) -> None:
        self._places = places
        self._argv = argv
        self._log = os.path.join(places.logs, "supervisor.log")
        self._begins = 0
        self._copy: Forked | None = None
        with suppress(FileNotFoundError):
            self._begins = Path(self._log).stat().st_size

    def make_ready(self, contained: bool) -> None:
        """Before anything else runs in this process: a thread, or an open journal, would not survive the copying.
        For a backend in a container (`contained`) it loads first what starts it."""
        if not can_copy():
            return
        with suppress(FileNotFoundError):  # a `down --purge` takes the log's folder away just now
            self._copy = fork(self._be, log=self._log, prepare=lambda: prepare(contained), title="exposer-daemon")

    def begin(self, turn: FileLock) -> ProcessId:
        """On record before it does anything, so that `down` and `panic` find it from its first moment on. `turn`, the
        supervisor's lock, is held until then and let go for it."""

        def record(identity: ProcessId) -> None:
            Ledger(self._places.ledger).append(Entry("supervisor", identity))
            if self._places.locked():
                raise LockedError("a panic holds the lock; nothing is started", "lift it with: exposer unlock")
            turn.release()

        if not Path(self._log).exists():  # a `down --purge` came in between
            self.give_up()
            self._begins = 0
        elif self._copy is not None:
            return self._copy.begin(record)
        argv = [sys.executable, "-m", "exposer", *self._argv]
        return procs.spawn(argv, log=self._log, record=record, env=dict(os.environ))

    def give_up(self) -> None:
        """It is not needed; once it has begun this does nothing."""
        if self._copy is not None:
            self._copy.give_up()

    def why_not(self, child: ProcessId) -> ExposerError:
        """Why it did not come online."""
        if procs.exit_code(child.pid) in (130, -signal.SIGTERM):
            stopped = ExposerError(f"{self._places.name} was taken down before it was online")
            stopped.code, stopped.exit_code = "interrupted", 130
            return stopped
        if child.alive():
            return ExposerError("the supervisor neither came online nor gave up", "see: exposer logs supervisor")
        from exposer.cli import failure

        return failure.found(self._places, self._log, self._begins)

    def _be(self) -> int:
        from exposer.cli.root import main

        return main(self._argv)


def can_copy() -> bool:
    """Not on macOS: its own libraries break in a copied process, so a new one is started there."""
    return sys.platform != "darwin"


def prepare(containers: bool) -> None:
    """Loads what the supervisor needs for its first step."""
    gc.disable()
    if containers:
        import exposer.backends.early

        exposer.backends.warm_up()
    else:
        import exposer.cli.assemble
    gc.freeze()  # as in __main__: it is there to stay
    gc.enable()
