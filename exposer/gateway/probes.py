"""What the self-test asks of the gateway: calls that must be refused, each with a name for a person. Pure.

Each announces a body of one byte that is never sent. nginx refuses without waiting for it, and passes nothing on before
it has come: a hole is seen as silence, and the backend hears nothing of it.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from exposer.gateway import paths
from exposer.gateway.credential import credential
from exposer.gateway.own_keys import OwnKey, OwnKeys
from exposer.gateway.policy import Policy
from exposer.gateway.proof import NOBODY
from exposer.openapi.model import Operation

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "EXPOSER", "get")
ASKED = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")  # of the public address
NOWHERE = "/exposer-self-test"  # no backend is expected to have it
PLACES = ("/", NOWHERE, "/.exposer", "/.exposer/nothing", "/./refused/404", "/.env", "/.git/config", "/server-status")
MOST_ROUTES, MOST_HIDDEN = 3, 12
NAME = "self-test"  # in place of a key's id, of calls that are our own


@dataclass(frozen=True, slots=True)
class Probe:
    """A call that must be refused, as bytes. `stranger`: it shows no key that is let in."""

    name: str
    head: bytes
    stranger: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """The same for the public address, which may be anybody's: plain HTTP, and harmless even if it gets through."""

    name: str
    method: str
    path: str
    headers: Mapping[str, str]
    with_key: bool = False
    passes: bool = False


def probes(policy: Policy, hidden: Iterable[Operation], keys: OwnKeys | None) -> tuple[Probe, ...]:
    """All of them. Without `keys` only those that show none, or a wrong one."""
    show = partial(_shown, policy)
    found = [*_strangers(policy, keys, show)]
    if keys is not None:
        shown = show(keys.inside)
        found += [*_odd_methods(policy, shown), *_unpublished(policy, hidden, shown)]
        found += [*_encodings(policy, shown), *_odd_heads(policy, shown)]
    return tuple({probe.head: probe for probe in found}.values())


def questions(policy: Policy, keys: OwnKeys | None, reads: Collection[str]) -> tuple[Question, ...]:
    """What is asked of the public address: first without any key. `reads` are calls that are harmless; the first is
    made with a key, and must pass. What is asked with a key leads to no operation: an edge on the way may read a path
    in its own way."""
    _, path = somewhere(policy)
    found = [
        Question("without a key", "GET", path, {}),
        Question("without a key", "GET", "/", {}),
        Question("with a wrong key", "GET", path, credential(policy.methods, policy.header, NOBODY)),
        *(Question("without a key", "GET", each, {}) for each in (f"/{path}", f"/%2e%2e{path}", f"{path}%2f")),
    ]
    if keys is None:
        return tuple(found)
    shown = _shown(policy, keys.outside)
    found += [
        Question("with a revoked key", "GET", path, _shown(policy, keys.revoked)),
        Question("with a key in the query", "GET", f"{path}?key={keys.outside.clear.reveal()}", {}),
        *(Question("with a key", method, NOWHERE, shown, True) for method in ASKED if not published(policy, method)),
    ]
    if reads and policy.allow_from is None:
        found.append(Question("with a key", "GET", next(iter(reads)), shown, True, passes=True))
    return tuple(found)


def published(policy: Policy, method: str, target: str = NOWHERE) -> bool:
    """Whether the gateway has an operation for this call; rather yes than no where it may depend."""
    kinds = (method, "GET") if method == "HEAD" else (method,)
    return any(
        re.fullmatch(route.pattern.body, path)
        for route in policy.routes
        if route.method in kinds
        for path in _readings(target)
    )


def somewhere(policy: Policy) -> tuple[str, str]:
    """A call that is published, if there is one: a GET if there is one."""
    routes = sorted(policy.routes, key=lambda route: (route.method != "GET", not route.pattern.literal))
    return (routes[0].method, routes[0].sample) if routes else ("GET", "/")


def head(method: str, target: str, headers: Mapping[str, str], *more: str, host: str = "Host: exposer") -> bytes:
    """A request that ends before its body."""
    shown = [f"{name}: {value}" for name, value in headers.items()]
    lines = [f"{method} {target} HTTP/1.1", host, "Connection: close", *shown, *more, "Content-Length: 1", "", ""]
    return "\r\n".join(line for line in lines[:-2] if line).encode("latin-1") + b"\r\n\r\n"


def _shown(policy: Policy, key: OwnKey) -> dict[str, str]:
    return credential(policy.methods, policy.header, key.clear.reveal())


