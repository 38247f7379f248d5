"""Keeps the lists of callers' networks fresh: read in a worker, taken over like any other change."""

from collections.abc import Callable

from exposer.state.facts import Failed, Renewed
from exposer.supervisor.exposure import Exposure
from exposer.supervisor.ports import Rooms
from exposer.supervisor.world import World


class NetworkLists:
    """Says what has become of them once, not with each attempt."""

    def __init__(self, state: Exposure, world: World, note: Callable[..., None]) -> None:
        self._state = state
        self._world = world
        self._note = note
        self._busy = False
        self._said = ""

    def follow(self, rooms: Rooms, now: float) -> None:
        """`now` is in seconds since 1970: a list's age counts over restarts."""
        trouble = rooms.networks_trouble()
        if trouble != self._state.networks:
            self._state.networks = trouble
            self._note("networks", trouble or "the lists of callers' networks are there")
        if not self._busy and rooms.networks_due(now):
            self._busy = True
            self._world.renew(rooms, now)

    def take(self, fact: Renewed | Failed) -> None:
        self._busy = False
        said = fact.what if isinstance(fact, Renewed) else f"{fact.error}; the list before stays in force, if any"
        if said and said != self._said:
            self._note("networks", said)
        self._said = said
