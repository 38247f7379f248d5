"""How the gateway recognises a call, and what is particular to it: its path, its query, the headers added. Pure."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from exposer.gateway import lookup, paths
from exposer.gateway.passer import Passer
from exposer.gateway.policy import Route


def recognised(routes: tuple[Route, ...]) -> dict[str, Any]:
    """What a path must look like, and the maps that make `$published` the operation it stands for."""
    methods: dict[str, list[Route]] = {}
    for route in routes:
        methods.setdefault(route.method, []).append(route)
    if "GET" in methods:
        methods["HEAD"] = [*methods.get("HEAD", []), *methods["GET"]]
    deep = lookup.depth(methods)
    return {"canonical": paths.canonical_pattern(deep), "operations": list(lookup.maps("$published", methods, deep))}


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
