"""What pulls the kill switch without a person: an alarm that is heard, and whether it is one that is listened for."""

import os
import sys
from collections.abc import Callable, Collection, Sequence

from exposer import procs
from exposer.files import Places
from exposer.journal import Request
from exposer.procs import ProcessId

# By the kind of the event that tells of it: the wire's name in `panic.on`, and the reason for the report. What callers
# have sent is not in the reason: it is seen in the list of processes. What was changed on this machine is named.
ON_THIS_MACHINE = ("container-changed", "config-drift")
WIRES = {
    "open-without-key": ("auth-canary", "the gateway let something through that it must refuse"),
    "decoy-used": ("decoy-key", "a decoy key was used: somebody has found it"),
    "egress-passed": ("egress", "a key has taken several times what it may within an hour"),
    "container-changed": ("tampered-container", "a container was changed from outside"),
    "config-drift": ("config-drift", "the gateway's files are not those that were written"),
    "probed": ("probing", "somebody was trying out what is there"),
}
WINDOW = 60.0
PATIENCE = 10.0  # for a panic that was begun here to be in force
FORBIDDEN = 403  # a published operation that this key may not call
REFUSED = (400, 401, FORBIDDEN, 404, 405)


def wire(kind: str, on: Collection[str]) -> tuple[str, str] | None:
    """The wire that an event of this kind trips, and the reason; None when it is none, or turned off."""
    found = WIRES.get(kind)
    return found if found is not None and found[0] in on else None


class Probes:
    """Counts the different calls that were refused within a minute. `most` tells how many are nobody's business."""

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._seen: dict[tuple[str, str], float] = {}

    def heard(self, requests: Sequence[Request]) -> int:
        """How many there are when these are too many; else 0. Then counting begins anew."""
        for request in requests:
            if what := _tried(request):
                self._seen[request.method, what] = request.at
        newest = max(self._seen.values(), default=0.0)
        self._seen = {probe: at for probe, at in self._seen.items() if at > newest - WINDOW}
        count = len(self._seen)
        if count <= self._most():
            return 0
        self._seen.clear()
        return count


def _tried(request: Request) -> str:
    """What was tried out and refused: a path that nobody knows, or an operation that is not for this key. An answer of
    the backend's own, such as 404 for a note that is gone, is none."""
    if request.status == FORBIDDEN:
        return request.operation or request.path
    return request.path if request.status in REFUSED and not request.operation else ""


class Tripwires:
    """Pulls once. The kill switch is a process of its own: it does not depend on the one that starts it."""

    def __init__(self, places: Places, note: Callable[..., None], on: Callable[[], Collection[str]]) -> None:
        self._places, self._note, self._on = places, note, on
        self._tripped = False
        self._panic: ProcessId | None = None

    def noted(self, kind: str, text: str) -> None:
        """An event was noted."""
        found = None if self._tripped else wire(kind, self._on())
        if found is None:
            return
        self._tripped = True
        name, reason = found
        reason = text.removeprefix("ALARM: ") if kind in ON_THIS_MACHINE else reason
        self._pull(f"tripwire {name}: {reason}")
        self._note("tripwire", f"{reason}; panic", wire=name)

    def await_panic(self) -> None:
        """Until the panic that was begun here, if any, holds the lock: what has come to its end by itself before that
        must not pass for an exposure that nobody has locked."""
        panic = self._panic
        if panic is not None:
            procs.wait_until(lambda: self._places.locked() or not panic.alive(), PATIENCE)

    def _pull(self, reason: str) -> None:
        argv = [sys.executable, "-m", "exposer.panic", "-q", "--name", self._places.name, "--reason", reason]
        env = {name: value for name, value in os.environ.items() if name != procs.MARK}  # it must not cut itself
        try:
            self._panic = procs.spawn(argv, log=os.devnull, record=lambda process: None, env=env)
        except OSError as error:
            self._tripped = False
            self._note("failed", f"panic could not be started: {error}")
