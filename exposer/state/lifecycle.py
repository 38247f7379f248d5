"""How a fact changes what is known of a part, and what phase the parts make together. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from exposer.procs import Entry
from exposer.state.facts import Documented, Fact, Failed, Gone, Looked, Reloaded, Started, Stopped
from exposer.state.model import BACKEND, GATEWAY, SCHEMA, STANDBY, TUNNEL, Phase, Unit

# After so many failures in a row the wait before the next try, in seconds.
BACKOFF = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
# A part that has run so long is well again: its failures are forgotten.
STEADY = 60.0
# A tunnel mostly falls by what happens outside, not by a mistake of its own: so many seconds of life make up for a
# failure, and once it was up the wait grows no longer than that.
MENDS = {TUNNEL: 1.0, STANDBY: 1.0}
LONGEST = {TUNNEL: 5.0}  # a second one may take its time: nobody waits for it
# How long after a change could not be taken over it is tried once more: the first time, and later.
AGAIN = (5.0, 60.0)


def backoff(failures: int) -> float:
    """How long to wait after the n-th failure in a row (n from 1)."""
    return BACKOFF[min(max(failures, 1), len(BACKOFF)) - 1]


def advance(unit: Unit, fact: Fact, now: float) -> Unit:
    """The unit after a fact about it; `now` is monotonic seconds."""
    match fact:
        case Looked() | Reloaded() | Failed(keeps=True) if unit.phase is not Phase.UP:
            return unit  # the part fell meanwhile: what is done to it now has an end, and a fact, of its own
        case Started() if unit.phase is Phase.FAILED:
            return unit  # it was up for a moment only, and its end was heard of first
        case Started(entry=entry):
            return _running(unit, entry, now).with_(restarts=unit.restarts + (1 if unit.failures else 0))
        case Reloaded(entry=entry):
            return _running(unit, entry, now)
        case Documented():
            return _running(unit, Entry(unit.role, digest=unit.trying or unit.digest, detail={"shape": unit.role}), now)
        case Stopped():
            why = unit.error if unit.fatal else ""  # why it was stopped for good must not be forgotten
            return Unit(unit.role, failures=unit.failures, restarts=unit.restarts, retry_at=unit.retry_at, error=why)
        case Gone():
            gone = _failed(unit, fact.why, "", "gone", now, fact.wait)
            return gone.with_(retry_at=float("inf")) if fact.fatal and not fact.wait else gone
        case Failed(keeps=True, error=error, hint=hint, code=code):
            kept = unit.with_(busy=False, error=error, hint=hint, code=code, trying="", looked_at=now)
            return kept.with_(refused=unit.trying, again_at=_again_at(unit, code, now)) if unit.trying else kept
        case Failed():
            failed = _failed(unit, fact.error, fact.hint, fact.code, now, fact.wait)
            return failed.with_(retry_at=float("inf")) if fact.fatal and not fact.wait else failed
        case Looked(look=look):
            return _looked(unit, fact, now) if look.alive else unit.with_(busy=False)
        case _:
            return unit


def _again_at(unit: Unit, code: str, now: float) -> float:
    """When what could not be taken over is tried once more: trouble passes, what is wrong with a config does not."""
    if code == "config":
        return float("inf")
    return now + (AGAIN[-1] if unit.trying == unit.refused else AGAIN[0])


def _running(unit: Unit, entry: Entry, now: float) -> Unit:
    return unit.with_(
        phase=Phase.UP,
        busy=False,
        healthy=True,
        digest=entry.digest,
        trying="",
        refused="",
        error="",
        hint="",
        code="",
        since=now,
        looked_at=now,
        sick_since=None,
        replace_at=None,
        detail=MappingProxyType({**entry.detail, **({"pid": entry.process.pid} if entry.process else {})}),
    )


def _failed(unit: Unit, error: str, hint: str, code: str, now: float, wait: float = 0.0) -> Unit:
    failures = unit.failures + 1
    longest = BACKOFF[-1]
    if unit.phase is Phase.UP:
        lived, longest = now - unit.since, LONGEST.get(unit.role, longest)
        failures = 1 if lived > STEADY else max(1, failures - int(lived / MENDS.get(unit.role, STEADY)))
    return Unit(
        unit.role,
        phase=Phase.FAILED,
        failures=failures,
        restarts=unit.restarts,
        retry_at=now + max(wait, min(backoff(failures), longest)),
        error=error,
        hint=hint,
        code=code,
    )


def _looked(unit: Unit, fact: Looked, now: float) -> Unit:
    look = fact.look
    sick = None if look.healthy is not False else (unit.sick_since if unit.sick_since is not None else now)
    detail = {**unit.detail, **look.detail, **({"url": look.url} if look.url else {})}
    return unit.with_(
        busy=False,
        healthy=unit.healthy if look.healthy is None else look.healthy,
        error=look.error,
        looked_at=min(now, fact.at),
        sick_since=sick,
        fatal=look.fatal,
        detail=MappingProxyType(detail),
    )


def exposure_phase(
    units: Mapping[str, Unit],
    *,
    wanted: bool,
    locked: bool,
    was_online: bool,
    published: bool,
    trusted: bool,
    carrier: str = TUNNEL,
) -> str:
    """The one word of the contract's section 3 for all parts together. `carrier` is the tunnel that is open.

    `published` says that the document for the present address stands; `trusted` that no look from outside has
    contradicted it.
    """
    if locked:
        return "panicked"
    idle = all(unit.phase in (Phase.ABSENT, Phase.FAILED) and not unit.busy for unit in units.values())
    if not wanted:
        return "offline" if idle else "stopping"
    well = all(units[role].phase is Phase.UP and units[role].healthy for role in (BACKEND, SCHEMA, GATEWAY, carrier))
    if well and published and trusted:
        return "online"
    return "degraded" if was_online else "starting"
