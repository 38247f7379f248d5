"""What people are told without asking, and when. Pure: times are data."""

from exposer.supervisor.exposure import Exposure

# Journal kinds that go out as notices as they are; whoever notes one of these is heard outside.
TOLD = frozenset(
    {
        "advice",
        "tripwire",
        "decoy-used",
        "key-suspended",
        "egress-passed",
        "container-changed",
        "config-drift",
        "key-leaked",
        "record-altered",
    }
).union(("took-over", "both-down", "advice"))
# Degraded for less than this (seconds) is nobody's business.
LONG = 60.0

# A flapping address: so many changes within the window, and the newest has to stay for so long before it is announced.
WINDOW = 600.0
STAY = (0.0, 0.0, 0.0, 10.0, 30.0, 60.0, 120.0, 300.0)


def phase_notice(phase: str, since: float, told: str, now: float, why: str) -> tuple[str, str] | None:
    """The notice that a phase is worth, as kind and text. `told` is the kind of the one before, "" at first; `why` is
    what is wrong."""
    match phase:
        case "online" if told in ("", "degraded"):
            return "online", "it is online" if not told else "it is online again"
        case "degraded" if told == "online" and now - since >= LONG:
            return "degraded", f"it has not been well for {now - since:.0f} s" + (f": {why}" if why else "")
        case "offline" if told in ("online", "degraded"):
            return "offline", f"it is offline: {why}" if why else "it is offline"
        case "offline" if not told and why:
            return "failed", f"it could not be brought online: {why}"
    return None


def why(state: Exposure) -> str:
    """What is wrong, as far as it is known; "" when nothing is."""
    if state.failure is not None:
        return state.failure.error
    units = [unit for role, unit in state.units.items() if role != state.other]
    if ill := [f"{unit.role}: {unit.error}" for unit in units if unit.error]:
        return "; ".join(ill)
    return state.trouble or (state.checked.why if state.checked is not None and not state.checked.reachable else "")


def announce_at(changes: tuple[float, ...]) -> float:
    """When the newest address may be announced, by the times of the changes: at once, unless it flaps."""
    if not changes:
        return 0.0
    recent = sum(1 for at in changes if at > changes[-1] - WINDOW)
    return changes[-1] + STAY[min(recent, len(STAY) - 1)]


def remembered(changes: tuple[float, ...], now: float) -> tuple[float, ...]:
    """The changes that still count, and the one that is new."""
    return (*(at for at in changes if at > now - WINDOW), now)
