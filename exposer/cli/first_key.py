"""The first key of an exposure: made by the first `up`, shown once, taken back when the start fails."""

import time
from pathlib import Path

from exposer.files import Places
from exposer.keys.model import Key, KeyState, Ring
from exposer.keys.ring import mint, revoke, revoke_all
from exposer.keys.store import RingStore
from exposer.secret import Secret

LABEL = "default"
MARK = "first-key-unseen"


class FirstKey:
    """Makes a key labelled `default` when no key passes; `clear` is None when there was one already.

    A key that was made but never shown (the process died in between) is replaced: nobody has it.
    """

    def __init__(self, places: Places) -> None:
        self._store = RingStore(Path(places.state))
        self._mark = Path(places.state, MARK)
        self.label = LABEL
        self.clear: Secret | None = self._store.change(self._mint)

    def shown(self) -> None:
        """A person has seen it."""
        self._mark.unlink(missing_ok=True)

    def take_back(self) -> None:
        """Revokes it: the start has failed, and nobody was given it."""
        if self.clear is not None and self._mark.exists():
            self._store.change(lambda ring: (revoke(ring, LABEL, time.time())[0], None))
            self._mark.unlink(missing_ok=True)

    def _mint(self, ring: Ring) -> tuple[Ring, Secret | None]:
        now = time.time()
        passing = ring.passing(now)
        unseen = self._mark.exists() and all(key.label == LABEL for key in passing)
        if passing and not unseen:
            return ring, None
        self._mark.touch(mode=0o600)
        before = revoke_all(ring, now) if passing else _without_waiting(ring, now)
        return mint(before, LABEL, now)


def _without_waiting(ring: Ring, now: float) -> Ring:
    """Nothing passes: what is left of the label (expired, suspended) makes room for the new one."""
    left: tuple[Key, ...] = tuple(k for k in ring.keys if k.label == LABEL and k.state is not KeyState.REVOKED)
    return revoke(ring, LABEL, now)[0] if left else ring
