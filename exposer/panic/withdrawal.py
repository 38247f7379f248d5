"""The keys withdrawn: at the gateway at once, in the ring for good."""

import os

from exposer import files
from exposer.panic.bounded import DISK_SECONDS, LOCK_SECONDS, Attempt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PASSING = ("live", "draining")
DOORS = ("gateway.sock", "standby.sock", "detour.sock")


class Withdrawal:
    """That of one exposure. `step` notes what was done, `trouble` takes sentences about what was not."""

    def __init__(self, places: files.Places, step: "Callable[..., None]", trouble: list[str]) -> None:
        self._places = places
        self._step = step
        self._trouble = trouble
        self._shutting: Attempt | None = None

    def begin(self) -> None:
        """Has no key pass at the gateway any more, and does not wait for a disk that hangs."""
        self._shutting = Attempt(self._shut)
        self._shutting.over(LOCK_SECONDS)

    def is_done(self) -> bool:
        """Whether no key is valid any more for sure; what keeps it from that is said."""
        if self._shutting is None:
            return False
        if not self._shutting.over(DISK_SECONDS / 4):
            self._trouble.append("the keys' files are not yet withdrawn: the runtime folder's disk does not answer")
        elif isinstance(self._shutting.error, OSError):
            self._trouble.append(f"{self._shutting.error.filename}: {self._shutting.error.strerror}")
        return self._shutting.over(0) and self._shutting.error is None

    def put_ring_aside(self) -> None:
        """`unlock` revokes all that is in it."""
        ring = os.path.join(self._places.state, "keyring")
        moving = Attempt(lambda: os.rename(ring, f"{ring}.panicked"))
        if not moving.over(DISK_SECONDS):
            self._trouble.append("the keys are not yet put aside: the state folder's disk does not answer")
        elif isinstance(moving.error, OSError) and not isinstance(moving.error, FileNotFoundError):
            self._trouble.append(f"{ring}: {moving.error.strerror}")

    def _shut(self) -> None:
        """No gateway accepts a key without its file, and none is reached without its socket."""
        gateway, mark = os.path.join(self._places.runtime, "gateway"), os.urandom(4).hex()
        for name in PASSING:
            path = os.path.join(gateway, name)
            try:
                os.rename(path, f"{path}.off-{mark}")
            except (FileNotFoundError, NotADirectoryError):
                continue
        for name in DOORS:
            try:
                os.unlink(os.path.join(gateway, name))
            except OSError:
                continue
        self._step("keys withdrawn")
