"""The incident report: what was done, how long it took, what is still to do."""

import json
import os
import time

from exposer import files
from exposer.panic.cut import Cut


def write(cut: Cut) -> str:
    """Writes the incident as Markdown and JSON; returns the path of the former, or "" when that failed."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    folder = os.path.join(cut.places.state, "incidents")
    path = os.path.join(folder, f"{stamp}-{os.getpid()}.md")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        files.swap(path, _markdown(cut, stamp).encode(errors="backslashreplace"))
        files.swap(path.removesuffix(".md") + ".json", json.dumps(cut.as_dict(), indent=1).encode())
    except OSError as error:
        cut.trouble.append(f"the report could not be written: {error.strerror}")
        return ""
    finally:  # the lock must outlast a power cut, with or without a report
        for place in (cut.places.state, os.path.dirname(cut.places.state)):
            files.sync_dir(place)
    return path


def _markdown(cut: Cut, stamp: str) -> str:
    steps = "\n".join(f"- {s['ms']:>8.1f} ms  {s['step']} {s.get('role', '')}".rstrip() for s in cut.steps)
    trouble = "\n".join(f"- {line}" for line in cut.trouble + cut.open) or "- nothing"
    return f"""# Panic: {cut.name}, {stamp}

Reason: {cut.options.reason or "none given"}

## What was done, and when

{steps}

## What went wrong or is still open

{trouble}

## Still to do by hand

- Delete the key where you pasted it (ChatGPT, Claude, other clients). It is of no use any more.
- Delete conversations that hold what you do not want to keep there.
- With a named tunnel, look at your provider's dashboard.

## How to come back

`exposer unlock` shows this report and lifts the lock; every old key stays revoked. Then `exposer up`.
"""
