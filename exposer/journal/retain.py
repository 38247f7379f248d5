"""Removes rows whose time is over, a few at a time; where the rest begins is kept, so that it can be verified."""

import sqlite3

BATCH = 5_000


def due(db: sqlite3.Connection, before: float, most_bytes: int) -> dict[str, int]:
    """Up to which number rows may go, by table: at most BATCH rows of each that are older, or the oldest while the file
    is too large. The newest row of a table always stays."""
    events = db.execute(
        "SELECT max(seq) FROM (SELECT seq FROM events WHERE at < ? ORDER BY seq LIMIT ?)", (before, BATCH)
    )
    requests = db.execute(
        "SELECT max(seq) FROM (SELECT seq FROM requests WHERE at < ? ORDER BY seq LIMIT ?)", (before * 1000, BATCH)
    )
    last = {"events": events.fetchone()[0], "requests": requests.fetchone()[0]}
    if used_bytes(db) > most_bytes:
        oldest = db.execute("SELECT max(seq) FROM (SELECT seq FROM requests ORDER BY seq LIMIT ?)", (BATCH,))
        last["requests"] = max(last["requests"] or 0, oldest.fetchone()[0] or 0)
    newest = {table: db.execute(f"SELECT max(seq) FROM {table}").fetchone()[0] or 0 for table in last}  # noqa: S608
    return {table: min(seq, newest[table] - 1) for table, seq in last.items() if seq and newest[table] > 1}


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
