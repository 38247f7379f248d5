"""Times for people. Imports next to nothing: `status` must be quick."""

from collections.abc import Mapping
from typing import Any


def ends_in_words(shown: Mapping[str, Any]) -> str:
    """When a key ends, or comes back, for a person."""
    ends = str(shown["expires"] or "never")
    if shown["state"] == "retiring" and shown.get("grace") is not None:
        return f"{in_words(shown['grace'])} after the new one's first use, at the latest {ends}"
    if shown["state"] == "suspended":
        return f"back {shown['back']}" if shown.get("back") else "until resumed"
    return ends


def in_words(seconds: float) -> str:
    """So long, roughly: 45 s, 15 min, 3 h, 12 d."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
