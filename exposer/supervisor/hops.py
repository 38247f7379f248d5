"""Which hop of the way from outside to the backend is broken, and what follows from it. Pure: times are data."""

from collections.abc import Mapping

from exposer.state.facts import Checked
from exposer.state.model import BACKEND, GATEWAY, TUNNEL, Phase, Unit

AGENT = "agent"
# The waits between looks from outside while they fail (seconds), never longer than between those that go well: a
# provider's free quota is soon used up.
LOOKS = (5.0, 5.0, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0)
# How long an agent may be unheard outside, although it says that it is well, until it is started anew; longer each
# time that this did not help, because a new quick tunnel costs an address.
REPLACE = (30.0, 120.0, 300.0, 900.0)


def broken_hop(units: Mapping[str, Unit], checked: Checked | None, carrier: str = TUNNEL) -> str:
    """edge, agent, gateway or backend; "" when none is known to be broken. What is nearest to the backend counts."""
    for role, hop in ((BACKEND, BACKEND), (GATEWAY, GATEWAY), (carrier, AGENT)):
        unit = units[role]
        if unit.phase is not Phase.UP or unit.healthy is False:
            return hop
    if checked is not None and not checked.reachable and checked.resolvable:
        return checked.hop or "edge"
    return ""


def next_look(failures: int, every: float) -> float:
    """How long until the next look from outside, after so many in a row that failed."""
    return every if failures == 0 else min(every, LOOKS[min(failures, len(LOOKS)) - 1])


def heard(tunnel: Unit, checked: Checked, replaced: int, now: float) -> tuple[Unit, int]:
    """The tunnel after a look from outside. `replaced` counts the times in a row that it was to be started anew."""
    if checked.reachable:
        return tunnel.with_(replace_at=None), 0
    if checked.hop != AGENT or tunnel.phase is not Phase.UP:
        return tunnel.with_(replace_at=None), replaced
    if tunnel.replace_at is not None:
        return tunnel, replaced
    return tunnel.with_(replace_at=now + REPLACE[min(replaced, len(REPLACE) - 1)]), replaced + 1
