"""A key as `status` and `keys list` show it: never the key itself."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from exposer.keys.model import Key, KeyState

NOBODY: Mapping[str, float] = {}
DAY = 86_400
LATEST = 253_402_300_799  # the last second that has a date
WARN_AHEAD = 0.9  # of the time after which a key should be replaced


def describe(key: Key, now: float, used: Mapping[str, float] = NOBODY) -> dict[str, Any]:
    """A key as `status` and `keys list` show it. `used` has when keys were last used, by id."""
    over = key.state in (KeyState.ACTIVE, KeyState.RETIRING) and not key.passes(now)
    ends = min((time for time in (key.until, key.expires) if time is not None), default=None)
    state = str(KeyState.REVOKED if over else key.state)
    found: dict[str, Any] = {
        "label": key.label,
        "id": key.id,
        "state": state,
        "created": timestamp(key.created),
        "expires": timestamp(ends),
        "last_used": timestamp(used.get(key.id)),
    }
    if state == KeyState.RETIRING:
        found |= {"grace": key.grace, "successor": key.successor}
    if state == KeyState.SUSPENDED:
        found |= {"why": key.why, "back": timestamp(key.suspended_until)}
    return found | _allowed(key)


def advice(keys: Iterable[Key], now: float, rotate_every: float | None) -> tuple[str, ...]:
    """Which keys should be replaced soon, or should have been; nothing replaces them without a person."""
    if rotate_every is None:
        return ()
    said = []
    for key in keys:
        age = now - key.created
        if key.state is KeyState.ACTIVE and key.passes(now) and age >= rotate_every * WARN_AHEAD:
            due = datetime.fromtimestamp(key.created + rotate_every, UTC).strftime("%Y-%m-%d")
            word = "since" if age >= rotate_every else "by"
            said.append(
                f"the key {key.label!r} is {age / DAY:.0f} days old; it is to be replaced {word} {due}: "
                f"exposer rotate-key {key.label}"
            )
    return tuple(said)


def timestamp(seconds: float | None) -> str | None:
    """Seconds since 1970 as the contract writes times; None stays None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(min(seconds, LATEST), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _allowed(key: Key) -> dict[str, Any]:
    """What it may, as far as that is its own."""
    own: dict[str, Any] = {
        "operations": list(key.operations),
        "rate": None if key.rate is None else f"{key.rate[0]}/{_period(key.rate[1])}",
        "concurrency": key.concurrency,
        "egress": key.egress,
    }
    return {name: value for name, value in own.items() if value}


def _period(seconds: int) -> str:
    return {1: "s", 60: "min", 3600: "h"}.get(seconds, f"{seconds}s")
