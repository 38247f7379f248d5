"""The rule for a healthy backend, and waiting for it."""

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from exposer import procs, wire
from exposer.config.model import Backend, SecretRef
from exposer.errors import ExposerError
from exposer.secret import Secret

BODY_LIMIT = 8 * 1024 * 1024
LOOK_TIMEOUT = 3.0
LOOK_EVERY = 0.1


def complaint(
    config: Backend, upstream: str, resolve: Callable[[SecretRef], Secret], timeout: float = LOOK_TIMEOUT
) -> str:
    """Asks the backend once; "" when it is healthy, else a sentence that says what is wrong. Never raises."""
    base, path = split(upstream, config.health or "/")
    try:
        # A backend that writes its answers in pieces is 40 ms late on a connection it knows already; the first call
        # after this one gets a fresh one.
        headers = {"Connection": "close"}
        if upstream.startswith("unix:"):
            headers["Host"] = f"127.0.0.1:{config.port}"
        if config.auth is not None:
            headers[config.auth.header] = resolve(config.auth.value).reveal()
        return judge(config, wire.request(base, path, headers=headers, timeout=timeout, limit=BODY_LIMIT).status)
    except wire.NoAnswerError as error:
        return "" if error.stage == "size" and not config.health else f"no answer to GET {path}: {_why(error)}"
    except ExposerError as error:
        return error.message


def judge(config: Backend, status: int) -> str:
    """With a health path any 2xx will do; without one any answer that is not a server's error."""
    well = 200 <= status < 300 if config.health else status < 500
    if well:
        return ""
    said = f"GET {config.health or '/'} answers {status}"
    if config.contained and status == 502:
        return f"{said} (nothing listens on its port inside, or it closes the connection)"
    if config.health and status in (401, 403):
        return f"{said} (set backend.auth, or a health path that needs no key)"
    return said


def split(upstream: str, path: str) -> tuple[str, str]:
    """The server part of an upstream, and the whole path on it (an upstream may begin with one)."""
    if upstream.startswith("unix:"):
        return upstream, path
    parts = urlsplit(upstream)
    return f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/") + "/" + path.lstrip("/")


def question(config: Backend) -> str:
    """How our asking reads in an access log."""
    return f"GET {config.health or '/'} "


def await_healthy(ask: Callable[[], str], dead: Callable[[], bool], within: float) -> str:
    """Asks again and again until the backend is healthy, dead, or late; returns the last complaint.

    Whether it is `dead` costs more to find out, at the very moment when it needs the machine for itself.
    """
    last, next_look = ["it was never asked"], [0.0]

    def settled() -> bool:
        last[0] = ask()
        if not last[0]:
            return True
        now = procs.monotonic()
        if now < next_look[0]:
            return False
        next_look[0] = now + LOOK_EVERY
        return dead()

    procs.wait_until(settled, within, every=0.02)
    return last[0]


def never_healthy(config: Backend, complaint: str, said: str = "") -> tuple[str, str]:
    """The message and the hint for a backend that runs but does not answer as it should."""
    return (
        f"the backend is not healthy after {config.start_timeout:g} s: {complaint}" + last_words(said),
        "check backend.port and backend.health, or give it longer with backend.start_timeout",
    )


def last_words(said: str) -> str:
    """What is put behind an error about a backend that printed something."""
    return f"; its last lines:\n{said}" if said else ""


def _why(error: wire.NoAnswerError) -> str:
    """The error without address and number: a person knows the backend, not the socket to it."""
    return re.sub(r"\[Errno -?\d+\] ", "", error.message.partition(": ")[2] or error.message)


def secrets_of(
    config: Backend, resolve: Callable[[SecretRef], Secret], environment: Mapping[str, Secret]
) -> list[Secret]:
    """Every secret that could turn up in what a backend prints."""
    return [*environment.values(), *([resolve(config.auth.value)] if config.auth else [])]
