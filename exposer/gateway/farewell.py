"""How workers end that still have calls: nginx writes down what has left by those that are cut, which a signal alone
would keep it from."""

import signal
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from exposer import procs
from exposer.gateway import folder as place
from exposer.gateway.doors import SECOND
from exposer.gateway.front import LISTEN, Front
from exposer.procs import ProcessId
from exposer.procs.hanging_up import hang_up, has_open
from exposer.state.model import Tell

PATIENCE = 1.0  # how long nginx gets to notice that its callers have gone (seconds)


def say(folder: Path, front: Front | None, workers: Collection[ProcessId]) -> None:
    """Ends the connections of the callers of these workers, whichever way they came in. Never raises for what it
    cannot do: what follows ends the workers themselves."""
    with suppress(OSError, ValueError):
        ports = set(_ports(folder, front))
        ended = {worker: hang_up(worker, lambda own: _came_in(own, ports)) for worker in workers}
        procs.wait_until(lambda: not any(has_open(worker, ends) for worker, ends in ended.items()), PATIENCE)


def see_off(
    folder: Path, front: Front | None, workers: Collection[ProcessId], cut_at: float | None, tell: Tell
) -> None:
    """Workers that are on their way out may hold streams. With `cut_at` (procs.monotonic) a key has ended, which must
    have none from then on."""
    patience = 1.0 if cut_at is None else cut_at - procs.monotonic()
    if procs.wait_until(lambda: not any(worker.alive() for worker in workers), patience):
        return
    if cut_at is None:
        tell("streams that began before may go on for 10 seconds")
        return
    say(folder, front, workers)
    for worker in workers:
        worker.signal(signal.SIGTERM)
    tell("a key has ended, so streams and calls that began before were cut")


def _came_in(own: Any, ports: Collection[str]) -> bool:
    if isinstance(own, str):
        return own.endswith((place.DOOR, place.STANDBY_DOOR))
    return isinstance(own, tuple) and str(own[1]) in ports


def _ports(folder: Path, front: Front | None) -> Iterator[str]:
    for address in place.read(folder, ["listen", LISTEN, SECOND]).values():
        yield address.rpartition(":")[2]
    if front and front.public:
        yield str(front.public.port)
