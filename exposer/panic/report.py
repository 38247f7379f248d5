"""The incident report: who, when and why, what was done and how long it took, what left, what is still to do."""

import json
import os
import time

from exposer import files
from exposer.panic.bounded import Attempt
from exposer.panic.cut import Cut
from exposer.panic.history import DAY, LISTED, what_left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SECONDS = 3.0
BY_HAND = """- Delete the key where you pasted it: in ChatGPT under https://chatgpt.com/gpts/mine (your GPT, Configure,
  Actions), in Claude under https://claude.ai/settings/connectors, and in any other client. It is of no use any more.
- Delete conversations that hold what you do not want to keep there (https://chatgpt.com, https://claude.ai).
"""
DASHBOARDS = {
    "cloudflared": "- Look at your tunnels in Cloudflare's dashboard: https://one.dash.cloudflare.com\n",
    "ngrok": "- Look at your endpoints and authtokens in ngrok's dashboard: https://dashboard.ngrok.com/endpoints and\n"
    "  https://dashboard.ngrok.com/authtokens\n",
    "ssh": "- Look at the server on the other side: its sshd may hold the session for some time (`ss -tn`, `who`).\n",
}


def write(cut: Cut) -> str:
    """Writes the incident as Markdown and JSON; returns the path of the former, or "" when that failed."""
    writing = Attempt(lambda: _put(cut, path_of(cut)))
    if not writing.over(SECONDS):
        cut.trouble.append("the report is not yet written: the state folder's disk does not answer")
    elif writing.error is not None:
        why = getattr(writing.error, "strerror", None) or writing.error
        cut.trouble.append(f"the report could not be written: {why}")
    return path_of(cut) if writing.over(0) and writing.error is None else ""


def path_of(cut: Cut) -> str:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(cut.began))
    return os.path.join(cut.places.state, "incidents", f"{stamp}-{os.getpid()}.md")


def _put(cut: Cut, path: str) -> None:
    left = _left(cut)
    data = {**cut.as_dict(), "schema": 1, "who": who(), "left": left}
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        files.swap(path, _markdown(cut, left).encode(errors="backslashreplace"))
        files.swap(path.removesuffix(".md") + ".json", json.dumps(data, indent=1).encode())
    finally:  # the lock must outlast a power cut, with or without a report
        for place in (cut.places.state, os.path.dirname(cut.places.state)):
            files.sync_dir(place)


def _left(cut: Cut) -> "dict[str, Any]":
    """What left in the last day; without a journal that can be read this only says so."""
    reading = Attempt(lambda: what_left(cut.places, cut.began, cut.began - DAY))
    if reading.over(SECONDS / 2) and reading.error is None:
        return dict(reading.value)
    return {"unknown": str(reading.error or "the journal does not answer")}


def who() -> "dict[str, Any]":
    """Who called: the user, the terminal, and where an SSH session comes from."""
    said: dict[str, Any] = {"uid": os.getuid(), "pid": os.getpid(), "parent": _comm(os.getppid())}
    try:
        import pwd

        said["user"] = pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        pass
    for fd in (0, 1, 2):
        try:
            said["terminal"] = os.ttyname(fd)
            break
        except OSError:
            continue
    if origin := os.environ.get("SSH_CONNECTION", "").partition(" ")[0]:
        said["from"] = origin
    return said


def _comm(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read(64).strip()
    except OSError:
        return ""


def _markdown(cut: Cut, left: "dict[str, Any]") -> str:
    steps = "\n".join(
        f"- {s['ms']:>8.1f} ms  {s['step']} {s.get('role', '')} {s.get('signal', '')}".rstrip() for s in cut.steps
    )
    trouble = "\n".join(f"- {line}" for line in cut.notes + cut.trouble + cut.open) or "- nothing"
    caller = who()
    provider = next((str(e.detail["provider"]) for e in cut.entries if "provider" in e.detail), "")
    at = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(cut.began))
    what = "Drill" if cut.options.drill else "Panic" if cut.locking else "Cut"
    by = ", ".join(f"{name} {value}" for name, value in caller.items() if value != "")
    return f"""# {what}: {cut.name}, {at}

Reason: {cut.options.reason or "none given"}
By: {by}
The data path was cut after {cut.cut_ms:.1f} ms.

## What was done, and when

{steps}

## What went wrong or is still open

{trouble}

Proof: {cut.proof or "none"}

## What left in the last 24 hours

{_sums(left)}

## Still to do by hand

{BY_HAND}{DASHBOARDS.get(provider, "")}
## How to come back

{_way_back(cut)}
"""


def _way_back(cut: Cut) -> str:
    if cut.options.drill:
        return "It was a drill: exposer comes back by itself, with the same keys."
    if not cut.locking:
        return "Nothing is locked and every key stays as it was: `exposer up`."
    return "`exposer unlock` shows this report and lifts the lock; every old key stays revoked. Then `exposer up`."


def _sums(left: "dict[str, Any]") -> str:
    if "unknown" in left:
        return f"It is not known: {left['unknown']}"
    lines = [f"{left['calls']} calls were answered with {left['bytes']:,} bytes, {left['refused']} were refused."]
    for what in ("operations", "keys", "addresses"):
        rows = left[what][:LISTED]
        if rows:
            lines += ["", f"| {what} | calls | bytes |", "|---|---|---|"]
            lines += [f"| {_cell(row['name'])} | {row['calls']} | {row['bytes']:,} |" for row in rows]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return "".join(char if char.isprintable() and char != "|" else "?" for char in str(text))
