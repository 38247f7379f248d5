"""Processes: known by more than their pid, started only once they are on record, signalled as groups.

Standard library only, with the slow imports inside functions: the panic path uses this.
"""

from exposer.procs.children import (
    INHERITED,
    MARK,
    Finished,
    child_environment,
    exit_code,
    mark,
    marked,
    reap,
    run,
    spawn,
)
from exposer.procs.ending import giving_way, hurry, monotonic, pause, save_memory, stop, take_time, wait_until
from exposer.procs.identity import ProcessId, boot_id, group_exists, started_at
from exposer.procs.ledger import Entry, Ledger

__all__ = [
    "INHERITED",
    "MARK",
    "Entry",
    "Finished",
    "Ledger",
    "ProcessId",
    "boot_id",
    "child_environment",
    "exit_code",
    "giving_way",
    "group_exists",
    "hurry",
    "mark",
    "marked",
    "monotonic",
    "pause",
    "reap",
    "run",
    "save_memory",
    "spawn",
    "started_at",
    "stop",
    "take_time",
    "wait_until",
]
