"""Ends connections that another process has, as if the other side had hung up: it notices, and says what they were."""

import os

from exposer.procs.identity import ProcessId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

GETFD = 438  # the number of pidfd_getfd(2), the same on all machines; Python has no function for it


def hang_up(process: ProcessId, wanted: "Callable[[Any], bool]") -> frozenset[int]:
    """Ends those connections of a process whose own address is wanted. Returns their inodes; where the kernel cannot do
    that, or we may not, none."""
    try:
        pidfd = os.pidfd_open(process.pid)
    except (AttributeError, OSError, OverflowError):
        return frozenset()
    try:
        numbers = [int(name) for name in os.listdir(f"/proc/{process.pid}/fd")] if process.alive() else []
        return frozenset(inode for number in numbers if (inode := _end(pidfd, number, wanted)))
    except OSError:
        return frozenset()
    finally:
        os.close(pidfd)


def has_open(process: ProcessId, inodes: "Collection[int]") -> bool:
    """Whether a process still holds one of these connections."""
    links = {f"socket:[{inode}]" for inode in inodes}
    try:
        folder = f"/proc/{process.pid}/fd"
        return any(_leads_to(f"{folder}/{name}") in links for name in os.listdir(folder))
    except OSError:
        return False


def _leads_to(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def _end(pidfd: int, number: int, wanted: "Callable[[Any], bool]") -> int:
    """The inode of a connection that was ended, else 0."""
    import ctypes
    import socket

    fd = ctypes.CDLL(None).syscall(GETFD, pidfd, number, 0)
    if fd < 0:
        return 0
    try:
        copy = socket.socket(fileno=fd)
    except OSError:  # no socket
        os.close(fd)
        return 0
    with copy:
        try:
            copy.getpeername()  # of one that listens there is none, and it belongs to others as well
            if not wanted(copy.getsockname()):
                return 0
            copy.shutdown(socket.SHUT_RDWR)
            return os.fstat(copy.fileno()).st_ino
        except OSError:
            return 0
