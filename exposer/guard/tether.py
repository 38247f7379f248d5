"""Tethers: groups of processes that the kernel itself kills when this process ends, in whatever way it ends.

A pipe whose two ends are ours and of which nobody reads: when this process is gone the kernel closes one end, then the
other, and tells the owner of the end that is left by a signal. The owner is the group, the signal SIGKILL. No code of
ours runs then; neither the group nor whoever has started it need know of it, and no thread or change of user breaks it,
as they break parent-death signals. Where the kernel has no such signals (macOS) nothing is tethered.
"""

import fcntl
import os
import signal

from exposer import procs
from exposer.procs import ProcessId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

KNOWN = hasattr(fcntl, "F_SETSIG")


class Tethers:
    """What is held. A process that was held once is held until its whole group is gone, or it is let go."""

    def __init__(self) -> None:
        self._held: dict[ProcessId, tuple[int, int]] = {}

    def hold(self, processes: "Iterable[ProcessId]") -> None:
        """These too, from now on; what is gone is forgotten. What cannot be held now is tried again the next time."""
        for process in [process for process in self._held if not procs.group_exists(process.pid)]:
            self._drop(process)
        for process in processes:
            if KNOWN and process not in self._held and process.alive():
                try:
                    self._tie(process)
                except OSError:
                    continue

    def any(self) -> bool:
        """Whether something that is held still runs."""
        return any(process.alive() for process in self._held)

    def let_go(self) -> None:
        """Nothing happens to them any more when this process ends."""
        for process in list(self._held):
            self._drop(process)

    def _tie(self, process: ProcessId) -> None:
        number = signal.SIGTERM if _first_of_its_own(process.pid) else signal.SIGKILL
        ends = os.pipe()
        self._held[process] = ends
        try:
            owner = -process.pid if os.getpgid(process.pid) == process.pid else process.pid
            for end in ends:
                fcntl.fcntl(end, fcntl.F_SETOWN, owner)
                fcntl.fcntl(end, fcntl.F_SETSIG, number)
            if process.alive():  # else the number may be somebody else's by now; the kernel has kept whose it was
                _arm(ends, os.O_ASYNC)
                return
        except BaseException:
            self._drop(process)
            raise
        self._drop(process)

    def _drop(self, process: ProcessId) -> None:
        ends = self._held.pop(process)
        _arm(ends, 0)  # closing one end is what sets it off
        for end in ends:
            os.close(end)


def _first_of_its_own(pid: int) -> bool:
    """Whether it is the first process of a container: the kernel keeps from those every signal of its own making that
    they do not handle, SIGKILL too. nginx handles SIGTERM, and ends at once."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            numbers = next((line.split()[1:] for line in file if line.startswith("NSpid:")), [])
    except OSError:
        return False
    return len(numbers) > 1 and numbers[-1] == "1"


def _arm(ends: tuple[int, int], flag: int) -> None:
    for end in ends:
        fcntl.fcntl(end, fcntl.F_SETFL, fcntl.fcntl(end, fcntl.F_GETFL) & ~os.O_ASYNC | flag)
