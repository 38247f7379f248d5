"""What is known of the ngrok agent: folded from its log lines, judged without a clock of its own."""

import shlex
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from exposer.tunnels.fact import Fact, redact
from exposer.tunnels.ngrok_codes import code_in, explain

# Offline for longer than this, or refused so often with the same grave error: a new agent gets further.
OFFLINE_LIMIT, FATAL_LIMIT = 60.0, 3
# A session that has lasted so long is a good one.
STEADY = 5.0


@dataclass(frozen=True, slots=True)
class State:
    """The helper's facts. `phase` is starting, online, offline, stopped (at ngrok), surprised or failed."""

    phase: str = "starting"
    url: str = ""
    api: str = ""
    endpoint: str = ""
    version: str = ""
    sessions: int = 0
    error: str = ""
    code: int = 0
    repeats: int = 0
    offline_since: float = 0.0
    online_since: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> "State":
        known = {key: value for key, value in data.items() if key in cls.__slots__} if isinstance(data, dict) else {}
        return cls(**known)


def fields(line: str) -> dict[str, str]:
    """The keys and values of a logfmt line; a line that is none has no keys."""
    try:
        words = shlex.split(line)
    except ValueError:
        return {}
    return dict(word.split("=", 1) for word in words if "=" in word)


def read_line(line: str) -> Fact | None:
    """What one line of the agent's log says."""
    said = fields(line)
    message, error = said.get("msg", ""), said.get("err", "")
    error = "" if error in ("nil", "<nil>") else error
    if message == "client session established":
        return Fact("online")
    if message.startswith(("session closed", "heartbeat timeout")):
        return Fact("offline", error)
    if message == "failed to reconnect session":
        return Fact("refused", error or message)
    if message == "failed to auth":
        return Fact("code", error)
    if message == "received remote stop":
        return Fact("stopped")
    if message == "command failed" or said.get("lvl") == "crit":
        return Fact("failed", error or message)
    if not said and "ERR_NGROK_" in line:
        return Fact("code", line)
    return None


def noise(line: str) -> bool:
    """Whether a line is about one visitor, or about our own looking."""
    said = fields(line)
    return said.get("msg") == "join connections" or (said.get("msg") in ("start", "end") and "pg" in said)


def fold(state: State, fact: Fact, now: float, *secrets: str) -> State:
    """The state after a fact; `now` is monotonic seconds."""
    text, code = redact(fact.text, *secrets), code_in(fact.text)
    since = state.offline_since or now
    match fact.kind:
        case "online":
            return replace(state, phase="online", sessions=state.sessions + 1, online_since=now)
        case "offline":
            return replace(state, phase="offline", error=text, offline_since=since)
        case "refused":
            repeats = state.repeats + 1 if code and code == state.code else 1
            offline = replace(state, error=text, code=code, repeats=repeats, offline_since=since)
            return replace(offline, phase="offline" if state.phase == "online" else state.phase)
        case "stopped":
            return replace(state, phase="stopped", error="stopped from ngrok's dashboard or API", code=0)
        case "failed" if state.phase != "stopped":
            return replace(state, phase="failed", error=text, code=code or state.code)
        case "code" if code:
            return replace(state, code=code, repeats=state.repeats if code == state.code else 0)
        case _:
            return state


def settle(state: State, now: float) -> State:
    """Forgets old trouble once a session lasts: some agents say "established" just before each refusal."""
    if state.phase == "online" and state.offline_since and now - state.online_since > STEADY:
        return replace(state, offline_since=0.0, error="", code=0, repeats=0)
    return state


def hopeless(state: State, now: float) -> bool:
    """Whether this agent should be given up, so that a new one can be tried."""
    if state.phase != "offline":
        return False
    fatal = explain(state.code).fatal and state.repeats >= FATAL_LIMIT
    return fatal or now - state.offline_since > OFFLINE_LIMIT


def surprises(listed: Any, name: str, upstream: str, hostname: str = "") -> list[str]:
    """Endpoints of the agent that we did not open: anybody on this machine can, through its API. `hostname` is the one
    that was asked for, if any."""
    return [_describe(row) for row in _rows(listed) if not _expected(row, name, upstream, hostname)]


def url_of(listed: Any) -> str:
    """The address of the one endpoint that the agent lists, "" when it tells none."""
    rows = _rows(listed)
    url = str(rows[0].get("url") or rows[0].get("public_url") or "") if rows and isinstance(rows[0], dict) else ""
    return url if url.startswith("https://") else ""


def _rows(listed: Any) -> list[Any]:
    rows = listed.get("endpoints") or listed.get("tunnels") if isinstance(listed, dict) else None
    return rows if isinstance(rows, list) else []


def _expected(row: Any, name: str, upstream: str, hostname: str) -> bool:
    if not isinstance(row, dict) or row.get("name") != name or str(_leads(row)).rstrip("/") != upstream:
        return False
    try:
        return not hostname or urlsplit(str(row.get("url") or row.get("public_url"))).hostname == hostname
    except ValueError:
        return False


def _leads(row: dict[str, Any]) -> Any:
    for outer, inner in (("upstream", "url"), ("config", "addr")):
        table = row.get(outer)
        if isinstance(table, dict) and table.get(inner):
            return table[inner]
    return None


def _describe(row: Any) -> str:
    data = row if isinstance(row, dict) else {}
    return redact(f"{data.get('url') or data.get('public_url')} to {_leads(data)}")
