"""What cloudflared's log lines mean, and what follows when it does not come up."""

import json
import re
from collections.abc import Iterable
from dataclasses import replace

from exposer.tunnels.fact import Fact, Fault, redact

# Flags that not every version knows; without them it works as well.
OPTIONAL = ("no-prechecks", "management-diagnostics", "max-edge-addr-retries", "label", "edge-ip-version")

# A deleted tunnel stays so, but one that Cloudflare does not find for a while comes back: asked again, seldom.
REFUSED_WAIT = 300.0

# What a line means, the gravest first: the gravest of all lines is the reason.
_MEANINGS = (
    ("usage", re.compile(r"Incorrect Usage|flag provided but not defined|No help topic")),
    ("token", re.compile(r"Provided Tunnel token is not valid|Failed to read token file")),
    ("refused", re.compile(r"Unauthorized\b")),
    ("limited", re.compile(r"error code: 1015|429 Too Many Requests")),
    ("clock", re.compile(r"x509: certificate has expired or is not yet valid")),
    ("metrics-busy", re.compile(r"Error opening metrics server listener|address already in use")),
    (
        "offline",
        re.compile(
            r"failed to request quick Tunnel.*(?:no such host|server misbehaving|unreachable|no route|refused|reset)"
        ),
    ),
    ("page", re.compile(r"failed to unmarshal quick Tunnel: invalid character '<'")),
    ("quick", re.compile(r"failed to (?:unmarshal|parse|request) quick Tunnel|unmarshaling QuickTunnel")),
    ("lookup", re.compile(r"Could not lookup srv records|no such host")),
    (
        "edge",
        re.compile(r"Failed to dial a quic|failed to dial to edge|DialContext error|Unable to establish connection"),
    ),
    ("initial", re.compile(r"initial tunnel connection failed")),
)
# What is said of each meaning, and what follows; `{said}` is the line.
_FAULTS = {
    "usage": Fault(
        "cloudflared did not understand its command line: {said}",
        "this cloudflared is too old or too new: see `cloudflared --version`; 2026 is known to work",
        fatal=True,
    ),
    "token": Fault(
        "Cloudflare does not accept the tunnel's token or credentials: {said}",
        "the tunnel was deleted or its token replaced; copy the token again from the Cloudflare dashboard "
        "(Zero Trust, Networks, Tunnels) into the place that tunnel.token names, or make new credentials",
        fatal=True,
        wait=REFUSED_WAIT,
    ),
    "limited": Fault(
        "Cloudflare gives no more quick tunnels to this network for a while (429, too many requests)",
        "wait, or use a named tunnel: tunnel.token and tunnel.hostname",
        wait=300.0,
    ),
    "clock": Fault(
        "Cloudflare's certificate is not valid by this machine's clock: {said}",
        "is the date right (see: date)? If it is, something in between answers in Cloudflare's place",
    ),
    "offline": Fault(
        "Cloudflare cannot be reached: {said}",
        "is this machine online, and does its DNS work? cloudflared uses no proxy; it is tried again",
    ),
    "page": Fault(
        "a web page came in place of a quick tunnel: a login page of this network, a proxy, or an outage",
        "open any page in a browser on this network; a named tunnel does not need that service",
        wait=60.0,
    ),
    "metrics-busy": Fault(
        "another program took cloudflared's metrics port: {said}",
        "it is tried again with another one",
    ),
    "quick": Fault(
        "Cloudflare did not give us a quick tunnel: {said}",
        "is this machine online? The service gives no guarantee; a named tunnel does",
        wait=60.0,
    ),
    "lookup": Fault("cloudflared cannot find Cloudflare in the DNS: {said}", "is this machine online?"),
    "initial": Fault("Cloudflare did not take the connection: {said}", "it is tried again"),
    "edge": Fault(
        "cloudflared cannot reach Cloudflare's edge: {said}",
        "a firewall must let it out to port 7844 (UDP for quic, TCP for http2)",
    ),
}
_UNKNOWN_FLAG = re.compile(r"flag provided but not defined: -+([\w-]+)")
# Trouble of the backend or of one visitor, whose words may be in it: never a reason for the tunnel's end.
_REQUEST = re.compile(
    r"Unable to reach the origin|failed to serve incoming request|Request failed|Incoming request ended"
)
# At the end of every normal life.
_NORMAL = re.compile(r"no more connections active and exiting|Connection terminated$|Initiating graceful shutdown")


def read_line(line: str) -> Fact | None:
    """What one line says, in JSON or plain text; the last line of a failure is always plain text."""
    level, text = _parse(line.strip())
    if text.startswith("Registered tunnel connection"):
        return Fact("registered", text)
    if _REQUEST.match(text):
        return Fact("request", text)
    for kind, pattern in _MEANINGS:
        if pattern.search(text):
            return Fact(kind, text)
    if level in ("error", "fatal") and not _NORMAL.search(text):
        return Fact("error", text)
    return None


def _parse(line: str) -> tuple[str, str]:
    """The level and the message with its error behind it; the other fields hold visitors' words."""
    if line.startswith("{"):
        try:
            data = json.loads(line)
            parts = (str(data.get(key) or "") for key in ("message", "error", "status_code"))
            return str(data.get("level", "")), ": ".join(part for part in parts if part)
        except (ValueError, AttributeError):
            return "", ""
    if match := re.match(r"\S+Z (INF|WRN|ERR|FTL|DBG) +(.*)", line):
        return {"ERR": "error", "FTL": "fatal"}.get(match.group(1), "info"), match.group(2)
    return "", line


def _latest(lines: Iterable[str]) -> list[Fact]:
    """What was said since the last time that all was well."""
    facts: list[Fact] = []
    for fact in filter(None, map(read_line, lines)):
        facts = [] if fact.kind == "registered" else [*facts, fact]
    return facts


def refused(lines: Iterable[str]) -> bool:
    """Whether Cloudflare said no, in so many words, to the last try."""
    return any(fact.kind == "refused" for fact in _latest(lines))


def unknown_flag(lines: Iterable[str]) -> str:
    """The flag that this version does not know, if that is why it ended."""
    return next((match.group(1) for line in lines if (match := _UNKNOWN_FLAG.search(line))), "")


def explain(lines: list[str], named: bool, *secrets: str) -> Fault:
    """The reason why cloudflared has ended or does not connect, out of its lines."""
    facts = _latest(lines)
    for kind, _ in _MEANINGS:
        said = [fact.text for fact in facts if fact.kind == kind]
        if said:
            return _fault("quick" if kind == "refused" and not named else kind, redact(said[-1], *secrets))
    said = [fact.text for fact in facts if fact.kind == "error"] or list(filter(_is_bare, lines))
    return Fault(f"cloudflared failed: {redact(said[-1], *secrets)}" if said else "cloudflared ended without a reason")


def _is_bare(line: str) -> bool:
    """Whether it is no log line, nor a piece of one: at the end of a failure, or from a program that is another one."""
    return bool(line.strip()) and '"time":"' not in line and _parse(line) == ("", line)


def _fault(kind: str, said: str) -> Fault:
    known = _FAULTS["token" if kind == "refused" else kind]
    return replace(known, text=known.text.replace("{said}", said))
