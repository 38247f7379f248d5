"""Files of the user's own that the config names: what they are now."""

import hashlib
import json
import os
from pathlib import Path

from exposer import files

LARGEST_OVERLAY = 1_000_000


def folder_digest(folder: str) -> str:
    """Names all that is in a folder; "" for no folder."""
    if not folder:
        return ""
    found = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return hashlib.sha256(json.dumps([[str(p), p.read_bytes().hex()] for p in found]).encode()).hexdigest()


def overlay(path: str) -> bytes | None:
    """The overlay as it is now; None when there is none, or when it cannot be read."""
    try:
        return files.read_private(os.path.realpath(path), LARGEST_OVERLAY) if path else None
    except OSError:
        return None
