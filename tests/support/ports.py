"""Ports of loopback for the servers of the tests."""

import fcntl
import os
import socket
import tempfile
from pathlib import Path

# Below what kernels give to outgoing connections (from 32768), and beside what exposer takes for itself: so nobody
# takes a port between the moment that it is chosen and the moment that a test's server listens on it, or listens again.
RANGE = range(10_000, 20_000)
TURN = Path(tempfile.gettempdir()) / f"exposer-test-ports-{os.getuid()}"


def free_port() -> int:
    """A port that nobody has, and that no other test of this machine is given before 10,000 others were."""
    for _ in RANGE:
        port = _next()
        if _is_free(port):
            return port
    raise OSError("no port of loopback is free")


def _next() -> int:
    fd = os.open(TURN, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        last = os.pread(fd, 16, 0)
        turn = (int(last) + 1 if last.isdigit() else os.getpid()) % len(RANGE)
        os.pwrite(fd, b"%05d" % turn, 0)
    finally:
        os.close(fd)
    return RANGE[turn]


def _is_free(port: int) -> bool:
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
        except OSError as error:
            if family == socket.AF_INET or error.errno not in _WITHOUT_IPV6:
                return False
    return True


_WITHOUT_IPV6 = (97, 99)  # EAFNOSUPPORT, EADDRNOTAVAIL
