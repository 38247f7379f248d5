"""Ends and removes whatever of an exposure is still there, by its ledger and its labels."""

from pathlib import Path

from exposer import procs
from exposer.engine.client import remove_all
from exposer.engine.removal import reachable, remove
from exposer.errors import ExposerError
from exposer.files import Places
from exposer.procs import Entry, Ledger

# What gets traffic goes first.
ORDER = ("tunnel", "standby", "gateway", "link", "backend", "network")
QUICK = ((15, 3.0), (9, 3.0))


def sweep(places: Places) -> list[str]:
    """Ends what is left and returns what it was. What is gone is taken off the ledger; safe when nothing is there.

    Raises ExposerError for what could not be ended, and OSError when the ledger cannot be read.
    """
    ledger = Ledger(places.ledger)
    entries = [entry for entry in ledger.read() if entry.role != "supervisor"]
    ended = [what for entry in sorted(entries, key=_rank) if (what := end_process(entry))]
    ended += _remove_objects(places.name, wanted=any(entry.ids for entry in entries))
    stuck = [entry for entry in entries if not entry.ids and entry.process is not None and entry.process.alive()]
    if entries:
        _forget(ledger, entries, stuck)
    if stuck:
        who = ", ".join(f"{entry.role} (pid {entry.process.pid})" for entry in stuck if entry.process)
        raise ExposerError(f"{who} does not end, even by force", "try again: exposer down; else restart the machine")
    return ended


def _remove_objects(name: str, wanted: bool) -> list[str]:
    """What bears our labels in the engine. Only with something on record it matters that there is no engine."""
    if not wanted and not reachable():
        return []
    try:
        return remove_all(name)
    except ExposerError as error:
        if not wanted:
            return []
        error.hint = f"{error.hint}; then take down what it holds: exposer down".removeprefix("; ")
        raise


def _forget(ledger: Ledger, seen: list[Entry], stuck: list[Entry]) -> None:
    """What has been ended; not what was put on record only now."""
    gone = {entry.to_line() for entry in seen} - {entry.to_line() for entry in stuck}
    try:
        ledger.keep(lambda entry: entry.to_line() not in gone)
    except OSError:  # a full disk: nothing of what it names is left, so it may go as a whole
        if all(entry.to_line() in gone or entry.role == "supervisor" for entry in ledger.entries()):
            Path(ledger.path).unlink(missing_ok=True)


def end(entry: Entry) -> None:
    """Ends what one ledger entry names: a process of ours, or an object in the Docker engine."""
    if entry.ids:
        remove(entry.ids)
    else:
        end_process(entry)


def end_process(entry: Entry) -> str:
    """Ends a process and its group; returns what it was, or "" when it was gone. Containers are left to the engine."""
    if entry.ids or entry.process is None:
        return ""
    was_alive = entry.process.alive()
    procs.stop(entry.process, QUICK)
    return f"{entry.role} (pid {entry.process.pid})" if was_alive else ""


def _rank(entry: Entry) -> int:
    return ORDER.index(entry.role) if entry.role in ORDER else len(ORDER)
