"""Where facts arrive, from any thread; what is news wakes the loop, and what finds all as it was does not."""

import queue
from collections import deque

from exposer.state.facts import Fact, Inspected, Looked
from exposer.state.model import Look


class Inbox(queue.SimpleQueue[Fact | None]):
    """None wakes the loop and says nothing. Whatever is put is news; of what is heard that is found out.

    `put` may be called at any moment, by a signal handler too: it takes no lock that its own thread may hold.
    """

    def __init__(self) -> None:
        super().__init__()
        self._looks: dict[str, Look] = {}
        self._old_news: deque[Fact] = deque()
        self._calm = False
        self.woken = True  # whether the last wait was ended by news

    def hear(self, fact: Fact) -> None:
        """Takes a fact in. While all is calm old news waits for the next turn: each turn costs processor time."""
        if self._is_old(fact) and self._calm:
            self._old_news.append(fact)
        else:
            self.put(fact)

    def facts(self, wait: float, *, calm: bool) -> list[Fact]:
        """All that has come, after `wait` seconds at the most, or as soon as there is news."""
        self._calm = calm
        found: list[Fact | None] = []
        try:
            found.append(self.get(timeout=wait))
            while True:
                found.append(self.get_nowait())
        except queue.Empty:
            pass
        self.woken = bool(found)
        old = [self._old_news.popleft() for _ in range(len(self._old_news))]
        return [fact for fact in (*old, *found) if fact is not None]

    def _is_old(self, fact: Fact) -> bool:
        match fact:
            case Inspected(broken=broken):
                return not broken
            case Looked(role=role, look=look):
                before, self._looks[role] = self._looks.get(role), look
                return look == before and look.healthy is True and not look.fatal
            case _:
                return False
