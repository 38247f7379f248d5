"""The incident report: what was done, how long it took, what is still to do."""

import json
import os
import time

from exposer import files
from exposer.panic.bounded import Attempt
from exposer.panic.cut import Cut

SECONDS = 3.0


def write(cut: Cut) -> str:
    """Writes the incident as Markdown and JSON; returns the path of the former, or "" when that failed."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(cut.began))
    path = os.path.join(cut.places.state, "incidents", f"{stamp}-{os.getpid()}.md")
    markdown = _markdown(cut, stamp).encode(errors="backslashreplace")
    writing = Attempt(lambda: _put(cut, path, markdown, json.dumps(cut.as_dict(), indent=1).encode()))
    if not writing.over(SECONDS):
        cut.trouble.append("the report is not yet written: the state folder's disk does not answer")
    elif writing.error is not None:
        why = getattr(writing.error, "strerror", None) or writing.error
        cut.trouble.append(f"the report could not be written: {why}")
    return path if writing.over(0) and writing.error is None else ""


def _put(cut: Cut, path: str, markdown: bytes, data: bytes) -> None:
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        files.swap(path, markdown)
        files.swap(path.removesuffix(".md") + ".json", data)
    finally:  # the lock must outlast a power cut, with or without a report
        for place in (cut.places.state, os.path.dirname(cut.places.state)):
            files.sync_dir(place)


def _markdown(cut: Cut, stamp: str) -> str:
    steps = "\n".join(f"- {s['ms']:>8.1f} ms  {s['step']} {s.get('role', '')}".rstrip() for s in cut.steps)
    trouble = "\n".join(f"- {line}" for line in cut.notes + cut.trouble + cut.open) or "- nothing"
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
