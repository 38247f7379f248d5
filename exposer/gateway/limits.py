"""What each key may take, as nginx counts it, and how a refusal says it. Pure.

Whatever is counted has a variable that is empty for calls it does not concern; nginx passes over these. The variable is
made of the verified key: nobody spends the quota of somebody else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Any

from exposer.config.model import Limits, Rate
from exposer.gateway.passer import Passer

WHOLE = "$any_caller"  # one variable for all that is counted as a whole: each costs every call a look into a table
PAUSE = 3600  # what a paused key took is counted over an hour
_PERIODS = {1: "a second", 60: "a minute", 3600: "an hour"}


@dataclass(frozen=True, slots=True)
class Count:
    """One zone of nginx. `concerned` has the ids it counts, none for all but `others`; `whole` counts them as one."""

    name: str
    variable: str
    most: str
    burst: int = 0
    concerned: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    whole: bool = False


def limits(policy_limits: Limits, passers: tuple[Passer, ...]) -> dict[str, Any]:
    """What the templates need of it. A key without limits of its own costs nothing more for those of others."""
    own = policy_limits
    paces = {own.rate: (), **_grouped((p.rate, p.id) for p in passers if p.rate not in (None, own.rate))}
    crowds = {
        own.concurrency: (),
        **_grouped((p.concurrency, p.id) for p in passers if p.concurrency not in (0, own.concurrency)),
    }
    rates = [_count("pace", f"{r.count}_{r.seconds}", pace(r), ids, paces, r.count - 1) for r, ids in paces.items()]
    conns = [_count("crowd", str(most), str(most), ids, crowds) for most, ids in crowds.items() if most]
    tests = tuple(passer.id for passer in passers if passer.is_test)  # our own calls are at nobody's expense
    if own.total_rate is not None:
        most, burst = pace(own.total_rate), own.total_rate.count - 1
        rates.append(Count("pace_of_callers", WHOLE, most, burst, others=tests, whole=True))
    if own.total_concurrency:
        conns.append(Count("crowd_of_callers", WHOLE, str(own.total_concurrency), others=tests, whole=True))
    counts = [count for count in (*rates, *conns) if count.others or count.concerned or count.whole]
    return {
        "rates": rates,
        "crowds": conns,
        "counts": list({count.variable: count for count in counts}.values()),
        "allowances": _allowances(own, passers),
        "waits": _waits(own, passers),
        "pause": PAUSE,
        "timeout_ms": max(1, round(own.timeout * 1000)),
        "connect_ms": max(1, round(min(own.timeout, 5.0) * 1000)),
    }


def pace(rate: Rate) -> str:
    """nginx counts in whole calls a second or a minute; what is left over is rounded down."""
    per_second = rate.count % rate.seconds == 0
    return f"{rate.count // rate.seconds}r/s" if per_second else f"{rate.count * 60 // rate.seconds}r/m"


def wait(rate: Rate) -> int:
    """In how many seconds at the latest the next call is free, as nginx counts."""
    if rate.count % rate.seconds == 0:
        return 1
    return max(1, ceil(60 / (rate.count * 60 // rate.seconds)))


def spoken(rate: Rate) -> str:
    return f"{rate.count:,} call{'s' * (rate.count != 1)} {_PERIODS.get(rate.seconds, f'in {rate.seconds} seconds')}"


def _count(
    name: str, own: str, most: str, ids: tuple[str, ...], groups: dict[Any, tuple[str, ...]], burst: int = 0
) -> Count:
    """The group without ids is the default's: it counts every key that is in no other. A zone must keep its variable
    over a reload and should keep what it has counted, so both have names that say what they are for."""
    others = tuple(id_ for each in groups.values() for id_ in each)
    if ids:
        return Count(f"{name}_{own}", f"${name}_{own}", most, burst, concerned=ids)
    if others:
        return Count(f"{name}_of_others", f"${name}_of_others", most, burst, others=others)
    return Count({"pace": "keys", "crowd": "callers"}[name], "$key", most, burst)


def _grouped(pairs: Iterable[tuple[Any, str]]) -> dict[Any, tuple[str, ...]]:
    found: dict[Any, list[str]] = {}
    for what, id_ in pairs:
        found.setdefault(what, []).append(id_)
    return {what: tuple(ids) for what, ids in found.items()}


def _allowances(own: Limits, passers: tuple[Passer, ...]) -> dict[str, str]:
    """What a key may take, in words, by its id; "default" for all the others."""
    return {
        "default": _allowance(own, own.rate, own.concurrency),
        **{
            p.id: _allowance(own, p.rate or own.rate, p.concurrency or own.concurrency)
            for p in passers
            if p.rate or p.concurrency
        },
    }


def _allowance(own: Limits, rate: Rate, most: int) -> str:
    crowd = f", {most:,} at the same time" if most else ""
    total = [spoken(own.total_rate)] if own.total_rate is not None else []
    total += [f"{own.total_concurrency:,} at the same time"] if own.total_concurrency else []
    return f"{spoken(rate)}{crowd}" + (f" (all keys together: {', '.join(total)})" if total else "")


def _waits(own: Limits, passers: tuple[Passer, ...]) -> dict[str, int]:
    least = wait(own.total_rate) if own.total_rate is not None else 1
    each = {p.id: max(least, wait(p.rate)) for p in passers if p.rate}
    return {"default": max(least, wait(own.rate)), **each}
