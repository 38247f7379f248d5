"""Which operation a path stands for, as maps of nginx. Pure.

Only patterns decide, and they look at case. But trying each in turn is slow, so a look at how the path begins comes
first: its first segments name a few patterns, or none, by one look into a table. Operations whose path begins with a
parameter, or has a wide one where slashes may be encoded, stand behind those, tried a chunk at a time.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isqrt

from exposer.gateway import paths
from exposer.gateway.policy import Route
from exposer.render import nginx_quote

NONE = '""'
FEW = 4  # so many patterns are tried as fast as a table is looked at
DEEPEST = 3
MOST_TABLES = 64  # for each method: each is a variable of nginx, and memory
MOST_LOOKS = 40  # nginx follows a variable to a hundred others


@dataclass(frozen=True, slots=True)
class Map:
    """A map of nginx: a variable, what it is when nothing matches, and pairs of a pattern and what it then is."""

    variable: str
    otherwise: str
    entries: tuple[tuple[str, str], ...]
    source: str = "$path"


def depth(methods: Mapping[str, list[Route]]) -> int:
    """How many of a path's first segments say most about which operation it is."""
    return min(range(1, DEEPEST + 1), key=lambda deep: sum(_tries(routes, deep) for routes in methods.values()))


def maps(variable: str, methods: Mapping[str, list[Route]], deep: int) -> Iterator[Map]:
    """All it takes to make a variable the operation of a call, from its method, `$path`, and the `deep` first segments
    of that in `$path_head`. Methods with the same list share its maps."""
    table: list[tuple[str, str]] = []
    rests: list[tuple[str, str]] = []
    for shared in dict.fromkeys(map(tuple, methods.values())):
        names = [method for method, routes in methods.items() if tuple(routes) == shared]
        own = f"$op_{names[0]}"
        heads = {route: paths.head(route.pattern, deep) for route in shared} if len(shared) > FEW else {}
        # A path with an encoded slash has no head, so wide patterns are looked at behind the table as well.
        rest = [route for route in shared if not heads.get(route) or route.pattern.wide]
        for number, group in enumerate(_tables(heads)):
            found = [route for route in shared if heads[route] in group]
            yield Map(f"{own}_at_{number}", own if rest else NONE, tuple(_entries(found)))
            table += [(method + head, f"{own}_at_{number}") for method in names for head in group]
        if rest:
            yield from _chunked(own, rest)
            rests += [(method, own) for method in names]
    if not table:
        yield Map(variable, NONE, tuple(rests), "$request_method")
        return
    if rests:
        yield Map(f"{variable}_rest", NONE, tuple(rests), "$request_method")
    yield Map(variable, f"{variable}_rest" if rests else NONE, tuple(table), '"$request_method$path_head"')


def _tries(routes: list[Route], deep: int) -> int:
    """How many patterns are tried, if each route is called as often as the others; twice that, about."""
    heads = Counter(paths.head(route.pattern, deep) for route in routes)
    return sum(number * number for number in heads.values())


def _tables(heads: Mapping[Route, str]) -> Iterator[list[str]]:
    """The heads, each in one group; few enough groups."""
    sizes = Counter(head for head in heads.values() if head)
    room = -(-sum(sizes.values()) // MOST_TABLES)
    group: list[str] = []
    for head in sizes:
        if group and sum(sizes[each] for each in group) + sizes[head] > room:
            yield group
            group = []
        group.append(head)
    if group:
        yield group


def _chunked(name: str, routes: list[Route]) -> Iterator[Map]:
    """The patterns in order; for many of them a look tries a whole chunk at once. Where the chunk that matched has
    guards, its routes may all have to step back: then the look goes on behind it."""
    chunks = list(_chunks(routes))
    if len(chunks) == 1:
        yield Map(name, NONE, tuple(_entries(chunks[0])))
        return
    variable, looks = name, 0
    look: list[tuple[str, str]] = []
    for number, chunk in enumerate(chunks):
        own, behind, last = f"{name}_{number}", f"{name}_behind_{number}", number == len(chunks) - 1
        look.append((f"~^(?:{'|'.join(route.pattern.body for route in chunk)})\\z", own))
        if not last and (looks == MOST_LOOKS or not any(route.guards for route in chunk)):
            yield Map(own, NONE, tuple(_entries(chunk)))
            continue
        following = NONE if last else behind
        yield Map(own, following, tuple(_entries(chunk)))
        yield Map(variable, following, tuple(look))
        variable, look, looks = behind, [], looks + 1


def _entries(routes: list[Route]) -> Iterator[tuple[str, str]]:
    """A route steps back from a path that an unpublished operation may claim, and those behind it are tried. When there
    are too many guards for one pattern, such a path is refused without a look at the others."""
    for route in routes:
        body = route.pattern.body
        *most, last = [*_packed(route.guards, paths.TOKEN_LIMIT)] or [""]
        for guards in most:
            yield f"~^(?={body}\\z)(?:{guards})\\z", NONE
        yield f"~^(?={body}\\z)(?!(?:{last})\\z)" if last else f"~^{body}\\z", nginx_quote(route.operation)


def _chunks(routes: list[Route]) -> Iterator[list[Route]]:
    """Neighbours that are tried as one pattern first; as many as there are chunks, so that both tries are short."""
    most = max(FEW, isqrt(len(routes)))
    chunk: list[Route] = []
    size = 0
    for route in routes:
        more = paths.size(route.pattern.body)
        if chunk and (len(chunk) == most or size + more > 2 * paths.TOKEN_LIMIT):
            yield chunk
            chunk, size = [], 0
        chunk.append(route)
        size += more
    if chunk:
        yield chunk


def _packed(bodies: Iterable[str], limit: int) -> Iterator[str]:
    """Alternatives joined, as many as fit."""
    joined = ""
    for body in bodies:
        if joined and paths.size(joined) + paths.size(body) > limit:
            yield joined
            joined = ""
        joined = f"{joined}|{body}" if joined else body
    if joined:
        yield joined
