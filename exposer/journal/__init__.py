"""What happened, in SQLite: events and requests, each row chained to the one before by a hash.

The file can be read with any SQLite. Times are milliseconds since 1970, durations milliseconds.

    events   (seq, at REAL seconds, kind, data JSON, chain)
    requests (seq, at, key, operation, method, status, bytes, duration, request, address, path, chain)
    kept     (name, seq, chain): up to where rows were removed because their time was over
    reading  (log, offset): how far the gateway's logs are taken in
"""

from exposer.journal.errors import JournalError
from exposer.journal.model import Event, Filter, Head, Request, Share, Usage
from exposer.journal.store import Journal

__all__ = ["Event", "Filter", "Head", "Journal", "JournalError", "Request", "Share", "Usage"]
