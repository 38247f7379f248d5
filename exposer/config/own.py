"""Files of the user's own that the config names: what they are now."""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from exposer import files

LARGEST_OVERLAY = 1_000_000


def folder_digest(folder: str) -> str:
    """Names all that is in a folder; "" for no folder. Raises OSError for a file that may not be read."""
    if not folder:
        return ""
    found = []
    for at, _, names in os.walk(folder):
        for path in (Path(at, name) for name in names):
            with suppress(FileNotFoundError):  # an editor's, gone by now
                if path.is_file():
                    found.append([str(path), path.read_bytes().hex()])
    return hashlib.sha256(json.dumps(sorted(found)).encode()).hexdigest()


def overlay(path: str) -> bytes | None:
    """The overlay as it is now; None when there is none, or when it cannot be read."""
    try:
        return files.read_private(os.path.realpath(path), LARGEST_OVERLAY) if path else None
    except OSError:
        return None
