"""What happened, in SQLite: one row an event, each chained to the one before by a hash."""

import hashlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exposer.errors import FULL, ExposerError

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL, chain TEXT NOT NULL
);
"""
VERSION = 1
START = "0" * 64


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `at` is seconds since 1970; `kind` a word such as `address-changed`."""

    seq: int
    at: float
    kind: str
    data: Mapping[str, Any]


class JournalError(ExposerError):
    """The journal cannot be used."""

    code = "journal"


class Journal:
    """The journal of one exposure. Refuses a Secret anywhere in an event: JSON cannot hold one."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        with _told(f"{path} cannot be used", f"move it away to go on without it: mv {path} {path}.old"):
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            self._db = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(path)
            except BaseException:
                self._db.close()
                raise

    def _prepare(self, path: Path) -> None:
        version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if version > VERSION:
            raise JournalError(f"{path} was written by a newer version of exposer", "upgrade exposer")
        if version < VERSION:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.executescript(SCHEMA)
            self._db.execute(f"PRAGMA user_version={VERSION}")
        self._db.execute("PRAGMA synchronous=NORMAL")

    def append(self, kind: str, **data: Any) -> Event:
        """Adds an event and returns it. Raises JournalError when it could not be written (a full disk)."""
        # A path or a file name need not be UTF-8; what is not becomes JSON's own escape.
        text = json.dumps(data, sort_keys=True, ensure_ascii=False).encode(errors="backslashreplace").decode()
        at = time.time()
        with self._lock, _told("the journal could not be written"):
            try:
                self._db.execute("BEGIN IMMEDIATE")
                row = self._db.execute("SELECT seq, chain FROM events ORDER BY seq DESC LIMIT 1").fetchone()
                seq, before = (row[0] + 1, row[1]) if row else (1, START)
                self._db.execute(
                    "INSERT INTO events VALUES (?, ?, ?, ?, ?)",
                    (seq, at, kind, text, link(before, seq, at, kind, text)),
                )
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        return Event(seq, at, kind, data)

    def events(self, after: int = 0, limit: int = 1000) -> list[Event]:
        """Events with a number above `after`, oldest first."""
        with self._lock, _told("the journal could not be read"):
            rows = self._db.execute(
                "SELECT seq, at, kind, data FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
            ).fetchall()
        return [Event(seq, at, kind, json.loads(text)) for seq, at, kind, text in rows]

    def head(self) -> int:
        """The number of the newest event; 0 when there is none."""
        with self._lock, _told("the journal could not be read"):
            return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])

    def broken_at(self) -> int | None:
        """The number of the first event that does not fit the chain, or None when all do."""
        before, expected = START, 1
        for seq, at, kind, text, chain in self._rows():
            if seq != expected or chain != link(before, seq, at, kind, text):
                return int(seq)
            before, expected = chain, seq + 1
        return None

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _rows(self) -> Iterator[tuple[int, float, str, str, str]]:
        with self._lock, _told("the journal could not be read"):
            yield from self._db.execute("SELECT seq, at, kind, data, chain FROM events ORDER BY seq")


@contextmanager
def _told(what: str, hint: str = "") -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        if "is full" in str(error) or getattr(error, "errno", 0) in FULL:  # the first are SQLite's words
            raise JournalError(f"{what}: the disk is full", "make room, then try again") from error
        if "disk I/O error" in str(error):
            raise JournalError(f"{what}: the disk is full, or fails", "make room, then try again") from error
        raise JournalError(f"{what}: {error}", hint) from error


def link(before: str, seq: int, at: float, kind: str, text: str) -> str:
    """The hash that ties an event to the one before it."""
    return hashlib.sha256(json.dumps([before, seq, repr(at), kind, text]).encode()).hexdigest()
