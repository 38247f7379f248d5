"""Whether any row was changed, removed, put in or moved since it was written.

Whoever can write the journal and the note of its heads beside it can write both anew as a whole: against that only a
head helps that was kept elsewhere (`audit.webhook`).
"""

import sqlite3
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from exposer.journal.chain import START, link_event, link_request
from exposer.journal.model import Head
from exposer.journal.queries import COLUMNS

BATCH = 20_000
# What a row's chain is made of. SQLite joins the columns of a request quicker than we do.
LINE = " || char(31) || ".join(COLUMNS.split(", "))
SELECT = {"events": "seq, at, kind, data, chain", "requests": f"seq, at, {LINE}, chain"}


@dataclass(frozen=True, slots=True)
class Broken:
    """The first row that does not fit: its table, its number, its time (seconds since 1970, if it has one), and why."""

    table: str
    seq: int
    at: float | None
    why: str


def broken(
    db: sqlite3.Connection, lock: threading.Lock, heads: Mapping[str, Head], removed: Callable[[], Mapping[str, int]]
) -> Broken | None:
    """The first row that does not fit, events first. Reads in pieces, so that writers wait for a moment only.

    `removed` says up to which number rows may be gone, because their time was over; it is asked after we have looked.
    """
    for table in SELECT:
        gone = _begin(db, lock, table)[0]
        if gone > (most := removed().get(table, 0)):
            return Broken(table, most + 1, None, f"it is missing: rows up to number {gone} went before their time")
        while (found := _broken(db, lock, table, heads.get(table), begins := _begin(db, lock, table))) is not None:
            if _begin(db, lock, table)[0] == begins[0]:
                return found
            # else rows whose time is over were removed meanwhile: we look again from where it begins now
    return None


def _broken(
    db: sqlite3.Connection, lock: threading.Lock, table: str, head: Head | None, begins: tuple[int, str, int | None]
) -> Broken | None:
    seq, before, first = begins
    if first is not None and first <= seq:
        return Broken(table, first, None, f"it was put in: the record begins behind number {seq}")
    if head is not None and head.seq < seq:
        head = None  # its row has been removed since, because its time was over
    text = f"SELECT {SELECT[table]} FROM {table} WHERE seq > ? ORDER BY seq LIMIT {BATCH}"  # noqa: S608
    while True:
        if head is not None and head.seq == seq and head.chain != before:
            return Broken(table, seq, None, "it is not the row that was noted as the newest")
        with lock:
            rows = db.execute(text, (seq,)).fetchall()
        if not rows:
            break
        if found := _walk(table, rows, seq, before, head):
            return found
        seq, before = int(rows[-1][0]), str(rows[-1][-1])
    if head is not None and head.seq > seq:
        return Broken(table, seq + 1, None, f"it is missing: rows up to number {head.seq} were there")
    return None


def _begin(db: sqlite3.Connection, lock: threading.Lock, table: str) -> tuple[int, str, int | None]:
    """What the first row follows, and its number. Both at one moment: rows may be removed meanwhile."""
    kept = "(SELECT ? AS name) LEFT JOIN kept USING (name)"
    text = f"SELECT kept.seq, kept.chain, (SELECT min(seq) FROM {table}) FROM {kept}"  # noqa: S608
    with lock:
        seq, chain, first = db.execute(text, (table,)).fetchone()
    return (0, START, first) if seq is None else (int(seq), str(chain), first)


def _walk(table: str, rows: list[tuple[Any, ...]], seq: int, before: str, head: Head | None) -> Broken | None:
    """One piece of a table, from the row after `seq`."""
    link, noted, expected = LINKS[table], head or Head(-1, ""), seq
    for row in rows:
        expected += 1
        chain = row[-1]
        if row[0] != expected:
            return Broken(table, expected, None, f"it is missing: after number {expected - 1} comes {row[0]}")
        if chain != link(before, row):
            return Broken(table, expected, _time(table, row[1]), "it was changed, or what stood before it was")
        if expected == noted.seq and chain != noted.chain:
            return Broken(table, expected, _time(table, row[1]), "it is not the row that was noted as the newest")
        before = chain
    return None


def _event(before: str, row: tuple[Any, ...]) -> str:
    return link_event(before, *row[:-1])


def _request(before: str, row: tuple[Any, ...]) -> str:
    return link_request(before, row[2])


LINKS: Mapping[str, Callable[[str, tuple[Any, ...]], str]] = {"events": _event, "requests": _request}


def _time(table: str, value: Any) -> float | None:
    if not isinstance(value, int | float):
        return None
    return value / 1000 if table == "requests" else float(value)
