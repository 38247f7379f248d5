"""Where an answer points to: the own address becomes a path, an inside one is left out. As patterns for nginx. Pure.

The headers are Location and Link; Content-Location and Refresh, which no API client follows, are hidden: a look at each
would cost every call. What names the backend itself becomes relative to whatever address the caller used, so a new
public address needs no reload. Relative and public addresses stay. Everything else (private names, bare addresses, user
names, odd schemes) would tell about the inside: such links are left out, and such a redirect leads to where nothing is.
The status and the body are never changed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from exposer.gateway.paths import exact, size

LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "0.0.0.0")  # noqa: S104
MOST_HOSTS, MOST_NAMES = 16, 1500  # how many, and how long all together
MOST_LINKS = 6
NOWHERE = "/.exposer/nowhere"  # nothing is ever published there
_USUAL_PORTS = ("80", "443")

_TEXT = "[^\\x00-\\x1f\\x7f]"
# Names that only an inside network, or nobody, can look up (RFC 6761, 6762, 8375, 9476, and what people use).
_INSIDE = (
    "local|localhost|localdomain|internal|intranet|lan|home|corp|private|domain|invalid|test|example|alt|onion|svc|"
    "docker|consul|in-addr\\.arpa|ip6\\.arpa|home\\.arpa"
)
_NAME = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_END = "(?![^/?#>\"'])"
_PUBLIC = (
    f"(?![a-z0-9.-]*\\.(?:{_INSIDE})\\.?(?![^:/?#>\"']))"
    f"(?:{_NAME}\\.)+(?:[a-z]{{2,63}}|xn--[a-z0-9-]{{2,59}})\\.?(?::[0-9]{{1,5}})?{_END}"
)
_SCHEME = "(?:https?:)?//"
_RELATIVE = "(?![a-z][a-z0-9+.-]*:|[/\\x5c]{2}|[ \\t])"
_ABROAD = f"(?:{_SCHEME}{_PUBLIC}|{_RELATIVE})"
_ROOTED = "(?=/(?![/\\x5c]))"  # what is left of our own address must not be taken for another host


@dataclass(frozen=True, slots=True)
class Rule:
    """What a header must look like as a whole, in any case, and what becomes of it in nginx's words."""

    pattern: str
    value: str


def redirects(hosts: Iterable[str]) -> tuple[Rule, ...]:
    """What becomes of Location; the last rule is for any. `hosts` are the backend's own names, with or without a port;
    loopback names are always its own."""
    own = _own(hosts)
    return (
        Rule(f"{own}{_ROOTED}(?P<path_of_location>{_TEXT}+)", "$path_of_location"),
        Rule(f"{own}(?P<rest_of_location>(?:[?#]{_TEXT}*)?)", "/$rest_of_location"),
        Rule(f"(?P<location_abroad>{_ABROAD}{_TEXT}+)", "$location_abroad"),
        Rule("[\\s\\S]*", NOWHERE),
    )


def links(hosts: Iterable[str]) -> tuple[Rule, ...]:
    """What becomes of Link: `<…>; rel=next, <…>; rel=last`, all of which point outside, or a few to the backend."""
    own = _own(hosts)
    tail = "[^<\\x00-\\x1f\\x7f]*"
    target = f"{_ABROAD}[^<>\\x00-\\x1f\\x7f]*>{tail}"
    define = f"(?(DEFINE)(?P<link_own>{own}{_ROOTED})(?P<link_target>{target}))"
    first, *more = (
        f"(?P<link_from_{n}><)(?:(?P>link_own))?(?P<link_to_{n}>(?P>link_target))" for n in range(MOST_LINKS)
    )
    rest = "".join(f"(?:{one})?" for one in more)
    value = "".join(f"$link_from_{n}$link_to_{n}" for n in range(MOST_LINKS))
    return (Rule(f"{tail}(?:<{target})*+", "$upstream_http_link"), Rule(f"{define}{first}{rest}", value))


def _own(hosts: Iterable[str]) -> str:
    """The beginning of an address of the backend's own."""
    split = [_split(host.lower()) for host in dict.fromkeys(hosts) if host]
    names = [exact(name) for name in dict.fromkeys([*LOOPBACK, *(name for name, _ in split)])][:MOST_HOSTS]
    while sum(map(size, names)) > MOST_NAMES:  # the first are the backend's own for sure
        names.pop()
    ports = list(dict.fromkeys([*_USUAL_PORTS, *(port for _, port in split if port)]))[:MOST_HOSTS]
    return f"{_SCHEME}(?:{'|'.join(names)})(?::(?:{'|'.join(ports)})(?![0-9]))?+"


def _split(host: str) -> tuple[str, str]:
    """Name and port; an IPv6 address keeps its brackets."""
    name, _, port = host.rpartition(":")
    return (name, port) if name and port.isdigit() and (":" not in name or name.endswith("]")) else (host, "")
