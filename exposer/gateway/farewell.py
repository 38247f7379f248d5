"""Has nginx write down what has left by calls that are about to be cut: a signal alone would keep it from that."""

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

PATIENCE = 1.0  # how long nginx gets to notice that its callers have gone (seconds)


def say(folder: Path, front: Front | None, workers: Collection[ProcessId]) -> None:
    """Ends the connections of the callers of these workers, whichever way they came in. Never raises for what it
    cannot do: what follows ends the workers themselves."""
    with suppress(OSError, ValueError):
        ports = set(_ports(folder, front))
        ended = {worker: hang_up(worker, lambda own: _came_in(own, ports)) for worker in workers}
        procs.wait_until(lambda: not any(has_open(worker, ends) for worker, ends in ended.items()), PATIENCE)


def _came_in(own: Any, ports: Collection[str]) -> bool:
    if isinstance(own, str):
        return own.endswith((place.DOOR, place.STANDBY_DOOR))
    return isinstance(own, tuple) and str(own[1]) in ports


def _ports(folder: Path, front: Front | None) -> Iterator[str]:
    for address in place.read(folder, ["listen", LISTEN, SECOND]).values():
        yield address.rpartition(":")[2]
    if front and front.public:
        yield str(front.public.port)
