"""What is asked over the control socket. Its threads decide nothing: they leave an order for the loop."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from exposer.state.facts import Down, Fact, Use

PATIENCE = 10.0  # what the loop is at when it is asked something

Put = Callable[[Fact | None], None]


def answer(asked: Mapping[str, Any], put: Put, status: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """The answer to one question; an `error` in it says why not."""
    said: dict[str, Any] = {"pid": os.getpid()}
    match asked.get("command"):
        case "status":
            return {**said, "status": status()}
        case "down":
            put(Down())
        case "use":
            if why := _use(str(asked.get("tunnel", "")), put):
                said["error"] = why
        case "nudge":
            put(None)
        case _:
            return {"error": "unknown command"}
    return said


def _use(role: str, put: Put) -> str:
    why: Future[str] = Future()
    put(Use(role, why.set_result))
    try:
        return why.result(PATIENCE)
    except TimeoutError:
        return "the supervisor is busy just now; see: exposer status"
