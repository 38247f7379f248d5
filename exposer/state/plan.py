"""What differs between the wish and the world, as a list of things to do. Pure: no clock, no effects."""

from collections.abc import Mapping
from dataclasses import dataclass

from exposer.state.model import BACKEND, GATEWAY, SCHEMA, STANDBY, TUNNEL, TUNNELS, UP_ORDER, Phase, Unit

# How often a running part is looked at, and how long it may be sick before it is started anew (seconds).
LOOK_EVERY = {BACKEND: 5.0, SCHEMA: 30.0, GATEWAY: 5.0, TUNNEL: 2.0, STANDBY: 5.0}
PATIENCE = {GATEWAY: 10.0, TUNNEL: 60.0, STANDBY: 60.0}


@dataclass(frozen=True, slots=True)
class Wish:
    """That a part runs. Another `digest` means another wish; the same `shape`, that it can be reloaded into it.

    One that needs nothing of its forerunners but their place is `alone`: it need not wait until they are well.
    """

    digest: str
    shape: str = ""
    alone: bool = False


NOT_WISHED = Wish("")  # it should not run, though the others do


@dataclass(frozen=True, slots=True)
class Start:
    role: str
    digest: str


@dataclass(frozen=True, slots=True)
class Reload:
    role: str
    digest: str


@dataclass(frozen=True, slots=True)
class Stop:
    role: str
    why: str


@dataclass(frozen=True, slots=True)
class LookAt:
    role: str


Action = Start | Reload | Stop | LookAt


def plan(
    units: Mapping[str, Unit], wishes: Mapping[str, Wish], now: float, *, wanted: bool, carrier: str = TUNNEL
) -> tuple[Action, ...]:
    """What to do now. Nothing is started whose forerunner is not well, but for what is `alone`; the tunnel never is,
    so it always comes last.

    `wishes` holds a part only when all it is made of is known (the gateway's needs the backend's address and the
    operations, the tunnel's the gateway's address). With `wanted` False everything stops, the tunnel first. `carrier`
    is the tunnel that is open, or is going to be; a second one waits until that had its chance.
    """
    if not wanted:
        return _down(units)
    actions: list[Action] = []
    ready = True
    for role in (*UP_ORDER[:-2], carrier, TUNNEL if carrier == STANDBY else STANDBY):
        unit = units[role]
        step = None if unit.busy else _step(unit, wishes.get(role), now, ready)
        if step is not None:
            actions.append(step)
        if role in TUNNELS:  # neither waits for the other to be well
            ready = ready and (unit.phase is Phase.UP or unit.failures > 0)
            continue
        changing = bool(unit.busy and unit.trying) or isinstance(step, Stop | Reload)
        ready = ready and unit.phase is Phase.UP and not changing
        if role == GATEWAY:
            ready = ready and bool(unit.healthy)
    return tuple(actions)


def _step(unit: Unit, wish: Wish | None, now: float, ready: bool) -> Action | None:
    if wish is NOT_WISHED:
        return Stop(unit.role, "it is no longer asked for") if unit.phase is Phase.UP else None
    if unit.phase is not Phase.UP:
        startable = wish is not None and (ready or wish.alone) and now >= unit.retry_at
        return Start(unit.role, wish.digest) if wish is not None and startable else None
    if wish is not None and wish.digest != unit.digest and (wish.digest != unit.refused or now >= unit.again_at):
        if wish.shape and wish.shape == unit.detail.get("shape"):
            return Reload(unit.role, wish.digest)
        return Stop(unit.role, "its settings have changed")
    if _given_up(unit, now):
        return Stop(unit.role, unit.error or "it has not been well for too long")
    if unit.replace_at is not None and now >= unit.replace_at:
        return Stop(unit.role, "nobody hears it outside, although it says that it is well")
    if now - unit.looked_at >= LOOK_EVERY[unit.role]:
        return LookAt(unit.role)
    return None


def _given_up(unit: Unit, now: float) -> bool:
    patience = PATIENCE.get(unit.role)
    return patience is not None and unit.sick_since is not None and now - unit.sick_since >= patience


def _down(units: Mapping[str, Unit]) -> tuple[Action, ...]:
    for role in reversed(UP_ORDER):
        unit = units[role]
        if unit.busy:
            return ()
        if unit.phase is Phase.UP:
            return (Stop(role, "it is no longer wanted"),)
    return ()
