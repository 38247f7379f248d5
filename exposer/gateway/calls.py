"""How the gateway recognises a call, and what is particular to it: its path, its query, the headers added. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isqrt
from typing import Any

from exposer.gateway import paths
from exposer.gateway.passer import Passer
from exposer.gateway.policy import Route
from exposer.render import nginx_quote

NONE = '""'
MOST_LOOKS = 40  # nginx follows a variable to a hundred others


@dataclass(frozen=True, slots=True)
class Map:
    """A map of nginx: a variable, what it is when nothing matches, and pairs of a pattern and what it then is."""

    variable: str
    otherwise: str
    entries: tuple[tuple[str, str], ...]


def recognised(routes: tuple[Route, ...]) -> dict[str, Any]:
    """Which variable knows the operations of a method, and the maps that it takes."""
    by_method: dict[str, list[Route]] = {}
    for route in routes:
        by_method.setdefault(route.method, []).append(route)
    if "HEAD" in by_method and "GET" in by_method:
        by_method["HEAD"] += by_method["GET"]
    methods = {method: f"$op_{method}" for method in by_method}
    if "GET" in methods:
        methods.setdefault("HEAD", methods["GET"])
    return {
        "methods": methods,
        "operations": [each for method, own in by_method.items() for each in _maps(f"$op_{method}", own)],
    }


def particular(routes: tuple[Route, ...]) -> dict[str, Any]:
    """The queries, and the headers that are added, with what each operation has of them."""
    queries = {pattern: f"$query_{number}" for number, pattern in enumerate(_distinct(r.query for r in routes))}
    headers = {name.lower(): name for route in routes for name, _ in route.inject}
    key = map_keys(routes)
    return {
        "queries": queries,
        "declared": {key[r.operation]: queries[r.query] if r.query else '"1"' for r in routes} if queries else {},
        "injected": [
            {
                "name": name,
                # Elsewhere the caller's own goes on as ever; nginx has none with an underscore in its name.
                "otherwise": '""' if "_" in name else f"$http_{lower.replace('-', '_')}",
                "values": {key[r.operation]: v for r in routes for n, v in r.inject if n.lower() == lower},
            }
            for lower, name in headers.items()
        ],
    }


def permitted(routes: tuple[Route, ...], passers: Iterable[Passer]) -> dict[str, Any]:
    """For keys that may not call everything: which variable knows what such a key may call, and what that is."""
    key = map_keys(routes)
    restricted = [(passer.id, passer.operations) for passer in passers if passer.operations is not None]
    sets = {chosen: f"$may_{number}" for number, chosen in enumerate(dict.fromkeys(chosen for _, chosen in restricted))}
    return {
        "restricted": {id_: sets[chosen] for id_, chosen in restricted},
        "may": {variable: [key[name] for name in key if name in chosen] for chosen, variable in sets.items()},
    }


def _maps(name: str, routes: list[Route]) -> Iterator[Map]:
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
    most = max(4, isqrt(len(routes)))
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


def map_keys(routes: Iterable[Route]) -> dict[str, str]:
    """Each operation's id as a map's entry. nginx folds the case of plain texts, and takes some words for its own."""
    ids = dict.fromkeys(route.operation for route in routes)
    folded = Counter(id_.lower() for id_ in ids)
    odd = ("default", "hostnames", "include", "volatile")
    return {
        id_: id_
        if re.fullmatch(r"[A-Za-z0-9_-]+", id_) and folded[id_.lower()] == 1 and id_.lower() not in odd
        else f"~^{paths.exact(id_)}\\z"
        for id_ in ids
    }


def _distinct(texts: Iterable[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text]
