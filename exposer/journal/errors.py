"""What can go wrong with a journal, in words that help."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from exposer.errors import FULL, ExposerError


class JournalError(ExposerError):
    """The journal cannot be used."""

    code = "journal"


@contextmanager
def told(what: str, hint: str = "") -> Iterator[None]:
    """Turns what the system and SQLite say into a JournalError."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        if "is full" in str(error) or getattr(error, "errno", 0) in FULL:  # the first are SQLite's words
            raise JournalError(f"{what}: the disk is full", "make room, then try again") from error
        if "disk I/O error" in str(error):
            raise JournalError(f"{what}: the disk is full, or fails", "make room, then try again") from error
        raise JournalError(f"{what}: {error}", hint) from error
