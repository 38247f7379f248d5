"""Reads the gateway's log as it grows: lines become requests, and no line is lost or taken twice.

nginx writes whole lines into `access.log`. When that is large it is renamed to `access.log.1` and nginx is asked to
open a new one; until all its processes have done so, lines may arrive in either. So both are read, each from where it
was left, which the journal keeps together with the requests it got. A file's first line is its name for that: an inode
may be given to another file later.
"""

import json
import os
import re
import signal
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exposer.gateway import host
from exposer.journal import Request
from exposer.procs import ProcessId, giving_way

CURRENT, OLD = "access.log", "access.log.1"
TESTS = "tests"  # the ids of the self-test's keys that never leave this machine, the last ones too
MOST_BYTES = 256_000  # of one file in one go: the journal is held until all of it is in
LARGE = 64_000_000
HEAD = re.compile(rb'\{"log":"([0-9a-f]{24})"\}')
DONE = -1  # of a file that is read to its end and may go
NO_STATUS = re.compile(rb'("status":)0+(?=[0-9])')  # nginx writes 000 for a call that it gave up: that is no number
LONGEST = 64 * 1024  # a line without an end that is longer than this is no line
DECODER = json.JSONDecoder(strict=False)  # made once: `json.loads` makes another for each line


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests that were read, how far that is (a file's name → offset), how many lines made no sense, whether a file
    is gone or shorter that had not been read to its end for sure, and whether there is more to read at once."""

    requests: tuple[Request, ...]
    reading: Mapping[str, int]
    senseless: int = 0
    missing: bool = False
    more: bool = False


@dataclass
class _Piece:
    """What one file gave."""

    name: str
    begins: int
    ends: int
    requests: list[Request] = field(default_factory=list)
    senseless: int = 0
    more: bool = False


class AccessLog:
    """The logs in the gateway's folder. `read` changes nothing; what it returns counts once the journal has it."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)

    def mark(self) -> tuple[tuple[int, int, int], ...]:
        """Changes whenever a log has grown, is another or is gone; cheaper than reading nothing."""
        return tuple(_mark(f"{self._folder}/{name}") for name in (OLD, CURRENT))

    def read(self, reading: Mapping[str, int]) -> Batch:
        """What has come since `reading`. Raises OSError when a log is there and cannot be read."""
        pieces = [piece for name in (OLD, CURRENT) if (piece := self._piece(name, reading)) is not None]
        tests = self._tests() if any(piece.requests for piece in pieces) else set()
        return Batch(
            tuple(request for piece in pieces for request in piece.requests if request.key not in tests),
            {piece.name: piece.ends for piece in pieces},
            sum(piece.senseless for piece in pieces),
            any(known not in {p.name for p in pieces if p.begins == at} for known, at in reading.items() if at != DONE),
            any(piece.more for piece in pieces),
        )

    def _piece(self, name: str, reading: Mapping[str, int]) -> _Piece | None:
        try:
            fd = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        with os.fdopen(fd, "rb", buffering=0) as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode):
                return None
            known = _name(file.read(200) or b"", info.st_ino)
            begins = reading.get(known, 0)
            if begins == DONE:
                return _Piece(known, DONE, DONE)
            begins = 0 if begins > info.st_size else begins  # somebody has emptied it
            piece = _Piece(known, begins, begins)
            file.seek(begins)
            _take(piece, file.read(MOST_BYTES) or b"")
        return piece

    def _tests(self) -> set[str]:
        """Keys that only the self-test can have called with. One that a tunnel's far side has seen is not among them:
        whatever comes by one of these beyond our own calls is on record."""
        try:
            return set((self._folder / TESTS).read_text(encoding="ascii").split())
        except (OSError, ValueError):
            return set()

    def room(self) -> int:
        """How many bytes can still be written beside the logs; plenty where there is no folder."""
        try:
            disk = os.statvfs(self._folder)
        except OSError:
            return LARGE
        return disk.f_bavail * disk.f_frsize

    def turn(self, master: ProcessId | None) -> bool:
        """Begins a new file when the present one is large and nothing is left of the one before; True when it did.

        The new one is there before nginx opens it, so that nobody else can read it.
        """
        with suppress(FileNotFoundError):
            current = self._folder / CURRENT
            if master is None or current.stat().st_size < LARGE or (self._folder / OLD).exists():
                return False
            info = current.stat()
            current.rename(self._folder / OLD)
            begin(self._folder, (info.st_uid, info.st_gid))
            master.signal(signal.SIGUSR1)
            return True
        return False

    def finished(self, reading: Mapping[str, int], master: ProcessId | None) -> str:
        """The name of the old file once it is read to its end and no process of nginx has it open, else ""."""
        try:
            with (self._folder / OLD).open("rb") as file:
                info = os.fstat(file.fileno())
                known = _name(file.read(200), info.st_ino)
        except FileNotFoundError:
            return ""
        if reading.get(known) == DONE:
            return known
        is_read = not held_open(_family(master), info.st_ino) and reading.get(known, 0) >= self._old_size()
        return known if is_read else ""

    def drop(self) -> None:
        """Removes the old file."""
        (self._folder / OLD).unlink(missing_ok=True)

    def _old_size(self) -> int:
        return (self._folder / OLD).stat().st_size


