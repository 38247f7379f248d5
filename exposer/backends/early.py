"""A backend's start that is under way before the supervisor's loop turns: loading the rest of it takes as long."""

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYetError
from typing import TYPE_CHECKING

from exposer.errors import ExposerError
from exposer.procs import Entry
from exposer.state.model import BACKEND, Record, Tell

if TYPE_CHECKING:
    from exposer.backends import Part

TRIES, WAIT = 20, 0.5


class Early:
    """Begins at once, in a thread that keeps no process from ending. `record` must be that of the loop's own ledger."""

    def __init__(self, part: "Part", record: Record) -> None:
        self.digest = part.digest
        self._part = part
        self._taken = False
        self._lock = threading.Lock()
        self._said: list[str] = []
        self._tell: Tell | None = None
        self._work: Future[Entry] = Future()
        threading.Thread(target=self._run, args=(record,), name="early", daemon=True).start()

    def finish(self, tell: Tell) -> Entry:
        """What `start` returns or raises; what it says until then, and has said, goes to `tell`."""
        self._taken = True
        with self._lock:
            for text in self._said:
                tell(text)
            self._tell = tell
        return self._work.result()

    def undo(self) -> None:
        """Ends what nobody has come for; a start that is still under way then fails. Does nothing once it is taken."""
        if self._taken:
            return
        for _ in range(TRIES):
            if self._work.done() and self._work.exception() is not None:
                return
            try:
                self._part.stop(Entry(BACKEND, None, {}, self.digest))
                self._work.exception(WAIT)
                self._part.stop(Entry(BACKEND, None, {}, self.digest))
                return
            except (NotYetError, ExposerError, OSError):
                continue

    def _run(self, record: Record) -> None:
        try:
            self._work.set_result(self._part.start(record, self._hear))
        except BaseException as error:
            self._work.set_exception(error)

    def _hear(self, text: str) -> None:
        with self._lock:
            if self._tell is None:
                self._said.append(text)
            else:
                self._tell(text)
