"""The ledger of a supervisor."""

from exposer.errors import LockedError
from exposer.files import Places
from exposer.procs import Entry, Ledger


class GuardedLedger(Ledger):
    """A ledger that takes no new line while a panic holds the lock, so nothing is started after the cut."""

    def __init__(self, places: Places) -> None:
        super().__init__(places.ledger)
        self._places = places

    def append(self, entry: Entry) -> None:
        super().append(entry)
        if self._places.locked():
            raise LockedError("a panic holds the lock; nothing is started", "lift it with: exposer unlock")
