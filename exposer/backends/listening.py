"""At which addresses a program on this machine listens, as Linux tells (elsewhere little is known)."""

import ipaddress
import os
import re
import socket
import sys
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

LISTEN = "0A"


def beyond_loopback(leader: int, port: int) -> list[str]:
    """The addresses outside the loopback at which the session of `leader` listens on `port`."""
    sockets = listeners(_lines("/proc/net/tcp") + _lines("/proc/net/tcp6"), port)
    outside = {inode: address for inode, address in sockets.items() if not _is_loopback(address)}
    mine = _inodes(leader) if outside else set()
    return sorted({_with_port(outside[inode], port) for inode in outside.keys() & mine})


def beside(upstream: str) -> list[str]:
    """The other addresses of this machine at which the program behind an address of its loopback answers. One that
    another program has on the same port is not meant; an upstream on another machine has none here."""
    parts = urlsplit(upstream)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    here = addresses()
    names = _resolved(host)
    if own := sorted(names & here):
        return [_with_port(address, port) for address in own]
    if not names or not all(_is_loopback(name) for name in names):
        return []
    reached = [address for address in sorted(here) if _answers(address, port)]
    if not reached:
        return []
    sockets = listeners(_lines("/proc/net/tcp") + _lines("/proc/net/tcp6"), port)
    return [_with_port(address, port) for address in reached if not _is_anothers(address, sockets)]


def addresses() -> set[str]:
    """This machine's own, but for the loopback's and those that hold for one link only."""
    found = set(re.findall(r"\|-- ([0-9.]+)\n +/32 host LOCAL", _text("/proc/net/fib_trie")))
    found |= {str(ipaddress.IPv6Address(bytes.fromhex(line[:32]))) for line in _text("/proc/net/if_inet6").splitlines()}
    found |= _resolved(socket.gethostname()) if not found else set()
    return {each for each in found if not _is_loopback(each) and not ipaddress.ip_address(each).is_link_local}


def listeners(lines: Iterable[str], port: int) -> dict[str, str]:
    """Socket inode → address, for those that listen on `port`, out of lines of /proc/net/tcp and tcp6."""
    found = {}
    for line in lines:
        fields = line.split()
        if len(fields) > 9 and fields[3] == LISTEN and ":" in fields[1]:
            address, _, number = fields[1].partition(":")
            if int(number, 16) == port:
                found[fields[9]] = decode(address)
    return found


def decode(text: str) -> str:
    """An address as the kernel prints it: 32-bit words in the machine's own byte order."""
    words = re.findall(".{8}", text)
    raw = b"".join(int(word, 16).to_bytes(4, sys.byteorder) for word in words)
    return str(ipaddress.ip_address(raw))


def _with_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _is_loopback(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback


def _inodes(leader: int) -> set[str]:
    """The sockets of all processes in the session that `leader` opened."""
    names = [name for name in _names("/proc") if name.isdigit() and _in_session(int(name), leader)]
    return {inode for name in names for inode in _sockets(name)}


def _sockets(pid: str) -> set[str]:
    found = set()
    for fd in _names(f"/proc/{pid}/fd"):
        try:
            target = str(Path(f"/proc/{pid}/fd/{fd}").readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


def _in_session(pid: int, leader: int) -> bool:
    try:
        return os.getsid(pid) == leader
    except OSError:
        return False


def _names(folder: str) -> list[str]:
    try:
        return [entry.name for entry in Path(folder).iterdir()]
    except OSError:
        return []


def _lines(path: str) -> list[str]:
    return _text(path).splitlines()[1:]


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except OSError:
        return ""


def _resolved(host: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None)}
    except (OSError, ValueError):
        return set()


def _answers(address: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((address, port), timeout=0.5) as made:
        return bool(made.getsockname() != made.getpeername())  # Linux may connect a socket to itself
    return False


def _is_anothers(address: str, sockets: Mapping[str, str]) -> bool:
    """Whether a socket at this very address, or at all, belongs to another program than the loopback's."""
    lines = {inode: ipaddress.ip_address(at) for inode, at in sockets.items()}
    ours = {inode for inode, at in lines.items() if _is_loopback(str(at))}
    theirs = {i for i, at in lines.items() if str(at) == address or str(getattr(at, "ipv4_mapped", "")) == address}
    theirs = theirs or {inode for inode, at in lines.items() if at.is_unspecified}
    if not ours or not theirs:
        return False  # one socket for all addresses, or the kernel passes on what comes in
    return not _owners(ours) & _owners(theirs)


def _owners(inodes: Collection[str]) -> set[str]:
    """The processes that have one of these sockets."""
    return {name for name in _names("/proc") if name.isdigit() and _sockets(name) & set(inodes)}
