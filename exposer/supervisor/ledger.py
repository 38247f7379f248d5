"""The ledger of a supervisor."""

from exposer.errors import ExposerError, LockedError
from exposer.files import Places
from exposer.procs import Entry, Ledger


class GuardedLedger(Ledger):
    """A ledger that takes no new line while a panic holds the lock, so nothing is started after the cut; nor when it is
    `closed`, so nothing is after the last look at what there is to end."""

    def __init__(self, places: Places) -> None:
        super().__init__(places.ledger)
        self._places = places
        self.closed = False

    def append(self, entry: Entry) -> None:
        if self.closed:
            raise ExposerError("it is being taken offline; nothing is started")
        super().append(entry)
        if self._places.locked():
            raise LockedError("a panic holds the lock; nothing is started", "lift it with: exposer unlock")
