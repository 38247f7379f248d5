"""What the gateway's own refusals say: problems of RFC 9457, in words that a model can act upon. Pure.

They say nothing about the backend. `$call` and the other variables are nginx's.
"""

import json
from typing import Any

from exposer.config.model import Limits
from exposer.config.units import format_size

# Refusals that the gateway itself makes. Those in EARLY can happen before a request has a path.
TITLES = {
    400: "Bad request",
    401: "A valid key is needed",
    403: "This key may not call this operation",
    404: "Not found",
    405: "Method not allowed",
    408: "The request took too long",
    413: "The request is too large",
    414: "The address is too long",
    429: "Too many requests",
    500: "Internal error",
    501: "Not implemented",
    502: "The service does not answer",
    503: "The service is not available",
    504: "The service took too long",
    505: "HTTP version not supported",
}
EARLY = {400: 400, 405: 405, 408: 408, 414: 414, 494: 400, 497: 400, 501: 501, 505: 505}

_BAD = "Too many calls without a valid key came from here. Wait a moment, and show a valid key."
_PAUSED = "This key has taken more within an hour than it may, and is paused. Try again later and ask for less at once."


def problems(limits: Limits) -> dict[int, str]:
    """The body of each refusal."""
    details = _details(limits)
    return {status: problem(status, title, details.get(status, "")) for status, title in TITLES.items()}


def problem(status: int, title: str, detail: str = "") -> str:
    said: dict[str, Any] = {"type": "about:blank", "title": title, "status": status}
    if detail:
        said["detail"] = detail
    return json.dumps({**said, "request_id": "$call"}, separators=(",", ":"))


def forbidden() -> dict[str, str]:
    """What a 403 says; "here": to this machine itself, when only callers from certain networks may call."""
    own = "This key may call only some of the operations. Do not try this one again; use another operation."
    return {"default": own, "here": "The key is known, but calls from this machine are not on the list of addresses."}


def slowed() -> dict[str, str]:
    """What a 429 says, by the reason for it; "default": a key's own limit, with `$allowance` in it."""
    own = "This key may make $allowance. Wait as long as Retry-After says, then go on with fewer calls."
    return {"default": own, "bad": _BAD, "paused": _PAUSED}


def _details(limits: Limits) -> dict[int, str]:
    return {
        403: "$forbidden",
        413: f"The body of a request may have at most {limits.body:,} bytes ({format_size(limits.body)}). "
        "Send less in one call, for example in several parts.",
        429: "$slowed",
        504: f"There was no answer within {limits.timeout:g} seconds. Ask for less in one call, or try again later.",
    }
