"""How an exposure comes down: calls under way may come to their end, what is only being started is cut short."""

import time
from collections.abc import Callable

from exposer.state.facts import Failed
from exposer.state.model import GATEWAY, Phase
from exposer.supervisor.exposure import Exposure
from exposer.supervisor.ports import Rooms
from exposer.supervisor.world import World

# How long calls that are under way may take to end when the exposure is taken down (seconds).
DRAIN = 5.0
CUT_EVERY = 1.0


class Ending:
    """Begun once, followed in every cycle from then on. In the loop's own thread, as all that decides."""

    def __init__(self, state: Exposure, world: World, note: Callable[..., None]) -> None:
        self._state, self._world, self._note = state, world, note
        self._drains_until = self._next_cut = 0.0

    def begin(self, failure: Failed | None) -> None:
        """From now on nothing is wanted."""
        state = self._state
        if not state.wanted:
            return
        state.wanted = False
        state.failure = state.failure or failure
        if failure is None and self._world.drain(GATEWAY):
            self._drains_until = time.monotonic() + DRAIN
            self._note("draining", "gateway: takes no new calls, lets the running ones end")

    def hurry(self) -> None:
        """Waits no longer for running calls."""
        self._drains_until = 0.0

    def drains(self, now: float) -> bool:
        return now < self._drains_until and self._state.units[GATEWAY].phase is Phase.UP

    def follow(self, rooms: Rooms, now: float) -> None:
        """Again and again: what is being started may not have been on record yet when it was looked for."""
        if self._state.wanted or now < self._next_cut:
            return
        self._next_cut = now + CUT_EVERY
        for role, unit in self._state.units.items():
            if unit.busy and unit.phase is Phase.STARTING:
                self._world.cancel(role, rooms)
