"""Ports of 127.0.0.1 for the programs that exposer starts."""

import secrets
import socket
from contextlib import suppress

from exposer.errors import ExposerError

LASTING = range(20_000, 32_000)  # Linux gives outgoing connections those from 32768 on (ip_local_port_range)


def free() -> int:
    """A port that nobody has, and that the kernel does not give to anybody's outgoing connection before its program
    has taken it, nor while that program is started again."""
    for _ in range(100):
        with suppress(ExposerError):
            return check(secrets.choice(LASTING))
    return check(0)


def check(wanted: int) -> int:
    """The port itself when it can be used; for 0 any that can. Raises ExposerError."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as error:
            raise ExposerError(f"port {wanted} of 127.0.0.1 cannot be used: {error.strerror}") from None
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether nobody has that port."""
    try:
        check(port)
    except ExposerError:
        return False
    return True