def _mark(path: str) -> tuple[int, int, int]:
    try:
        info = os.lstat(path)
    except FileNotFoundError:
        return (0, 0, 0)
    return (info.st_ino, info.st_size, info.st_mtime_ns)


def begin(folder: Path, owner: tuple[int, int] | None = None) -> None:
    """Makes the log, with its name in it, when there is none; nginx itself would let others read it."""
    try:
        fd = os.open(folder / CURRENT, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    try:
        os.write(fd, f'{{"log":"{os.urandom(12).hex()}"}}\n'.encode())
        if owner is not None:
            with suppress(PermissionError):
                os.fchown(fd, *owner)
    finally:
        os.close(fd)


def _family(master: ProcessId | None) -> list[int]:
    """nginx's processes, those on their way out too."""
    return [] if master is None else [master.pid, *host.children(master.pid)]


def held_open(pids: Sequence[int], inode: int) -> bool:
    """Whether one of these processes has a file open, by its inode. Where that cannot be seen: yes."""
    for pid in pids:
        try:
            handles = list(Path(f"/proc/{pid}/fd").iterdir())
        except FileNotFoundError:
            continue
        except OSError:
            return True
        for handle in handles:
            with suppress(OSError):
                if handle.stat().st_ino == inode:
                    return True
    return not Path("/proc/self/fd").is_dir()


def parse(line: bytes) -> Request | None:
    """The request that a line tells of; None when it makes no sense."""
    try:
        if b'"status":0' in line:
            line = NO_STATUS.sub(rb"\1", line)
        said: dict[str, Any] = DECODER.decode(line.decode(errors="replace"))
        return Request(
            float(said["time"]),
            _plain(said["key"], 64),
            _plain(said["operation"], 200),
            _plain(said["method"], 32),
            int(said["status"]),
            int(said["bytes"]),
            float(said["duration"]),
            _plain(said["request"], 64),
            _plain(said["address"], 64),
            _plain(said.get("path", ""), 2000),
            _plain(said.get("host", ""), 253),
            _plain(said.get("door", ""), 32),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _take(piece: _Piece, data: bytes) -> None:
    """Whole lines only: half a line waits for its rest."""
    end = data.rfind(b"\n") + 1
    if end == 0 and len(data) >= LONGEST:
        piece.senseless += 1
        end = len(data)
    for line in giving_way(data[:end].splitlines()):
        request = parse(line)
        if request is not None:
            piece.requests.append(request)
        elif line.strip(b"\0 ") and not HEAD.match(line):
            piece.senseless += 1
    piece.ends = piece.begins + end
    piece.more = len(data) == MOST_BYTES


def _name(head: bytes, inode: int) -> str:
    """What a file is called for good; one that we did not begin by its inode."""
    found = HEAD.match(head)
    return found[1].decode() if found else f"inode {inode}"


def _plain(text: object, most: int) -> str:
    """Without control characters: a terminal shows it, and the chain's separator is one."""
    if not isinstance(text, str):
        raise TypeError
    short = text[:most]
    return short if short.isprintable() else "".join(c if c.isprintable() else "?" for c in short)
