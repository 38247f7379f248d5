"""The self-test, before the way from outside is opened and again and again at random times afterwards."""

import time
from collections.abc import Callable
from random import SystemRandom

from exposer.errors import SelfTestError
from exposer.state.facts import Failed, SelfTested
from exposer.state.model import GATEWAY, Phase
from exposer.supervisor.exposure import Exposure
from exposer.supervisor.world import World

EARLIEST, LATEST = 120.0, 420.0  # between two of them (seconds)
CHANCE = SystemRandom().uniform
SOON = 10.0  # after one that could not be made, or that has found trouble


class SelfTests:
    """`chance` draws a number between two. What is found stands in the state, and in the journal each time."""

    def __init__(
        self,
        state: Exposure,
        world: World,
        note: Callable[..., None],
        record: Callable[..., None],
        stop: Callable[[Failed], None],
        chance: Callable[[float, float], float] = CHANCE,
    ) -> None:
        self._state, self._world, self._note, self._record, self._stop = state, world, note, record, stop
        self._chance = chance
        self._due = 0.0
        self._running = False

    def follow(self, now: float) -> None:
        """`now` is monotonic. While nothing is open there is nothing to look after."""
        gateway, tunnel = self._state.units[GATEWAY], self._state.open_tunnel
        if tunnel.phase is not Phase.UP or gateway.busy or not gateway.healthy or self._running:
            return
        if now >= self._due:
            self._running = True
            self._world.self_test()

    def take(self, fact: SelfTested, now: float) -> None:
        before, self._state.tested, self._state.tested_at = self._state.tested, fact, time.time()
        if fact.opened:
            self._running = False
        self._due = now + (SOON if fact.trouble else self._chance(EARLIEST, LATEST))
        text = sentence(fact)
        data = {"calls": fact.calls, "passed": fact.passed}
        if before is None or (before.ok, before.hole, before.trouble) != (fact.ok, fact.hole, fact.trouble):
            self._note("self-test", text, **data)
        else:
            self._record("self-test", text=text, **data)
        if fact.hole and fact.opened:
            self._note("open-without-key", f"self-test: {fact.hole}")
            hint = "nothing is open any more; see: exposer logs gateway"
            self._stop(Failed(GATEWAY, f"self-test: {fact.hole}", hint, SelfTestError.code, SelfTestError.exit_code))


def sentence(fact: SelfTested) -> str:
    """What a self-test has found, in words."""
    if not fact.ok:
        return f"self-test: {fact.hole or fact.trouble}"
    through = f"{fact.passed} with a key gets through" if fact.passed else f"no call with a key was made: {fact.why}"
    return f"self-test: {fact.calls} calls are refused that must be; {through}"