def _strangers(policy: Policy, keys: OwnKeys | None, show: "partial[dict[str, str]]") -> Iterator[Probe]:
    for route in _routes(policy):
        yield Probe(f"{route[0]} {route[1]} without a key", head(*route, {}), True)
    call = method, path = somewhere(policy)
    wrong = credential(policy.methods, policy.header, NOBODY)
    yield Probe(f"{method} {path} with a wrong key", head(*call, wrong), True)
    yield Probe(f"{method} of a whole address without a key", head(method, f"http://exposer{path}", {}), True)
    if keys is None:
        return
    yield Probe(f"{method} {path} with a revoked key", head(*call, show(keys.revoked)), True)
    for name in ("key", policy.header):
        query = f"{path}?{name}={keys.inside.clear.reveal()}"
        yield Probe(f"{method} {path} with a key in the query", head(method, query, {}), True)


def _odd_methods(policy: Policy, shown: Mapping[str, str]) -> Iterator[Probe]:
    for path in dict.fromkeys(path for _, path in _routes(policy)):
        for method in METHODS:
            if not published(policy, method, path):
                yield Probe(f"{method} {path} with a key", head(method, path, shown))


def _unpublished(policy: Policy, hidden: Iterable[Operation], shown: Mapping[str, str]) -> Iterator[Probe]:
    calls = [("GET", place) for place in PLACES]
    for method, path in _routes(policy):
        calls += [(method, f"{path.rstrip('/')}{NOWHERE}"), (method, path.rpartition("/")[0] or "/")]
    for operation in [*hidden][:MOST_HIDDEN]:
        if paths.pattern(operation.full_path, operation.wide) is not None:
            calls.append((operation.method.upper(), paths.sample_path(operation.full_path, operation.wide)))
    for method, path in calls:
        if not published(policy, method, path):
            yield Probe(f"{method} {path}, which is not published, with a key", head(method, path, shown))
    if not published(policy, "GET"):
        yield Probe(f"GET of a whole address, {NOWHERE}, with a key", head("GET", f"http://exposer{NOWHERE}", shown))


def _encodings(policy: Policy, shown: Mapping[str, str]) -> Iterator[Probe]:
    """Ways to write a published path that some backend would read as another, and the other way round."""
    method, path = somewhere(policy)
    front, _, last = path.rpartition("/")
    letter = f"%{ord(path[1]):02x}" if len(path) > 1 and path[1].isalnum() else "%61"
    for target in (
        *(f"/{up}{path}" for up in ("%2e%2e", "%2E%2E", ".%2e", "..", "x/..", "x/%2e%2e", "%252e%252e")),
        *(f"{front}{slash}{last}" for slash in ("%2f", "%2F", "%5c", "\\", "//", "/./", "/%2e/")),
        *(f"{path}{end}" for end in ("//", "/.", "/..", "/%2e%2e", "/%2e%2e/", "%2f", ".", "%2e", "%00", "%20", "%0a")),
        *(f"{path}{end}" for end in (";", ";x=1", "/..;/", "%3b", "%3f", "%23", "%c0%ae", "#x")),
        f"/{path}",
        path.upper(),
        f"/{letter}{path[2:]}",
        f"/{letter.upper()}{path[2:]}",
        f"{path}{NOWHERE}".replace("/", "%2f").replace("%2f", "/", 1),
    ):
        if not published(policy, method, target):
            yield Probe(f"{method} {target} with a key", head(method, target, shown))
    for route in [route for route in policy.routes if not route.pattern.literal][:1]:  # a parameter takes nearly all
        for end in ("%2f..", "%5c..", "\\..", ";x=1", "%00", "%2e%2e", "%0d%0a", "%3fx", "%c0%ae"):
            if not published(policy, route.method, route.sample + end):
                name = f"{route.method} {route.sample}{end} with a key"
                yield Probe(name, head(route.method, route.sample + end, shown))


def _odd_heads(policy: Policy, shown: Mapping[str, str]) -> Iterator[Probe]:
    call = method, path = somewhere(policy)
    yield Probe(f"{method} {path} with two hosts and a key", head(*call, shown, "Host: other"))
    yield Probe(f"{method} {path} without a host, with a key", head(*call, shown, host=""))
    for protocol in ("websocket", "h2c"):
        more = (f"Upgrade: {protocol}", "HTTP2-Settings: AAMAAABkAAQAAP__", "Sec-WebSocket-Version: 13")
        name = f"{method} {path} with a key, to upgrade to {protocol}"
        yield Probe(name, head(*call, shown, *more).replace(b"Connection: close", b"Connection: close, Upgrade"))


def _routes(policy: Policy) -> list[tuple[str, str]]:
    """A few that are published, or one that is nothing."""
    return [(route.method, route.sample) for route in policy.routes[:MOST_ROUTES]] or [("GET", "/")]


def _readings(target: str) -> list[str]:
    """How the gateway reads a target's path, if it reads it at all."""
    path = target.partition("?")[0]
    plain, slashed = paths.canonical(target), paths.canonical(target, slashed=True)
    return [*([path] if plain else []), *([paths.MARK + path] if slashed else [])]
