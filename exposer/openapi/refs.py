"""References inside one document: `#/a/b` taken apart, looked up and followed. Nothing is ever fetched."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

MISSING = object()
HOPS = 16


def tokens(ref: str) -> tuple[str, ...] | None:
    """The names that `#/…` goes through; None for a reference to somewhere else."""
    if not ref.startswith("#/"):
        return None
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in unquote(ref[2:]).split("/"))


def lookup(data: Any, names: tuple[str, ...]) -> Any:
    """What stands at the end of the names, or MISSING."""
    for name in names:
        if isinstance(data, Mapping) and name in data:
            data = data[name]
        elif isinstance(data, list) and name.isascii() and name.isdigit() and int(name[:9]) < len(data):
            data = data[int(name[:9])]
        else:
            return MISSING
    return data


def follow(data: Any, node: Any) -> Any:
    """`node` itself, or what it refers to in the end; MISSING when that is nowhere, outside, or a circle."""
    for _ in range(HOPS):
        ref = node.get("$ref") if isinstance(node, Mapping) else None
        if not isinstance(ref, str):
            return node
        names = tokens(ref)
        node = MISSING if names is None else lookup(data, names)
    return MISSING
