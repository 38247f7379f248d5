"""What the gateway lets through: keys and published operations as rules. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from types import MappingProxyType
from urllib.parse import urlsplit

from exposer.config.model import Auth, Limits
from exposer.errors import ConfigError
from exposer.gateway import paths, queries
from exposer.gateway.front import Front
from exposer.gateway.headers import REMOVED
from exposer.gateway.passer import Passer, countable, passers, readable
from exposer.keys.model import Ring
from exposer.openapi.model import Operation
from exposer.secret import Secret

METHODS = ("api-key", "bearer", "basic")
UNFIT_HEADERS = frozenset(  # HTTP itself needs them, or nginx does not pass them as they came
    {"host", "connection", "content-length", "content-type", "transfer-encoding", "cookie", "te", "trailer"}
    | {"upgrade", "expect", "range"}
)
NOTHING: Mapping[str, Mapping[str, str]] = MappingProxyType({})
NO_LARGE: Mapping[str, tuple[str, ...]] = MappingProxyType({})
_KEPT_OUT = frozenset(name.lower() for name in (*REMOVED, "X-Request-Id"))
_HOST = re.compile(r"[A-Za-z0-9._-]{1,255}(:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Route:
    """One published operation.

    `guards` are unpublished ones that a path of this shape may really mean, `query` the pattern that its query must
    have ("" for any), `large` the parameters that make an answer of any size smaller (None for one that is small),
    `inject` the headers that the gateway adds to it.
    """

    operation: str
    method: str
    pattern: paths.Pattern
    sample: str
    guards: tuple[str, ...] = ()
    query: str = ""
    large: tuple[str, ...] | None = None
    inject: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Upstream:
    """The backend's address, taken apart. `server` is host:port or unix:path."""

    scheme: str
    server: str
    host: str


@dataclass(frozen=True, slots=True)
class Policy:
    """All the gateway needs to decide.

    `own_hosts` are names that the backend may give for itself when it points somewhere; `caller` is the header in which
    the tunnel says who calls, believed by the socket only; `allow_from` are the networks that may call, None for all;
    `doors` says that there is a second tunnel and one of both is open; `hosts` are the names that callers should know,
    () when that cannot be told; `skipped` are operations that cannot be called
    at all, and why.
    """

    passers: tuple[Passer, ...]
    salt: str
    methods: tuple[str, ...]
    header: str
    routes: tuple[Route, ...]
    limits: Limits
    upstream: Upstream
    upstream_host: str
    probe: str
    probe_answer: str
    upstream_auth: tuple[str, Secret] | None = None
    own_hosts: tuple[str, ...] = ()
    response: int = 0
    caller: str = ""
    allow_from: tuple[str, ...] | None = None
    front: Front | None = None
    log_queries: bool = False
    doors: bool = False
    hosts: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = field(default=())

    @property
    def live(self) -> frozenset[str]:
        """The ids of the keys that are valid: one file each in the gateway's `live` folder."""
        return frozenset(passer.id for passer in self.passers if passer.passes)

    @property
    def paused(self) -> frozenset[str]:
        """The ids of the keys that have taken more than they may."""
        return frozenset(passer.id for passer in self.passers if passer.paused)


