"""The journal's file: opened, brought up to date, appended to."""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from exposer import files, procs
from exposer.journal import queries, retain, verify
from exposer.journal.chain import SEPARATOR, START, link_event, link_request
from exposer.journal.errors import JournalError, told
from exposer.journal.model import Event, Filter, Head, Request, Share, Usage

VERSION = 2
SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL, chain TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS requests (
    seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, key TEXT NOT NULL, operation TEXT NOT NULL, method TEXT NOT NULL,
    status INTEGER NOT NULL, bytes INTEGER NOT NULL, duration INTEGER NOT NULL, request TEXT NOT NULL,
    address TEXT NOT NULL, path TEXT NOT NULL, chain TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS requests_by_key ON requests (key, at);
CREATE INDEX IF NOT EXISTS requests_by_time ON requests (at);
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, seq INTEGER NOT NULL, chain TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS reading (log TEXT PRIMARY KEY, offset INTEGER NOT NULL);
"""
TABLES = ("events", "requests")
PATIENCE = 5.0  # with others who have the file (seconds)


class Journal:
    """The journal of one exposure. Refuses a Secret anywhere in an event: JSON cannot hold one."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._heads, self._wal = path.with_name(f"{path.name}.heads"), path.with_name(f"{path.name}-wal")
        self._written: dict[str, Head] = {}  # the newest rows that are ours
        self._lost: dict[str, Head] = {}  # those that somebody has altered since
        away = f"mv {path} {path}.old; mv {self._heads} {path}.old.heads"
        with told(f"{path} cannot be used", f"move it away to go on without it: {away}"):
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            self._db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
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
            if not procs.wait_until(self._switched_to_wal, PATIENCE):
                self._db.execute("PRAGMA journal_mode=WAL")
            self._db.executescript(SCHEMA)
            self._db.execute(f"PRAGMA user_version={VERSION}")
        self._db.execute("PRAGMA synchronous=NORMAL")

    def _switched_to_wal(self) -> bool:
        """SQLite itself waits for others with everything but this: False while somebody else has the file open."""
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                return False
            raise
        return True

    def append(self, kind: str, **data: Any) -> Event:
        """Adds an event and returns it. Raises JournalError when it could not be written (a full disk)."""
        # A path or a file name need not be UTF-8; what is not becomes JSON's own escape.
        text = json.dumps(data, sort_keys=True, ensure_ascii=False).encode(errors="backslashreplace").decode()
        at = time.time()
        with self._writing("events") as head:
            seq = head.seq + 1
            row = (seq, at, kind, text, link_event(head.chain, seq, at, kind, text))
            self._db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", row)
        return Event(seq, at, kind, data)

    def record(self, requests: Sequence[Request], reading: Mapping[str, int]) -> None:
        """Adds requests together with how far the logs were read (a log's name → offset): both or neither.
        Raises JournalError; then the same requests are to be read again."""
        with self._writing("requests") as head:
            self._db.executemany(
                "INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _chained(requests, head)
            )
            self._db.execute("DELETE FROM reading")
            self._db.executemany("INSERT INTO reading VALUES (?, ?)", list(reading.items()))

    def reading(self) -> dict[str, int]:
        """How far the gateway's logs are taken in: a log's name → offset."""
        return dict(self._asked("SELECT log, offset FROM reading"))

    def events(self, after: int = 0, limit: int = 1000) -> list[Event]:
        """Events with a number above `after`, oldest first."""
        rows = self._asked("SELECT seq, at, kind, data FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
        return [Event(seq, at, kind, json.loads(text)) for seq, at, kind, text in rows]

    def events_between(self, since: float, until: float, limit: int, after: int = 0) -> list[Event]:
        """The newest events of some time, oldest first."""
        rows = self._asked(
            "SELECT seq, at, kind, data FROM events WHERE at >= ? AND at <= ? AND seq > ? ORDER BY seq DESC LIMIT ?",
            (since, until, after, limit),
        )
        return [Event(seq, at, kind, json.loads(text)) for seq, at, kind, text in reversed(rows)]

    def requests(self, wanted: Filter, limit: int) -> list[tuple[int, Request]]:
        """The newest requests that are wanted, oldest first, each with its number."""
        text, values = queries.newest(wanted, limit)
        return [queries.as_request(row) for row in reversed(self._asked(text, values))]

    def usage(self, since: float) -> dict[str, Usage]:
        """What each key has taken since then, by the key's id; answers only, refusals do not count as use."""
        text, values = queries.usage(since)
        return {key: Usage(last / 1000, calls, size) for key, last, calls, size in self._asked(text, values)}

    def last_used(self, key_ids: Iterable[str]) -> dict[str, float]:
        """When each key last called an operation, in seconds since 1970; those that never did are left out."""
        found = {key_id: self._asked(*queries.last_used(key_id)) for key_id in key_ids}
        return {key_id: rows[0][0] / 1000 for key_id, rows in found.items() if rows}

    def traffic(self, since: float) -> tuple[int, int, int]:
        """How many calls there were since then, how many of them were refused, and how many bytes left."""
        calls, refused, left = self._asked(*queries.traffic(since))[0]
        return calls, refused, left

    def by_minute(self, since: float) -> list[tuple[str, int, int]]:
        """Key, minute since 1970, and the bytes that left by it within that minute."""
        text, values = queries.by_minute(since)
        return [(key, minute, size) for key, minute, size in self._asked(text, values)]

    def shares(self, wanted: Filter) -> list[Share]:
        """What left, by day, key and operation."""
        text, values = queries.shares(wanted)
        return [Share(*row) for row in self._asked(text, values)]

    def head(self) -> int:
        """The number of the newest event; 0 when there is none."""
        return int(self._asked("SELECT coalesce(max(seq), 0) FROM events")[0][0])

    def heads(self) -> dict[str, Head]:
        """The newest row of each table, of which all the others follow."""
        with self._lock, told("the journal could not be read"):
            return {name: self._newest(name) for name in TABLES}

    def note_heads(self) -> list[str]:
        """Writes the heads beside the journal, so that rows taken off its end are missed. Raises OSError.

        Returns the tables whose end is not what was noted or written before: there that stays noted, else the rows
        that come after would hide it.
        """
        before, heads = self.noted_heads(), self.heads()
        with self._lock, told("the journal could not be read"):
            for name in TABLES:
                self._look_for_written(name)
            lost = self._lost | {name: head for name, head in before.items() if not self._holds(name, head)}
        self._flush()  # a loss of power must not take rows that were noted
        self._note(heads | lost, self._noted_kept())
        return list(lost)

    def noted_heads(self) -> dict[str, Head]:
        """The heads as they were noted last; none when nothing was noted, or it cannot be read."""
        try:
            said = json.loads(files.read_private(str(self._heads), 4096))
            return {name: Head(int(said[name][0]), str(said[name][1])) for name in TABLES}
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return {}

    def _note(self, heads: Mapping[str, Head], kept: Mapping[str, int]) -> None:
        said = {name: [head.seq, head.chain] for name, head in heads.items()}
        files.swap(str(self._heads), json.dumps({"at": time.time(), **said, "kept": dict(kept)}).encode())

    def _noted_kept(self) -> dict[str, int]:
        """Up to which number rows may have been removed; where nothing says so, as far as they were."""
        try:
            said = json.loads(files.read_private(str(self._heads), 4096))["kept"]
            return {name: int(said.get(name, 0)) for name in TABLES}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return dict(self._db.execute("SELECT name, seq FROM kept").fetchall())

    def broken(self) -> verify.Broken | None:
        """The first row that does not fit; None when all do."""
        with told("the journal could not be read"):
            return verify.broken(self._db, self._lock, self.noted_heads(), self._noted_kept)

    def broken_at(self) -> int | None:
        """The number of the first row that does not fit, or None."""
        found = self.broken()
        return None if found is None else found.seq

    def forget(self, before: float, most_bytes: int) -> int:
        """Removes a few of the rows older than that, or while the file is too large; returns how many. The rest can
        still be verified. To be called again until it returns 0: each call holds the journal for a moment only."""
        with self._lock, told("the journal could not be written"):
            last = retain.due(self._db, before, most_bytes)
            if last:  # noted first, so that nobody else can pass rows off as too old
                heads = self.noted_heads() or {name: self._newest(name) for name in TABLES}
                self._note(heads, self._noted_kept() | last)
            return sum(retain.cut(self._db, table, seq) for table, seq in last.items())

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def _writing(self, table: str) -> Iterator[Head]:
        """One transaction; gives the row that the next one follows."""
        with self._lock, told("the journal could not be written"):
            try:
                self._db.execute("BEGIN IMMEDIATE")
                self._look_for_written(table)
                yield self._newest(table)
                newest = self._newest(table)
                self._db.execute("COMMIT")
                self._written[table] = newest
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _flush(self) -> None:
        """SQLite itself does so only now and then."""
        with suppress(FileNotFoundError):
            fd = os.open(self._wal, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def _look_for_written(self, table: str) -> None:
        """What we wrote last must still be there: whoever writes after it would follow another row."""
        head = self._written.get(table)
        if head is not None and not self._holds(table, head):
            self._lost.setdefault(table, head)

    def _holds(self, table: str, head: Head) -> bool:
        """Whether a row is as it was, or its time is over."""
        kept = self._db.execute("SELECT seq FROM kept WHERE name = ?", (table,)).fetchone()
        row = self._db.execute(f"SELECT chain FROM {table} WHERE seq = ?", (head.seq,)).fetchone()  # noqa: S608
        return head.seq <= (kept[0] if kept else 0) if row is None else row[0] == head.chain

    def _newest(self, table: str) -> Head:
        row = self._db.execute(f"SELECT seq, chain FROM {table} ORDER BY seq DESC LIMIT 1").fetchone()  # noqa: S608
        row = row or self._db.execute("SELECT seq, chain FROM kept WHERE name = ?", (table,)).fetchone()
        return Head(int(row[0]), str(row[1])) if row else Head(0, START)

    def _asked(self, text: str, values: Sequence[object] = ()) -> list[Any]:
        with self._lock, told("the journal could not be read"):
            return self._db.execute(text, values).fetchall()


def _chained(requests: Sequence[Request], head: Head) -> Iterator[tuple[object, ...]]:
    seq, before = head.seq, head.chain
    for one in procs.giving_way(requests):
        seq += 1
        row = (
            seq,
            round(one.at * 1000),
            one.key,
            one.operation,
            one.method,
            one.status,
            one.bytes,
            round(one.duration * 1000),
            one.request,
            one.address,
            one.path,
        )
        before = link_request(before, SEPARATOR.join(map(str, row)))
        yield (*row, before)
