"""`exposer down`: drain, take everything down, leave nothing behind."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click

from exposer import procs
from exposer.cli.find import ending_lock, places, supervisor, supervisor_lock
from exposer.cli.show import answer, interactive, note, settings
from exposer.errors import NotRunningError, TimeoutExceededError, UsageError
from exposer.files import FileLock, Places
from exposer.procs import Ledger, ProcessId

PATIENCE = 60.0
GLANCE = 0.2  # an `up` that looks whether it is its turn has the lock for a moment


@click.command()
@click.option("--purge", is_flag=True, help="Also remove keys, journal and everything else that is kept.")
@click.option("--yes", is_flag=True, help="Do not ask before --purge.")
def down(purge: bool, yes: bool) -> None:
    """Take the exposure offline and leave nothing behind."""
    found = places(settings().file, lenient=True)
    if purge:
        _may_purge(found, yes)
    was_running = take_down(found, (lambda: _purge(found)) if purge else None)
    text = "offline" if was_running else "was offline already"
    answer(f"{found.name}: {text}", {"schema": 1, "name": found.name, "phase": "offline", "was_running": was_running})


def _may_purge(found: Places, yes: bool) -> None:
    _insist_on_no_lock(found)
    if yes:
        return
    if not interactive():
        raise UsageError("--purge asks before it removes keys and journal", "without a terminal add --yes")
    click.confirm(f"Remove all keys and the whole journal of {found.name}?", abort=True, err=True)


def _insist_on_no_lock(found: Places) -> None:
    if found.locked():
        raise UsageError(f"{found.name} is locked by a panic; its records stay", "lift the lock first: exposer unlock")


def _purge(found: Places) -> None:
    """Removes all that is kept, last of all the lock under which it is done: from then on others may begin in there."""
    _insist_on_no_lock(found)
    lock, panicked = Path(supervisor_lock(found).path), Path(found.lock)
    with suppress(OSError):
        for path in Path(found.state).iterdir():
            if path not in (lock, panicked):
                _remove(path)
        lock.unlink(missing_ok=True)
        Path(found.state).rmdir()


def _remove(path: Path) -> None:
    """As far as it can be."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def take_down(found: Places, then: Callable[[], None] | None = None) -> bool:
    """Asks the supervisor; where there is none, or it hangs, ends by hand what the ledger and the labels name.

    What is left is swept up, and `then` done, under the supervisor's lock: no new one starts meanwhile. Where there was
    no folder for that lock one may have started all the same, and is ended too.
    """
    from exposer.sweep import sweep

    lock, ending = supervisor_lock(found), ending_lock(found)
    procs.wait_until(lambda: acquired(ending), GLANCE)  # where another `down` has it that is as good
    try:
        was_running = _end_supervisors(found, lock)
        swept = sweep(found)
        while _end_supervisors(found, lock):
            was_running = True
            swept += sweep(found)
        for what in swept:
            note(f"ended {what}")
        clear(found)
        if then is not None:
            then()
    finally:
        lock.release()
        ending.release()
    return was_running or bool(swept)


def _end_supervisors(found: Places, lock: FileLock) -> bool:
    """Until we hold the lock. Returns whether there was one."""
    was_running = False

    def free() -> bool:  # a start under way has the lock before it is on record
        return acquired(lock) or supervisor(found) is not None

    while True:
        entry = supervisor(found)
        if entry is not None and entry.process is not None:
            _end(found, entry.process)
            was_running = True
        elif not procs.wait_until(free, PATIENCE):
            raise TimeoutExceededError(
                f"{found.name} is starting, or another command is taking it down, and does not come to an end",
                "try: exposer panic",
            )
        elif acquired(lock) and supervisor(found) is None:
            return was_running


def acquired(lock: FileLock) -> bool:
    """Without a folder or room for the lock's file nobody else can hold it either."""
    try:
        return lock.held or lock.acquire(wait=False)
    except OSError:
        return True


def clear(found: Places) -> None:
    """Removes the runtime folder, once nothing is on record any more."""
    try:
        left = [entry for entry in Ledger(found.ledger).read() if entry.role != "supervisor"]
    except OSError:
        return
    if not left and Path(found.runtime).is_dir():
        _take_in(found)
        shutil.rmtree(found.runtime, ignore_errors=True)


def _take_in(found: Places) -> None:
    """What the gateway has logged and nobody has recorded yet."""
    from exposer.gateway.accesslog import CURRENT, AccessLog
    from exposer.journal import Journal, JournalError
    from exposer.supervisor.recorder import take_in

    folder = Path(found.runtime, "gateway")
    if not (folder / CURRENT).is_file() or not Path(found.state).is_dir():
        return
    try:
        journal = Journal(Path(found.state, "journal.db"))
        try:
            take_in(AccessLog(folder), journal)
        finally:
            journal.close()
    except (JournalError, OSError) as error:
        note(f"warning: the last calls could not be recorded: {error}")


def _end(found: Places, process: ProcessId) -> None:
    try:
        from exposer.control.client import ask

        ask(found.control, "down")
    except NotRunningError:
        note("the supervisor does not answer on its socket; it is asked by signal")
        procs.stop(process, ((15, 5.0), (9, 5.0)))
    if not procs.wait_until(lambda: not process.alive(), PATIENCE, every=0.02):
        procs.stop(process, ((9, 5.0),))
        if process.alive():
            raise TimeoutExceededError(f"the supervisor (pid {process.pid}) does not end", "try: exposer panic")