def compile(
    *,
    ring: Ring,
    operations: Iterable[Operation],
    auth: Auth,
    limits: Limits,
    upstream: str,
    upstream_host: str,
    now: float,
    probe: str,
    probe_answer: str,
    upstream_auth: tuple[str, Secret] | None = None,
    hidden: Iterable[Operation] = (),
    inject: Mapping[str, Mapping[str, str]] = NOTHING,
    own_hosts: Iterable[str] = (),
    response: int = 0,
    large: Mapping[str, tuple[str, ...]] = NO_LARGE,
    caller: str = "",
    allow_from: Iterable[str] | None = None,
    log_queries: bool = False,
    doors: bool = False,
    hosts: tuple[str, ...] = (),
) -> Policy:
    """The rules for these keys and operations. Raises ConfigError for what cannot be enforced.

    `upstream` is "http://host:port", "https://host[:port]" or "unix:path". `hidden` are the backend's operations
    that are *not* published: a published `/items/{id}` then does not open the unpublished `/items/export`. `inject`
    has the headers that the gateway adds, by operation id; `large` the operations whose answers are measured against
    `response`, with the parameters that make them smaller. An operation whose `query` is not None takes no other.
    """
    operations = tuple(operations)
    header = header_name(auth.header, "auth.header")
    routes, skipped = route(operations, hidden)
    ours = {header.lower(), *((upstream_auth[0].lower(),) if upstream_auth else ())}
    routes, unfit = _injected(routes, inject, frozenset(ours))
    big = {readable(name): names for name, names in large.items()}
    routes = tuple(replace(each, large=big.get(each.operation)) for each in routes)
    return Policy(
        passers=passers(ring.keys, operations, now),
        salt=_fit(ring.salt, r"[A-Za-z0-9_-]{1,200}", "the key ring's salt is damaged"),
        methods=tuple(method for method in METHODS if method in auth.methods),
        header=header,
        routes=routes,
        limits=_countable(limits),
        upstream=parse_upstream(upstream),
        upstream_host=_fit(upstream_host, r"[\x21-\x7e]{1,255}", "the backend's host name is not usable"),
        probe=_fit(probe, r"[0-9a-f]{32,128}", "the probe's path is not usable"),
        probe_answer=_fit(probe_answer, r"[\x20-\x7e]{1,500}", "the probe's answer is not usable"),
        upstream_auth=None if upstream_auth is None else _upstream_auth(*upstream_auth),
        own_hosts=tuple(host for host in own_hosts if _HOST.fullmatch(host)),
        response=response,
        caller=caller and header_name(caller, "the tunnel's header"),
        allow_from=None if allow_from is None else tuple(str(ip_network(network)) for network in allow_from),
        log_queries=log_queries,
        doors=doors,
        hosts=hosts,
        skipped=(*skipped, *unfit),
    )


def route(
    operations: Iterable[Operation], hidden: Iterable[Operation] = ()
) -> tuple[tuple[Route, ...], tuple[tuple[str, str], ...]]:
    """The routes in the order in which they are to be tried, concrete before templated; and what had to be left out."""
    shadows = [(op, found) for op in hidden if (found := paths.pattern(op.full_path, op.wide)) is not None]
    routes: list[Route] = []
    skipped: list[tuple[str, str]] = []
    for op in operations:
        if problem := unroutable(op):
            skipped.append((op.id, problem))
            continue
        made = _route(op, [shadow for shadow in shadows if shadow[0].method.upper() == op.method.upper()])
        if isinstance(made, str):
            skipped.append((op.id, made))
        else:
            routes.append(made)
    # A wide template comes behind the longer ones that begin like it.
    return tuple(sorted(routes, key=lambda r: ((*r.pattern.ranks, paths.WIDE + 1), r.pattern.body))), tuple(skipped)


def unroutable(operation: Operation) -> str:
    """Why the gateway cannot pass this operation on, whatever else is published; "" when it can."""
    method, pattern = operation.method.upper(), paths.pattern(operation.full_path, operation.wide)
    if not operation.id:
        return "it has no name"
    if not re.fullmatch(r"[A-Z]{3,20}", method) or method in ("TRACE", "CONNECT"):
        return "the gateway does not pass on this method"
    if pattern is None:
        return "no unambiguous request can have this path"
    if not pattern.fits:
        return "its path is too long for the gateway"
    if paths.size(queries.pattern(operation.query or ())) > 2 * paths.TOKEN_LIMIT:
        return "the names of its query parameters are too long for the gateway"
    return ""


