"""The hash that ties each row to the one before it. Pure."""

import hashlib
import json

START = "0" * 64
SEPARATOR = "\x1f"


def link_event(before: str, seq: int, at: float, kind: str, text: str) -> str:
    """The hash of an event's row; `text` is its data as it is stored."""
    return hashlib.sha256(json.dumps([before, seq, repr(at), kind, text]).encode()).hexdigest()


def link_request(before: str, line: str) -> str:
    """The hash of a request's row; `line` is its number and columns, joined by what none of them holds."""
    return hashlib.sha256(f"{before}{SEPARATOR}{line}".encode()).hexdigest()
