"""Answers that a client refuses for their size are replaced before they leave, where their size is known. Pure.

nginx cannot change its mind about an answer by itself, but it obeys the one behind it. So calls of operations whose
answers may be large make a detour by a second server of the same nginx, which reads Content-Length and says where to go
instead. All other calls are as they were. An answer that does not tell its size is cut at the limit on its way back,
where nginx has its module for JavaScript; else it goes out as it is. Either way it is counted.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from exposer.gateway.policy import Policy, Route
from exposer.gateway.refusals import problem


def sizes(policy: Policy, keys: Mapping[str, str]) -> dict[str, Any]:
    """`keys` has each operation's id as a map's entry."""
    measured = [route for route in policy.routes if route.large is not None] if policy.response else []
    return {
        "measured": {keys[route.operation]: _smaller(route) for route in measured},
        "too_large": at_least(policy.response) if policy.response else "",
        "too_large_problem": problem(413, "The answer is too large", _detail(policy.response)),
        "word": sha256(f"detour {policy.salt} {policy.probe}".encode()).hexdigest(),
    }


def at_least(number: int) -> str:
    """A pattern, without anchors, for decimal numbers of at least so much."""
    digits = str(number)
    longer = f"[1-9][0-9]{{{len(digits)},}}"
    greater = [
        f"{digits[:place]}[{int(digit) + 1}-9][0-9]{{{len(digits) - place - 1}}}"
        for place, digit in enumerate(digits)
        if digit != "9"
    ]
    return f"(?:{'|'.join([longer, *greater, digits])})"


def _detail(limit: int) -> str:
    return (
        f"The answer has $upstream_http_content_length bytes, and this client takes less than {limit:,}. "
        "Ask for less in one call: $smaller."
    )


def _smaller(route: Route) -> str:
    names = [name for name in route.large or () if _tellable(name)]
    return f"use the parameters {_and(names)}" if names else ""


def _and(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _tellable(name: str) -> bool:
    """Whether a name out of the document may stand in a refusal, which is JSON."""
    return 0 < len(name) <= 40 and name.isascii() and name.strip("$").replace("_", "").replace("-", "").isalnum()
