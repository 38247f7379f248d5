"""Ends and removes whatever of an exposure is still there, by its ledger and its labels."""

from exposer import procs
from exposer.engine.client import remove_all
from exposer.engine.removal import reachable, remove
from exposer.errors import ExposerError
from exposer.files import Places
from exposer.procs import Entry, Ledger

# What gets traffic goes first.
ORDER = ("tunnel", "gateway", "link", "backend", "network")
QUICK = ((15, 3.0), (9, 3.0))


def sweep(places: Places) -> list[str]:
    """Ends what is left and returns what it was. The ledger is emptied; safe to call when nothing is there."""
    ledger = Ledger(places.ledger)
    entries = [entry for entry in ledger.entries() if entry.role != "supervisor"]
    ended = [what for entry in sorted(entries, key=_rank) if (what := end_process(entry))]
    if reachable():
        try:
            ended += remove_all(places.name)
        except ExposerError:
            if any(entry.ids for entry in entries):
                raise
    if entries:
        ledger.keep(lambda entry: entry.role == "supervisor")
    return ended


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
