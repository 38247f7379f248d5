"""Who changes a part just now."""

import threading
from collections.abc import Iterable

from exposer import procs
from exposer.state.facts import Fact
from exposer.supervisor.workers import Job


class Turns:
    """One thing at a time is done to a part, and while we change it ourselves nobody else is blamed for it."""

    def __init__(self, roles: Iterable[str]) -> None:
        self._locks = {role: threading.Lock() for role in roles}
        self._counts = dict.fromkeys(self._locks, 0)  # odd while a part is being changed

    def take(self, role: str, job: Job) -> Job:
        """The job, which waits for its turn."""

        def run() -> Fact | None:
            with self._locks[role]:
                self._counts[role] += 1
                try:
                    return job()
                finally:
                    self._counts[role] += 1

        return run

    def count(self, role: str) -> int:
        """Another one after each change."""
        return self._counts.get(role, 0)

    def steady(self, role: str, since: int) -> bool:
        """Whether nothing was changed since `count`, nor was it being changed then."""
        return since % 2 == 0 and self.count(role) == since

    def wait(self, role: str, within: float) -> None:
        """Until it is not being changed, for so many seconds at the most."""
        procs.wait_until(lambda: self.count(role) % 2 == 0, within)
