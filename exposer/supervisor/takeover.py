"""When one of two tunnels takes over from the other. Pure: times are data."""

from exposer.state.facts import Checked
from exposer.state.model import STANDBY, TUNNEL, Phase, Unit

# A look from outside counts for so long as proof that the waiting tunnel could take over (seconds).
FRESH = 15.0
# Take-overs within this time make the way back longer, twice for each (seconds), up to so many times.
REMEMBERED = 6 * 3600.0
MOST_DOUBLED = 5
# A new name takes its time to be known here, and the first look must not make a resolver remember that it is not.
FIRST_LOOK = 20.0
# With a waiting tunnel whose name is not known here the open one has to be down for so many times as long.
UNSURE = 3.0
# While the open tunnel is down the waiting one is looked at so often.
SOON = 5.0
# One look that fails may be bad luck. A second one has to agree, which comes no sooner than after so long.
LOOKS, PAUSE = 2, 1.0


def down(unit: Unit, checked: Checked | None, heard: bool) -> bool | None:
    """Whether a tunnel is down from outside; None when that cannot be told just now. `heard` says that its address was
    reached from here before: a name that was never known here may be known to others."""
    if unit.phase is not Phase.UP or unit.healthy is False:
        return True
    if checked is None:
        return None
    return not checked.reachable and (checked.resolvable or heard)


def confirmed(unit: Unit, failed_looks: int) -> bool:
    """Whether it is sure that a tunnel is down: it says so itself, or more than one look from outside does."""
    return unit.phase is not Phase.UP or unit.healthy is False or failed_looks >= LOOKS


def way_back(back: float, taken: tuple[float, ...], now: float) -> float:
    """How long the first tunnel has to be well until it is the open one again; 0 for never."""
    recent = sum(1 for at in taken if now - at < REMEMBERED)
    return float(back * 2 ** min(max(recent - 1, 0), MOST_DOUBLED))


def reason(carrier: str, *, down_for: float, well_for: float, after: float, back: float, held: bool, wish: str) -> str:
    """Why the waiting tunnel should be the open one, as far as its own state allows; "" when it should not.

    `down_for` is how long the open one has been down, `well_for` how long the waiting one has been well; `wish` is the
    one that a person has asked for.
    """
    if wish and wish != carrier:
        return "it was asked for"
    if down_for >= after:
        return f"the other has been down from outside for {down_for:.0f} s"
    if carrier == STANDBY and not held and back and well_for >= back:
        return f"the first has been well again for {well_for:.0f} s"
    return ""


def word(role: str) -> str:
    """What people call it."""
    return "the first tunnel" if role == TUNNEL else "the second tunnel"
