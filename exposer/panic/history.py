"""What left before the cut, read from the journal and from what the gateway's log has beyond it; never needed."""

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from exposer.files import Places

DAY = 86400.0
MOST_BYTES = 16 * 1024 * 1024  # of a log that nobody has taken in
LISTED = 20


def what_left(places: "Places", until: float, since: float) -> "dict[str, Any]":
    """Sums of calls and bytes, by operation, key and address. Raises OSError or sqlite3.Error."""
    sums = _Sums()
    reading: dict[str, int] = {}
    for at, key, operation, size, address, status in _journalled(places, since, reading):
        sums.add(at, key, operation, size, address, status)
    for at, key, operation, size, address, status in _logged(places, since, reading):
        sums.add(at, key, operation, size, address, status)
    return {"since": since, "until": until, **sums.as_dict()}


class _Sums:
    def __init__(self) -> None:
        self.answered = self.refused = self.bytes = 0
        self.by: dict[str, dict[str, list[int]]] = {"operations": {}, "keys": {}, "addresses": {}}

    def add(self, at: float, key: str, operation: str, size: int, address: str, status: int) -> None:
        if not key or status >= 400:
            self.refused += 1
            return
        self.answered += 1
        self.bytes += size
        for what, name in (("operations", operation or "-"), ("keys", key), ("addresses", address or "-")):
            row = self.by[what].setdefault(name, [0, 0])
            row[0] += 1
            row[1] += size

    def as_dict(self) -> "dict[str, Any]":
        rows = {
            what: [
                {"name": name, "calls": calls, "bytes": size}
                for name, (calls, size) in sorted(found.items(), key=lambda item: -item[1][1])
            ]
            for what, found in self.by.items()
        }
        return {"calls": self.answered, "refused": self.refused, "bytes": self.bytes, **rows}


def _journalled(places: "Places", since: float, reading: dict[str, int]) -> "Iterator[tuple[Any, ...]]":
    path = os.path.join(places.state, "journal.db")
    if not os.path.exists(path):
        return
    import sqlite3
    from urllib.parse import quote

    # Not `immutable`: what only stands in the write-ahead log counts too.
    journal = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=1)
    try:
        reading.update(journal.execute("SELECT log, offset FROM reading").fetchall())
        rows = journal.execute(
            "SELECT at / 1000.0, key, operation, bytes, address, status FROM requests WHERE at >= ?", (since * 1000,)
        )
        yield from rows
    finally:
        journal.close()


def _logged(places: "Places", since: float, reading: dict[str, int]) -> "Iterator[tuple[Any, ...]]":
    """The log's lines that the journal does not have yet: a log's first line is its name there. What the self-test has
    called with a key that never leaves this machine did not leave either."""
    gateway = os.path.join(places.runtime, "gateway")
    tests = _words(os.path.join(gateway, "tests"))
    for name in ("access.log.1", "access.log"):
        try:
            with open(os.path.join(gateway, name), "rb") as file:
                log = json.loads(file.readline(256))["log"]
                offset = reading.get(log, file.tell())
                if offset < 0:
                    continue
                file.seek(max(offset, file.tell()))
                lines = file.read(MOST_BYTES).splitlines()
        except (OSError, ValueError, KeyError, TypeError):
            continue
        for line in lines:
            try:
                said = json.loads(line)
                if said["time"] >= since and said["key"] not in tests:
                    size, status = int(said["bytes"]), int(said["status"])
                    yield said["time"], said["key"], said["operation"], size, said["address"], status
            except (ValueError, KeyError, TypeError):
                continue


def _words(path: str) -> set[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return set(file.read(65536).split())
    except OSError:
        return set()
