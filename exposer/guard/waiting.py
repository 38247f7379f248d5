"""Waits for one of several processes to end, without looking again and again where the kernel can tell."""

import os
import select

from exposer import procs
from exposer.procs import ProcessId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def wait(processes: "Iterable[ProcessId | None]", seconds: float, told: int = -1) -> None:
    """Returns after so many seconds, or sooner when one of these that are alive has ended, or the descriptor `told` can
    be read."""
    fds = [fd for process in processes if process is not None and (fd := _open(process)) >= 0]
    try:
        if not fds and told < 0:
            procs.pause(seconds)
            return
        poll = select.poll()
        for fd in (*fds, *([told] if told >= 0 else [])):
            poll.register(fd, select.POLLIN)
        poll.poll(seconds * 1000)
    finally:
        for fd in fds:
            os.close(fd)


def _open(process: ProcessId) -> int:
    """A descriptor that becomes readable when it ends; -1 for one that has ended, or where there are none."""
    try:
        fd = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        return -1
    if process.alive():
        return fd
    os.close(fd)
    return -1
