"""The first key of an exposure: made by the first `up`, shown once, taken back when the start fails."""

import time
from dataclasses import replace
from pathlib import Path

from exposer import files
from exposer.cli.ring import ring_store
from exposer.errors import ExposerError
from exposer.files import Places
from exposer.keys.model import Key, KeyState, Ring
from exposer.keys.ring import mint, revoke
from exposer.secret import Secret

LABEL = "default"
MARK = "first-key-unseen"


class FirstKey:
    """Makes a key labelled `default` when no key passes; `clear` is None when there was one already.

    A key that was made but never shown (the process died in between) is replaced: nobody has it. With `only_unseen`
    that is all that is done.
    """

    def __init__(self, places: Places, *, only_unseen: bool = False) -> None:
        self._store = ring_store(places)
        self._mark = Path(places.state, MARK)
        self.label = LABEL
        self.id = ""
        idle = only_unseen and not unseen(self._mark)
        try:
            self.clear: Secret | None = None if idle else self._store.change(self._mint)
        except BaseException:
            if self.id and not self._in_ring():
                self._mark.unlink(missing_ok=True)
            raise

    def shown(self) -> None:
        """A person has seen it."""
        self._mark.unlink(missing_ok=True)

    def take_back(self) -> None:
        """Forgets it: the start has failed, and nobody was given it. When that cannot be written the mark stays."""
        if self.clear is None or unseen(self._mark) != self.id:
            return
        try:
            self._store.change(lambda ring: (_without(ring, self.id), None))
        except (ExposerError, OSError):
            if not self._forget_ring():
                return
        self._mark.unlink(missing_ok=True)

    def _in_ring(self) -> bool:
        try:
            return any(key.id == self.id for key in self._store.read().keys)
        except ExposerError:
            return True

    def _forget_ring(self) -> bool:
        """On a full disk nothing can be written, but a ring that holds nothing else can go as a whole."""
        try:
            if [key.id for key in self._store.read().keys] != [self.id]:
                return False
            self._store.path.unlink()
        except (ExposerError, OSError):
            return False
        return True

    def _mint(self, ring: Ring) -> tuple[Ring, Secret | None]:
        now = time.time()
        before = _without(ring, unseen(self._mark))
        if before.passing(now):
            return before, None
        after, clear = mint(_without_waiting(before, now), LABEL, now)
        self.id = after.keys[-1].id
        files.swap(str(self._mark), self.id.encode())
        return after, clear


def unseen(mark: Path) -> str:
    """The id of a first key that was made and not shown; "" when there is none."""
    try:
        return files.read_private(str(mark), 64).decode(errors="replace")
    except OSError:
        return ""


def _without(ring: Ring, key_id: str) -> Ring:
    kept = tuple(key for key in ring.keys if key.id != key_id)
    return ring if len(kept) == len(ring.keys) else replace(ring, keys=kept, generation=ring.generation + 1)


def _without_waiting(ring: Ring, now: float) -> Ring:
    """Nothing passes: what is left of the label (expired, suspended) makes room for the new one."""
    left: tuple[Key, ...] = tuple(k for k in ring.keys if k.label == LABEL and k.state is not KeyState.REVOKED)
    return revoke(ring, LABEL, now)[0] if left else ring
