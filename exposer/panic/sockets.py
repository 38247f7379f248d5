"""The kernel's own list of TCP connections: which are ours, how much still waits in them, and their end."""

import _socket
import errno
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

AF_NETLINK, SOCK_RAW, SOCK_DIAG = 16, 3, 4
# The older of the two questions tells of both families in one go through the kernel's table.
OF_BOTH, DESTROY = 18, 21
REQUEST, DUMP, ACK = 1, 0x300, 4
ERROR, DONE = 2, 3
TIME_WAIT, CLOSE, LISTEN = 6, 7, 10
# A listener is left: without it nginx would complain without end while it writes out its log.
STATES = 0xFFF & ~(1 << TIME_WAIT | 1 << CLOSE | 1 << LISTEN)
HEAD, TOLD = 16, 72  # bytes of a message's head, and of what is told of one connection (inet_diag_msg)
SECONDS = 0.5
COUNTED = ("destroyed", "left", "queued")


class Outcome:
    """What became of them: how many were destroyed, how many bytes wait in those that could not be, and why."""

    __slots__ = ("destroyed", "left", "queued", "why")

    def __init__(self) -> None:
        self.destroyed = self.left = self.queued = 0
        self.why = ""


class Connection:
    """One connection as the kernel tells it. `queued` bytes have been written to it and not yet been received."""

    __slots__ = ("family", "identity", "inode", "port", "queued")

    def __init__(self, family: int, identity: bytes, queued: int, inode: int) -> None:
        self.family = family
        self.identity = identity
        self.queued = queued
        self.inode = inode
        self.port = int.from_bytes(identity[:2], "big")


def of_processes(pids: "Collection[int]") -> set[int]:
    """The inodes of all sockets that these processes hold and we may see."""
    found = set()
    for pid in pids:
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                target = os.readlink(f"/proc/{pid}/fd/{fd}")
                if target.startswith("socket:["):
                    found.add(int(target[8:-1]))
        except (OSError, ValueError):
            continue
    return found


def destroy(inodes: "Collection[int]", ports: "Collection[int]") -> Outcome:
    """Ends the connections of these inodes, and those on our side of these ports, with all that waits in them.

    A port counts on the side that listens only: the other end may be anybody's. Raises OSError.
    """
    outcome = Outcome()
    with Wire() as wire:
        for one in list(_all(wire)):
            if not (one.inode in inodes or one.port in ports):
                continue
            number = _end(wire, one)
            if number == 0:
                outcome.destroyed += 1
            elif number != errno.ENOENT:  # then it has ended by itself
                outcome.left += 1
                outcome.queued += one.queued
                outcome.why = os.strerror(number)
    return outcome


class Wire:
    """The way to the kernel; never waits for long. Numbers are in the machine's own order, put together by hand: the
    module that does such things is a library of its own to load."""

    def __enter__(self) -> "Wire":
        self._socket = _socket.socket(AF_NETLINK, SOCK_RAW, SOCK_DIAG)
        self._socket.settimeout(SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, kind: int, flags: int, request: bytes) -> "Iterator[tuple[int, memoryview]]":
        """The messages of one answer, the last one too. Raises OSError when it breaks off."""
        head = _number(HEAD + len(request), 4) + _number(kind, 2) + _number(flags, 2) + _number(1, 4) + bytes(4)
        self._socket.send(head + request)
        while True:
            data, at = memoryview(self._socket.recv(65536)), 0
            while at + HEAD <= len(data):
                size, said = _at(data, at, 4), _at(data, at + 4, 2)
                if not HEAD <= size <= len(data) - at:
                    raise OSError(errno.EBADMSG, "the kernel's list of connections is not understood")
                yield said, data[at + HEAD : at + size]
                if said in (DONE, ERROR):
                    return
                at += (size + 3) & ~3
            if at == 0:
                raise OSError(errno.EBADMSG, "the kernel's list of connections breaks off")


def _all(wire: Wire) -> "Iterator[Connection]":
    """Raises OSError also where the kernel has no such list: none at all is not an empty one."""
    request = bytes(52) + _number(STATES, 4) + bytes(4)
    for kind, said in wire.ask(OF_BOTH, REQUEST | DUMP, request):
        if kind == OF_BOTH and len(said) >= TOLD:
            yield Connection(said[0], bytes(said[4:52]), _at(said, 60, 4), _at(said, 68, 4))
        elif kind == ERROR and (number := _failure(said)):
            raise OSError(number, os.strerror(number))


def _end(wire: Wire, one: Connection) -> int:
    """0, or the number of the error that kept the kernel from it."""
    request = bytes([one.family, _socket.IPPROTO_TCP, 0, 0]) + _number(STATES, 4) + one.identity
    for kind, said in wire.ask(DESTROY, REQUEST | ACK, request):
        if kind == ERROR:
            return _failure(said)
    return 0


def _failure(said: memoryview) -> int:
    """The number of the error, 0 for none; the kernel tells it below zero."""
    return -int.from_bytes(said[:4], sys.byteorder, signed=True)


def _number(value: int, size: int) -> bytes:
    return value.to_bytes(size, sys.byteorder)


def _at(data: memoryview, begin: int, size: int) -> int:
    return int.from_bytes(data[begin : begin + size], sys.byteorder)
