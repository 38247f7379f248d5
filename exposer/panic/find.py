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
            with open(f"/proc/{member}/task/{member}/children", "rb") as file:  # a codec would have to be loaded
                found += [int(word) for word in file.read(65536).split() if int(word) not in found]
        except (OSError, ValueError):
            continue
    return found


def strays(places: files.Places) -> "list[procs.Entry]":
    """Every process that bears this exposure's mark, with its role; our own process is not among them."""
    gateway = within(0.1, lambda: _identity(os.lstat(os.path.join(places.runtime, "gateway"))))
    folders = (places.runtime, within(0.1, lambda: os.path.realpath(places.runtime)))
    found = []
    for pid in _pids():
        folder, role = _mark(pid)
        if (folder in folders or _is_in(pid, role, gateway)) and (process := procs.ProcessId.of(pid)) is not None:
            found.append(procs.Entry(role, process))
    return found


def marked(root: str) -> list[str]:
    """The exposures whose mark something bears that runs; nothing may be left of their folders in `root`."""
    roots = (root, within(0.1, lambda: os.path.realpath(root)))
    parts = (_mark(pid)[0].rpartition("/") for pid in _pids())
    return list(dict.fromkeys(name for parent, _, name in parts if parent in roots and not name.startswith(".")))


def _pids() -> "Iterator[int]":
    try:
        yield from (int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in (1, os.getpid()))
    except OSError:
        return


def _mark(pid: int) -> tuple[str, str]:
    """The runtime folder that a process belongs to, and what part it is there; "" and "" for none of ours. nginx writes
    its title over its environment, and stays in its folder, also when that is gone; the others keep their mark."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            if file.read(16).strip() == b"nginx":
                folder, _, name = os.readlink(f"/proc/{pid}/cwd").removesuffix(" (deleted)").rpartition("/")
                return folder if name == "gateway" else "", "gateway"
        with open(f"/proc/{pid}/environ", "rb") as file:
            marks = procs.marked(file.read(1024 * 1024))
    except OSError:
        return "", ""
    folder, _, role = marks.rpartition(":")
    return ("", "") if role in SPARED else (folder, role)


def _is_in(pid: int, role: str, gateway: "tuple[int, int] | None") -> bool:
    """Whether it is nginx in that very folder, whatever it calls it: a container has another name for it."""
    try:
        return role == "gateway" and gateway is not None and _identity(os.stat(f"/proc/{pid}/cwd")) == gateway
    except OSError:
        return False


def supervisor(places: files.Places) -> "procs.Entry | None":
    """Who holds the supervisor's lock: one that a person has started in a terminal bears no mark."""
    try:
        info = os.stat(os.path.join(places.state, "supervisor.lock"))
        with open("/proc/locks", encoding="utf-8") as file:
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


def _identity(info: os.stat_result) -> tuple[int, int]:
    return info.st_dev, info.st_ino
