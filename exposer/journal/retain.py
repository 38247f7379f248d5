"""Removes rows whose time is over, a few at a time; where the rest begins is kept, so that it can be verified."""

import sqlite3

BATCH = 5_000


def due(db: sqlite3.Connection, before: float, most_bytes: int) -> dict[str, int]:
    """Up to which number rows may go, by table: at most BATCH rows of each that are older, or the oldest while the file
    is too large. The newest row of a table always stays."""
    last = {"events": _older(db, "events", before), "requests": _older(db, "requests", before * 1000)}
    if used_bytes(db) > most_bytes:
        oldest = db.execute("SELECT max(seq) FROM (SELECT seq FROM requests ORDER BY seq LIMIT ?)", (BATCH,))
        last["requests"] = max(last["requests"], oldest.fetchone()[0] or 0)
    newest = {table: db.execute(f"SELECT max(seq) FROM {table}").fetchone()[0] or 0 for table in last}  # noqa: S608
    return {table: min(seq, newest[table] - 1) for table, seq in last.items() if seq and newest[table] > 1}


def _older(db: sqlite3.Connection, table: str, before: float) -> int:
    """Up to which number all rows are older: one that a clock gone wrong has dated back must not take along the rows
    that came before it."""
    first = f"(SELECT seq, at FROM {table} ORDER BY seq LIMIT ?)"  # noqa: S608
    text = f"SELECT min(seq), max(seq), min(CASE WHEN at >= ? THEN seq END) FROM {first}"  # noqa: S608
    oldest, newest, young = db.execute(text, (before, BATCH)).fetchone()
    if young is None:
        return int(newest or 0)
    return 0 if young == oldest else int(young) - 1


def used_bytes(db: sqlite3.Connection) -> int:
    """What the rows take; room that removed rows have left is used again first."""
    pages, free, size = (
        db.execute(f"PRAGMA {word}").fetchone()[0] for word in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def cut(db: sqlite3.Connection, table: str, last: int) -> int:
    """Removes the rows up to this number, and keeps what the chain said there. Returns how many."""
    row = db.execute(f"SELECT seq, chain FROM {table} WHERE seq = ?", (last,)).fetchone()  # noqa: S608
    if row is None:
        return 0
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", (table, *row))
        gone = db.execute(f"DELETE FROM {table} WHERE seq <= ?", (last,)).rowcount  # noqa: S608
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return gone
