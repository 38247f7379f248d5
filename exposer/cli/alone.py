"""One `up` at a time for each exposure: whose turn it is, and what the second one is told."""

import os

from exposer import procs
from exposer.cli.find import ending_lock, not_private, own_status, supervisor
from exposer.cli.show import note
from exposer.errors import ExposerError, LockedError, of_system
from exposer.files import FileLock, NotPrivateError, Places
from exposer.procs import Entry

LEAVING = ("stopping", "offline")
AT_ONCE, PATIENCE = 1.0, 90.0  # a `down` gives a supervisor that hangs a minute, then ends what that has left


def make_folders(places: Places) -> None:
    """Sees to it that an `up` may begin, and has folders of its own. Raises ExposerError."""
    _insist_on_no_lock(places)
    try:
        places.prepare()
    except NotPrivateError as error:
        raise not_private(error) from error
    except OSError as error:
        told = of_system(error)
        told.hint = told.hint or "choose another place with EXPOSER_STATE_DIR and EXPOSER_RUNTIME_DIR"
        raise told from error


def alone(places: Places) -> FileLock:
    """Two at once would each make a first key, and only one of them would be the right one. Raises ExposerError."""
    lock = FileLock(os.path.join(places.state, "starting.lock"))
    if not _taken(lock, places):
        raise running(places) if supervisor(places) is not None else _another_up(places)
    return lock


def await_turn(places: Places, lock: FileLock, starting: FileLock | None, within: float) -> Entry | None:
    """Until we hold `lock`, the supervisor's, with all folders in their place; else the supervisor that is there.

    A `down` that is under way, or a supervisor that is ending, is waited for. It removes the runtime folder, and with
    --purge the state as well, with the file of `starting`. Raises ExposerError.
    """
    there: Entry | None = None

    def settled() -> bool:
        nonlocal there
        _insist_on_no_lock(places)
        if _being_ended(places):
            return False
        there = _another_supervisor(places)
        if there is not None:
            return not _leaving(places, there)
        if _taken(lock, places) and _another_supervisor(places) is not None:  # it went on record just before
            lock.release()
        return lock.held

    try:
        if not procs.wait_until(settled, min(AT_ONCE, within)):
            note("waiting for a `down` that is under way")
            if not procs.wait_until(settled, min(PATIENCE, within), every=0.05):
                raise running(places)
        if there is None:
            make_folders(places)
        if starting is not None:
            _renew(starting, places)
    except BaseException:
        lock.release()
        raise
    return there


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


def _insist_on_no_lock(places: Places) -> None:
    if places.locked():
        raise LockedError(
            f"{places.name} is locked by a panic", "see what happened and lift the lock with: exposer unlock"
        )


def _another_supervisor(places: Places) -> Entry | None:
    """The one on record, when that is not this process."""
    entry = supervisor(places)
    return None if entry is None or entry.process is None or entry.process.pid == os.getpid() else entry


def _taken(lock: FileLock, places: Places) -> bool:
    """Whether it was free, in a folder made anew where a `down --purge` has removed that."""
    while True:
        try:
            return lock.held or lock.acquire(wait=False)
        except FileNotFoundError:
            make_folders(places)


def _being_ended(places: Places) -> bool:
    """Whether a `down` is at it."""
    ending = ending_lock(places)
    try:
        return not _taken(ending, places)
    finally:
        ending.release()


def _leaving(places: Places, entry: Entry) -> bool:
    """Whether a supervisor says that it comes to its end."""
    status = own_status(places, entry)
    return status is not None and status["phase"] in LEAVING


def _renew(starting: FileLock, places: Places) -> None:
    """Takes it once more: where its file was removed meanwhile it keeps nobody out."""
    starting.release()
    if not _taken(starting, places):
        raise _another_up(places)


def _another_up(places: Places) -> ExposerError:
    return _running(f"another `exposer up` is starting {places.name} just now", "wait for it: exposer wait --online")


def _running(message: str, hint: str) -> ExposerError:
    error = ExposerError(message, hint)
    error.code = "running"
    return error
