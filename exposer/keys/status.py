"""A key as `status` and `keys list` show it: never the key itself."""

from datetime import UTC, datetime
from typing import Any

from exposer.keys.model import Key, KeyState


def describe(key: Key, now: float) -> dict[str, Any]:
    """A key as `status` and `keys list` show it."""
    over = key.state in (KeyState.ACTIVE, KeyState.RETIRING) and not key.passes(now)
    ends = min((time for time in (key.until, key.expires) if time is not None), default=None)
    state = str(KeyState.REVOKED if over else key.state)
    return {
        "label": key.label,
        "id": key.id,
        "state": state,
        "created": timestamp(key.created),
        "expires": timestamp(ends),
        "last_used": None,
    }


def timestamp(seconds: float | None) -> str | None:
    """Seconds since 1970 as the contract writes times; None stays None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
