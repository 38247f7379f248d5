"""At which addresses a program on this machine listens, as Linux tells (elsewhere nothing is known)."""

import ipaddress
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

LISTEN = "0A"


def beyond_loopback(leader: int, port: int) -> list[str]:
    """The addresses outside the loopback at which the session of `leader` listens on `port`."""
    sockets = listeners(_lines("/proc/net/tcp") + _lines("/proc/net/tcp6"), port)
    outside = {inode: address for inode, address in sockets.items() if not _is_loopback(address)}
    mine = _inodes(leader) if outside else set()
    return sorted({_with_port(outside[inode], port) for inode in outside.keys() & mine})


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
    found = set()
    for name in _names("/proc"):
        if not name.isdigit() or not _in_session(int(name), leader):
            continue
        for fd in _names(f"/proc/{name}/fd"):
            try:
                target = str(Path(f"/proc/{name}/fd/{fd}").readlink())
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
    try:
        return Path(path).read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return []
