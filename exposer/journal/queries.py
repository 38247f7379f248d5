"""What is asked of the journal, as SQL and its values. Pure."""

from typing import Any

from exposer.journal.model import Filter, Request

COLUMNS = "seq, at, key, operation, method, status, bytes, duration, request, address, path"
Query = tuple[str, tuple[object, ...]]


def newest(wanted: Filter, limit: int) -> Query:
    where, values = _where(wanted)
    return f"SELECT {COLUMNS} FROM requests{where} ORDER BY seq DESC LIMIT ?", (*values, limit)  # noqa: S608


def usage(since: float) -> Query:
    # An answer of the backend's, whatever it says, is use; what we refuse ourselves carries no operation.
    text = "SELECT key, max(at), count(*), sum(bytes) FROM requests WHERE at >= ? AND key <> '' AND operation <> ''"
    return f"{text} GROUP BY key", (_ms(since),)


def last_used(key_id: str) -> Query:
    # Quick by the index, since nearly every call of a key is one of an operation.
    return "SELECT at FROM requests WHERE key = ? AND operation <> '' ORDER BY at DESC LIMIT 1", (key_id,)


def traffic(since: float) -> Query:
    return "SELECT count(*), coalesce(sum(operation = ''), 0), coalesce(sum(bytes), 0) FROM requests WHERE at >= ?", (
        _ms(since),
    )


def by_minute(since: float) -> Query:
    text = "SELECT key, at / 60000 AS minute, sum(bytes) FROM requests WHERE at >= ? AND key <> ''"
    return f"{text} GROUP BY key, minute", (_ms(since),)


def shares(wanted: Filter) -> Query:
    where, values = _where(wanted)
    day = "strftime('%Y-%m-%d', at / 1000, 'unixepoch')"
    chosen = f"SELECT {day} AS day, key, operation, count(*), sum(bytes) FROM requests{where}"  # noqa: S608
    return f"{chosen} GROUP BY day, key, operation ORDER BY day, sum(bytes) DESC", values


def as_request(row: tuple[Any, ...]) -> tuple[int, Request]:
    seq, at, key, operation, method, status, size, duration, request, address, path = row
    return seq, Request(at / 1000, key, operation, method, status, size, duration / 1000, request, address, path)


def _where(wanted: Filter) -> Query:
    parts: list[str] = []
    values: list[object] = []

    def narrow(text: str, *more: object) -> None:
        parts.append(text)
        values.extend(more)

    if wanted.after:
        narrow("seq > ?", wanted.after)
    if wanted.keys is not None:
        narrow(f"key IN ({', '.join('?' * len(wanted.keys))})", *wanted.keys)
    if wanted.since is not None:
        narrow("at >= ?", _ms(wanted.since))
    if wanted.until is not None:
        narrow("at <= ?", _ms(wanted.until))
    if wanted.operation:
        narrow("operation = ?", wanted.operation)
    if wanted.status is not None:
        narrow("status BETWEEN ? AND ?", *wanted.status)
    return (" WHERE " + " AND ".join(parts) if parts else ""), tuple(values)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
