"""Callers that still use an old address: noticed by the name they came by, or by the tunnel that is closed."""

import time
from collections.abc import Callable, Sequence

from exposer.journal import Request
from exposer.state.facts import Noted

# The same is journalled again after so long (seconds), and a person is told of it for as long after the last call.
AGAIN = 3600.0
SHOWN = 86_400.0
MOST = 20  # a caller with a key could invent names without end
NAMES = {"tunnel": "the first tunnel, which is closed", "standby": "the second tunnel, which is closed"}


class Strays:
    """Only calls with a key count: those are the ones that somebody has given an address to."""

    def __init__(self, tell: Callable[[Noted], None]) -> None:
        self._tell = tell
        self._last: dict[str, float] = {}
        self._said: dict[str, float] = {}

    def heard(self, requests: Sequence[Request]) -> None:
        """From the keeper of the record's own thread."""
        for request in requests:
            where = _where(request) if request.key else ""
            if not where or (where not in self._last and len(self._last) >= MOST):
                continue
            self._last[where] = request.at
            if request.at - self._said.get(where, 0.0) >= AGAIN:
                self._said[where] = request.at
                self._tell(Noted("old-address", f"a caller still comes by {where} (key {request.key})"))

    def advice(self, now: float) -> list[str]:
        """What a person should do, a sentence for each; `now` is in seconds since 1970."""
        recent = [where for where, at in sorted(self._last.items()) if now - at < SHOWN]
        return [
            f"callers still come by {where} (last at {time.strftime('%H:%M UTC', time.gmtime(self._last[where]))}): "
            "give them the present address"
            for where in recent
        ]


def _where(request: Request) -> str:
    if request.door:
        return NAMES.get(request.door, "")
    return f"the name {request.host}" if request.host else ""