def header_name(name: str, where: str) -> str:
    """A header that nginx can read by name. Raises ConfigError."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,99}", name) or name.lower() in UNFIT_HEADERS:
        raise ConfigError(
            f"{where}: {name!r} cannot be used as a header here",
            "use letters, digits and dashes, as in X-API-Key; not one that HTTP itself needs",
        )
    return name


def parse_upstream(address: str) -> Upstream:
    """Takes the backend's address apart. Raises ConfigError."""
    if address.startswith("unix:"):
        path = address.removeprefix("unix:")
        _fit(path, r"[^\x00-\x1f\x7f:]{1,400}", "the backend's socket path is not usable")
        return Upstream("http", address, "")
    try:
        parts = urlsplit(address)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise ConfigError(f"the backend's address {address!r} is not usable: {error}") from None
    host = parts.hostname or ""
    name = f"[{host}]" if ":" in host else host
    plain = f"{parts.scheme}://{parts.netloc}" == address.rstrip("/") and "@" not in parts.netloc
    if parts.scheme not in ("http", "https") or not plain or not re.fullmatch(r"[A-Za-z0-9._:-]{1,255}", host):
        raise ConfigError(
            f"the backend's address {address!r} is not usable", "it is like http://127.0.0.1:8080, without a path"
        )
    return Upstream(parts.scheme, f"{name}:{port}", host)


def _route(op: Operation, shadows: list[tuple[Operation, paths.Pattern]]) -> Route | str:
    """The route, or why there can be none. `shadows` are unpublished operations with the same method."""
    pattern = paths.pattern(op.full_path, op.wide)
    assert pattern is not None  # noqa: S101
    meant = [shadow for shadow, found in shadows if _may_mean(pattern, found)]
    guards = tuple(paths.guard(shadow.full_path, shadow.wide, slashed=pattern.wide) for shadow in meant)
    if any(paths.size(guard) > paths.TOKEN_LIMIT for guard in guards):
        return "it cannot be told from one with a very long path that is not published"
    query = "" if op.query is None else queries.pattern(op.query)
    return Route(readable(op.id), op.method.upper(), pattern, paths.sample_path(op.full_path, op.wide), guards, query)


def _injected(
    routes: tuple[Route, ...], inject: Mapping[str, Mapping[str, str]], ours: frozenset[str]
) -> tuple[tuple[Route, ...], list[tuple[str, str]]]:
    """The routes with the headers they need; one that needs what may not be added is left out, and named."""
    wanted = {readable(name): headers for name, headers in inject.items()}
    found: list[Route] = []
    unfit: list[tuple[str, str]] = []
    for route in routes:
        headers = tuple(sorted((n, v) for n, v in wanted.get(route.operation, {}).items() if n.lower() not in ours))
        if odd := [readable(name) for name, value in headers if not _addable(name, value)]:
            unfit.append((route.operation, f"it needs the header {odd[0]}, which the gateway does not add"))
        else:
            found.append(replace(route, inject=headers))
    return tuple(found), unfit


def _addable(name: str, value: str) -> bool:
    """Whether a header of the document's may be added: none of HTTP's own, none that says who calls or for what."""
    plain = (
        re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", name) is not None and value.isascii() and value.isprintable()
    )
    fit = name.lower() not in UNFIT_HEADERS and name.lower().replace("_", "-") not in _KEPT_OUT
    return plain and fit and value != "" and paths.size(value) <= paths.TOKEN_LIMIT


def _may_mean(published: paths.Pattern, hidden: paths.Pattern) -> bool:
    """Whether a backend may take some path of a published shape for the hidden operation."""
    if published.literal or published.body == hidden.body:
        return False
    return paths.overlap(published, hidden) and not paths.dominates(published, hidden)


def _upstream_auth(header: str, value: Secret) -> tuple[str, Secret]:
    """Checks the secret without ever naming it."""
    name = header_name(header, "backend.auth.header")
    text = value.reveal()
    odd = any(ord(c) < 0x20 or ord(c) == 0x7F or 0xD800 <= ord(c) <= 0xDFFF for c in text)
    if not text or odd or paths.size(text) > paths.TOKEN_LIMIT:
        raise ConfigError(
            "backend.auth.value: the secret cannot be sent in a header",
            "it is empty, longer than about 3,500 characters, or has a line break in it",
        )
    return name, value


def _countable(limits: Limits) -> Limits:
    countable(limits.rate, "limits.rate")
    if limits.total_rate is not None:
        countable(limits.total_rate, "limits.total_rate")
    return replace(limits, body=max(1, limits.body))  # nginx takes 0 for "no limit"


def _fit(value: str, shape: str, otherwise: str) -> str:
    if not re.fullmatch(shape, value):
        raise ConfigError(otherwise)
    return value
