"""The kernel's own list of TCP connections: which are ours, how much still waits in them, and their end."""

import _socket
import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from struct import Struct, unpack_from
else:
    from _struct import Struct, unpack_from

AF_NETLINK, SOCK_RAW, SOCK_DIAG = 16, 3, 4
BY_FAMILY, DESTROY = 20, 21
REQUEST, DUMP, ACK = 1, 0x300, 4
ERROR, DONE = 2, 3
TIME_WAIT, CLOSE, LISTEN = 6, 7, 10
# A listener is left: without it nginx would complain without end while it writes out its log.
STATES = 0xFFF & ~(1 << TIME_WAIT | 1 << CLOSE | 1 << LISTEN)
HEAD, ASKED, TOLD = Struct("=IHHII"), Struct("=BBBBI48s"), Struct("=BBBB48sIIIII")
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
    """The way to the kernel; never waits for long."""

    def __enter__(self) -> "Wire":
        self._socket = _socket.socket(AF_NETLINK, SOCK_RAW, SOCK_DIAG)
        self._socket.settimeout(SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, kind: int, flags: int, request: bytes) -> "Iterator[tuple[int, bytes]]":
        self._socket.send(HEAD.pack(HEAD.size + len(request), kind, flags, 1, 0) + request)
        while True:
            data, at = self._socket.recv(65536), 0
            while at + HEAD.size <= len(data):
                size, said, *_ = HEAD.unpack_from(data, at)
                if size < HEAD.size:
                    return
                yield said, data[at + HEAD.size : at + size]
                if said in (DONE, ERROR):
                    return
                at += (size + 3) & ~3


def _all(wire: Wire) -> "Iterator[Connection]":
    for family in (_socket.AF_INET, _socket.AF_INET6):
        request = ASKED.pack(family, _socket.IPPROTO_TCP, 0, 0, STATES, b"")
        for kind, said in wire.ask(BY_FAMILY, REQUEST | DUMP, request):
            if kind == BY_FAMILY and len(said) >= TOLD.size:
                own, _, _, _, identity, _, _, queued, _, inode = TOLD.unpack_from(said)
                yield Connection(own, identity, queued, inode)


def _end(wire: Wire, one: Connection) -> int:
    """0, or the number of the error that kept the kernel from it."""
    request = ASKED.pack(one.family, _socket.IPPROTO_TCP, 0, 0, STATES, one.identity)
    for kind, said in wire.ask(DESTROY, REQUEST | ACK, request):
        if kind == ERROR:
            return -int(unpack_from("=i", said)[0])
    return 0
