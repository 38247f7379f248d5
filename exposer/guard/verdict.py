"""Whether the exposure has to be cut now, and why. Pure but for the clocks that are its defaults."""

import time

from exposer.guard.lease import Terms, now

# A supervisor that is well takes it down by itself when the time box is over, letting calls end; so long it may take.
ORDERLY = 15.0
FRESH = 2.0


class Verdict:
    """Cut it, for this reason; with `lock` so that nothing starts again."""

    __slots__ = ("lock", "reason")

    def __init__(self, reason: str, *, lock: bool = False) -> None:
        self.reason = reason
        self.lock = lock


def decide(
    terms: Terms | None, renewed: float, locked: bool, at: float | None = None, wall: float | None = None
) -> Verdict | None:
    """What is to be done at this moment; None is nothing. `renewed` is when the lease was renewed last."""
    at = now() if at is None else at
    wall = time.time() if wall is None else wall
    if locked:
        return Verdict("the lock of a panic appeared", lock=True)
    if terms is None:
        return None
    silent = at - renewed
    if silent > terms.lease:
        return Verdict(f"the supervisor was silent for longer than its lease of {terms.lease:g} s")
    if silent < -1.0:
        return Verdict("the lease is dated in the future, so it proves nothing")
    over = max(at - terms.ends if terms.ends else -1.0, wall - terms.until if terms.until else -1.0)
    if over >= 0.0 and (silent > FRESH or over > ORDERLY):
        return Verdict("its time was over")
    return None
