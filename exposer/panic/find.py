"""Finds what belongs to an exposure without its ledger: by the mark of our own children, and by nginx's folder."""

import os

from exposer import files, procs
from exposer.panic.bounded import within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


# What a hook of the user's has started in the background and left behind is his own.
SPARED = ("", "hooks")


def family(pid: int) -> list[int]:
    """A process and all that it has started and that still has a parent, eldest first."""
    found = [pid]
    for member in found:
        try:
            with open(f"/proc/{member}/task/{member}/children", encoding="ascii") as file:
                found += [int(word) for word in file.read(65536).split() if int(word) not in found]
        except (OSError, ValueError):
            continue
    return found


def strays(places: files.Places) -> "list[procs.Entry]":
    """Every process that bears this exposure's mark, with its role; our own process is not among them."""
    gateway = within(0.1, lambda: _identity(os.path.join(places.runtime, "gateway")))
    found = []
    for pid in _pids():
        if pid == os.getpid():
            continue
        role = _role(pid, places, gateway)
        if role and (process := procs.ProcessId.of(pid)) is not None:
            found.append(procs.Entry(role, process))
    return found


def _pids() -> "Iterator[int]":
    try:
        yield from (int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) > 1)
    except OSError:
        return


def _role(pid: int, places: files.Places, gateway: "tuple[int, int] | None") -> str:
    """What part it is, "" when it is none of ours. nginx writes its title over its environment, and stays in its
    folder; the others keep the mark that they were started with."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            if file.read(16).strip() == b"nginx":
                return "gateway" if gateway is not None and _identity(f"/proc/{pid}/cwd") == gateway else ""
        with open(f"/proc/{pid}/environ", "rb") as file:
            marks = procs.marked(file.read(1024 * 1024))
    except OSError:
        return ""
    folder, _, role = marks.rpartition(":")
    return role if folder == places.runtime and role not in SPARED else ""


def supervisor(places: files.Places) -> "procs.Entry | None":
    """Who holds the supervisor's lock: one that a person has started in a terminal bears no mark."""
    try:
        info = os.stat(os.path.join(places.state, "supervisor.lock"))
        with open("/proc/locks", encoding="ascii") as file:
            lines = file.read().splitlines()
        where = f"{os.major(info.st_dev):02x}:{os.minor(info.st_dev):02x}:{info.st_ino}"
        holders = [
            int(line.split()[4]) for line in lines if f" {where} " in line and "FLOCK" in line and "->" not in line
        ]
        for pid in holders:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                running = b"up" in file.read(65536).split(b"\0")
            if running and pid != os.getpid() and (process := procs.ProcessId.of(pid)) is not None:
                return procs.Entry("supervisor", process)
    except (OSError, ValueError, IndexError):
        pass
    return None


def _identity(path: str) -> "tuple[int, int] | None":
    try:
        info = os.stat(path)
    except OSError:
        return None
    return info.st_dev, info.st_ino
