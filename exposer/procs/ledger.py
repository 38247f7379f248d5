"""The ledger: everything that exposer has started, and how it is found again."""

import _thread
import errno
import os

from exposer.procs.identity import ProcessId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


class Entry:
    """One line of the ledger: something that exposer started, and how to find it again.

    `role` is its part; a process has `process`, a Docker object `ids` (container, network, …).
    `digest` is that of the wish it was started for; `detail` is what an adopter needs to know.
    """

    __slots__ = ("detail", "digest", "ids", "process", "role")

    def __init__(
        self,
        role: str,
        process: ProcessId | None = None,
        ids: "Mapping[str, str] | None" = None,
        digest: str = "",
        detail: "Mapping[str, Any] | None" = None,
    ) -> None:
        self.role = role
        self.process = process
        self.ids: dict[str, str] = dict(ids or {})
        self.digest = digest
        self.detail: dict[str, Any] = dict(detail or {})

    def to_line(self) -> bytes:
        data: dict[str, Any] = {"role": self.role, **self.ids, "digest": self.digest, "detail": self.detail}
        if self.process is not None:
            data |= {"pid": self.process.pid, "started": self.process.started, "boot": self.process.boot}
        import json

        return json.dumps(data, sort_keys=True).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Entry | None":
        """The entry a line stands for; None for a torn or foreign line."""
        try:
            data = _json(line)
            role, pid = data["role"], data.get("pid")
            process = None if pid is None else ProcessId(int(pid), str(data["started"]), str(data["boot"]))
            ids = {k: str(data[k]) for k in ("container", "network", "service", "image") if k in data}
            return cls(str(role), process, ids, str(data.get("digest", "")), dict(data.get("detail") or {}))
        except Exception:  # whatever is wrong with one line: the others must still be found, the kill switch needs them
            return None


class _Plainly:
    """How the C half of `json` is to read: as `json.loads` does."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, float
    memo: "dict[str, str]" = {}


def _json(line: bytes) -> "Any":
    """As `json.loads`, which costs a panic 5 ms for importing `re`. Raises something when it is not one JSON value."""
    import _json as c

    text = line.decode().strip()
    value, end = c.make_scanner(_Plainly)(text, 0)  # type: ignore[arg-type]  # any object with these names
    if end != len(text):
        raise ValueError(f"more than one JSON value: {text[end:]}")
    return value


_WRITING: "dict[str, _thread.LockType]" = {}  # by ledger: whoever forgets lines must not lose somebody else's new one


class Ledger:
    """The list of everything that exposer started, one JSON object a line, written before the thing gets traffic."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = _WRITING.setdefault(path, _thread.allocate_lock())

    def append(self, entry: Entry) -> None:
        """Adds a line with one write; a torn last line (a crash, a full disk) is closed off first. Raises OSError."""
        with self._lock:
            self._append(entry)

    def _append(self, entry: Entry) -> None:
        fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(fd).st_size
            torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
            line = (b"\n" if torn else b"") + entry.to_line()
            if os.write(fd, line) != len(line):
                raise OSError(errno.ENOSPC, "the ledger could not be written whole", self.path)
            os.fsync(fd)
        finally:
            os.close(fd)

    def entries(self) -> list[Entry]:
        """Every readable line, oldest first; torn lines are passed over, and a ledger that cannot be read has none."""
        try:
            return self.read()
        except OSError:
            return []

    def read(self) -> list[Entry]:
        """As `entries`, but raises OSError when there is a ledger and it cannot be read."""
        from exposer import files

        try:
            lines = files.read_private(self.path, 64 * 1024 * 1024).splitlines()
        except FileNotFoundError:
            return []
        return [entry for line in lines if (entry := Entry.from_line(line)) is not None]

    def keep(self, wanted: "Callable[[Entry], bool]") -> None:
        """Forgets the entries that are not `wanted` any more (they are gone for sure).

        Raises OSError, with nothing forgotten: a ledger that cannot be read just now is not an empty one.
        """
        from exposer import files

        with self._lock:
            kept = [entry for entry in self.read() if wanted(entry)]
            files.swap(self.path, b"".join(entry.to_line() for entry in kept))
