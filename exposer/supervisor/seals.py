"""Looks again and again whether what runs is still what was started: the gateway's files, the containers."""

from collections.abc import Callable

from exposer.state.facts import Inspected
from exposer.state.model import CONTAINERS, FILES
from exposer.supervisor.world import World

# How often (seconds), and the event's kind. An engine that hangs keeps nobody from looking at the files.
EVERY = {FILES: 1.0, CONTAINERS: 5.0}
KINDS = {FILES: "config-drift", CONTAINERS: "container-changed"}


class Seals:
    """Says once what is broken."""

    def __init__(self, world: World, note: Callable[..., None]) -> None:
        self._world = world
        self._note = note
        self._due = dict.fromkeys(EVERY, 0.0)
        self._begun = dict.fromkeys(EVERY, 0.0)
        self._said: dict[str, tuple[str, ...]] = {}

    def follow(self, now: float) -> None:
        """`now` is monotonic."""
        for seal, due in self._due.items():
            if now >= due:
                self._due[seal] = float("inf")  # until it is known
                self._begun[seal] = now
                self._world.inspect(seal)

    def take(self, fact: Inspected, now: float) -> None:
        every = EVERY[fact.seal]
        self._due[fact.seal] = max(self._begun[fact.seal] + every, now + every / 2)  # it may be heard of late
        said = self._said.get(fact.seal, ())
        self._said[fact.seal] = fact.broken
        for text in fact.broken:
            if text not in said:
                self._note(KINDS[fact.seal], f"ALARM: {text}")
