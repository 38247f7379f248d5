"""Work that may hang (a disk that is gone, an engine that is deaf) done in a thread, and waited for only so long."""

import _thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LOCK_SECONDS = 0.005  # the cut waits no longer for a disk
DISK_SECONDS = 1.0  # afterwards there is more time for it
SLICES = 10


class Attempt:
    """One piece of work under way. `value` is what it returned, `error` what it raised, once it is over."""

    def __init__(self, work: "Callable[[], Any]") -> None:
        self.value: Any = None
        self.error: Exception | None = None
        self._over = _thread.allocate_lock()
        self._over.acquire()
        try:
            _thread.start_new_thread(self._run, (work,))
        except RuntimeError:  # no more threads for us: then it has to be done here
            self._run(work)

    def over(self, within: float) -> bool:
        """Whether it is over by then, well or not. Waited for in slices: where the whole machine stands still for a
        moment, the work has not had that time either."""
        for _ in range(SLICES):
            if self._over.acquire(timeout=within / SLICES):
                self._over.release()
                return True
        return False

    def _run(self, work: "Callable[[], Any]") -> None:
        try:
            self.value = work()
        except Exception as error:
            self.error = error
        finally:
            self._over.release()


def within(seconds: float, work: "Callable[[], Any]", otherwise: "Any" = None) -> "Any":
    """What the work returns, or `otherwise` when it raises or takes too long."""
    attempt = Attempt(work)
    return attempt.value if attempt.over(seconds) and attempt.error is None else otherwise
