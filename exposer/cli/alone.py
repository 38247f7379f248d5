"""One `up` at a time for each exposure, and what the second one is told."""

import os

from exposer.cli.find import own_status, supervisor
from exposer.errors import ExposerError
from exposer.files import FileLock, Places


def alone(places: Places) -> FileLock:
    """Two at once would each make a first key, and only one of them would be the right one. Raises ExposerError."""
    lock = FileLock(os.path.join(places.state, "starting.lock"))
    if not lock.acquire(wait=False):
        if supervisor(places) is not None:
            raise running(places)
        raise _running(f"another `exposer up` is starting {places.name} just now", "wait for it: exposer wait --online")
    return lock


def running(places: Places) -> ExposerError:
    """That it runs already, and where."""
    entry = supervisor(places)
    status = own_status(places, entry) or {}
    if entry is None or entry.process is None:
        return _running(
            f"{places.name} is running or just starting",
            "see it with: exposer status; if that says offline, it was started with another "
            "EXPOSER_RUNTIME_DIR or XDG_RUNTIME_DIR",
        )
    where = f", {status.get('phase')} at {status['public_url']}" if status.get("public_url") else ""
    return _running(
        f"{places.name} is running already (pid {entry.process.pid}){where}",
        "see it with: exposer status, end it with: exposer down",
    )


def _running(message: str, hint: str) -> ExposerError:
    error = ExposerError(message, hint)
    error.code = "running"
    return error
