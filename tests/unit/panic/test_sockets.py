"""The kernel's list of connections, read and acted upon: with the real kernel, and with answers that are no answer."""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from exposer.panic import sockets

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="connections are destroyed by root only")
FAMILIES = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


@contextmanager
def pair(family: int, address: str) -> Iterator[tuple[socket.socket, socket.socket, int]]:
    """Both ends of a connection, the one that listened first, and its port."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        try:
            listener.bind((address, 0))
        except OSError:
            pytest.skip(f"{address} is not on this machine")
        listener.listen()
        caller = stack.enter_context(socket.socket(family))
        caller.connect(listener.getsockname()[:2])
        served = stack.enter_context(listener.accept()[0])
        yield served, caller, listener.getsockname()[1]


def fill(served: socket.socket, caller: socket.socket) -> int:
    """Writes until no more is taken; how much was."""
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    served.setblocking(False)
    written = 0
    try:
        while True:
            written += served.send(bytes(65536))
    except BlockingIOError:
        return written


def inode(one: socket.socket) -> int:
    return os.fstat(one.fileno()).st_ino


def listed() -> dict[int, sockets.Connection]:
    with sockets.Wire() as wire:
        return {one.inode: one for one in sockets._all(wire)}


@pytest.mark.parametrize(("family", "address"), FAMILIES)
def test_one_list_tells_of_both_families_and_of_what_waits(family: int, address: str) -> None:
    with pair(family, address) as (served, caller, port):
        written = fill(served, caller)
        found = listed()
        assert found[inode(served)].family == family
        assert found[inode(served)].port == port
        assert 0 < found[inode(served)].queued <= written
        assert found[inode(caller)].queued == 0
        assert inode(served) in sockets.of_processes([os.getpid()])


@ROOT
@pytest.mark.parametrize(("family", "address"), FAMILIES)
@pytest.mark.parametrize("by", ["inode", "port"])
def test_what_is_meant_is_destroyed_and_nothing_else(family: int, address: str, by: str) -> None:
    with pair(family, address) as (served, caller, port), pair(family, address) as (other, stranger, _):
        done = sockets.destroy([inode(served)] if by == "inode" else [], [port] if by == "port" else [])
        assert (done.destroyed, done.left, done.queued) == (1, 0, 0)
        with pytest.raises(ConnectionAbortedError):
            served.recv(1)
        with pytest.raises(ConnectionResetError):
            caller.recv(1)
        other.sendall(b"x")
        assert stranger.recv(1) == b"x"
        assert sockets.destroy([inode(served)], []).destroyed == 0, "it is not there a second time"


@ROOT
def test_a_port_means_the_side_that_listens() -> None:
    """The far end of a call to that port may be anybody's; only the near one is ours."""
    with pair(*FAMILIES[0]) as (served, caller, _):
        assert sockets.destroy([], [caller.getsockname()[1]]).destroyed == 1
        with pytest.raises(ConnectionAbortedError):
            caller.recv(1)
        with pytest.raises(ConnectionResetError):
            served.recv(1)


def test_what_may_not_be_destroyed_is_counted_with_what_waits_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_end", lambda wire, one: errno.EPERM)
    with pair(*FAMILIES[0]) as (served, caller, _):
        fill(served, caller)
        done = sockets.destroy([inode(served), inode(caller)], [])
    assert (done.destroyed, done.left, done.why) == (0, 2, os.strerror(errno.EPERM))
    assert done.queued > 0


class Said(sockets.Wire):
    """A kernel that says what a test has it say, a datagram at a time."""

    def __init__(self, *datagrams: bytes) -> None:
        near, self.kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = near
        for datagram in datagrams:
            self.kernel.send(datagram)

    def __enter__(self) -> "Said":
        self._socket.settimeout(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self.kernel.close()


def message(kind: int, body: bytes, size: int | None = None) -> bytes:
    return struct.pack("=IHHII", 16 + len(body) if size is None else size, kind, 0, 1, 0) + body


def told(family: int, port: int, queued: int, number: int) -> bytes:
    """A struct inet_diag_msg, as the kernel's headers have it."""
    identity = struct.pack("!HH", port, 9) + bytes(44)
    return struct.pack("=BBBB48sIIIII", family, 1, 0, 0, identity, 0, 0, queued, 0, number)


def test_the_messages_are_laid_out_as_the_kernel_has_them() -> None:
    end = message(sockets.DONE, bytes(4))
    first, second = told(socket.AF_INET, 80, 7, 11), told(socket.AF_INET6, 443, 1 << 30, 1 << 31)
    with Said(message(18, first) + message(18, second), message(18, bytes(8)) + end) as wire:
        found = [(one.family, one.port, one.queued, one.inode) for one in sockets._all(wire)]
        question = wire.kernel.recv(4096)
    assert found == [(socket.AF_INET, 80, 7, 11), (socket.AF_INET6, 443, 1 << 30, 1 << 31)]
    assert struct.unpack_from("=IHHII", question) == (76, 18, 0x301, 1, 0)
    assert question[16:] == struct.pack("=BBBB48sII", 0, 0, 0, 0, bytes(48), sockets.STATES, 0)


def test_an_end_is_asked_for_as_the_kernel_wants_it() -> None:
    one = sockets.Connection(socket.AF_INET6, bytes(range(48)), 0, 5)
    with Said(message(sockets.ERROR, struct.pack("=i", -errno.ENOENT) + bytes(16))) as wire:
        assert sockets._end(wire, one) == errno.ENOENT
        question = wire.kernel.recv(4096)
    assert struct.unpack_from("=IHHII", question) == (72, 21, 5, 1, 0)
    assert question[16:] == struct.pack("=BBBBI", socket.AF_INET6, 6, 0, 0, sockets.STATES) + bytes(range(48))


@pytest.mark.parametrize(
    "datagrams",
    [
        [message(18, told(2, 80, 0, 1))],  # and no more: the end of the list never comes
        [message(18, told(2, 80, 0, 1), size=15)],
        [message(18, told(2, 80, 0, 1), size=4096)],
        [b"short"],
        [b""],
        [message(sockets.ERROR, struct.pack("=i", -errno.ENOENT))],  # the module is missing
        [message(18, told(2, 80, 0, 1)), message(sockets.ERROR, struct.pack("=i", -errno.ENOMEM))],
    ],
)
def test_a_list_that_breaks_off_is_not_taken_for_a_whole_one(datagrams: list[bytes]) -> None:
    with Said(*datagrams) as wire, pytest.raises(OSError, match=r".+"):
        list(sockets._all(wire))
