"""Gives a component of its own to what is referred to deep inside other things.

Bundlers write `#/paths/~1a/get/parameters/0`. Such a reference would break when anything around its target is mended.
"""

import re
from typing import Any

from exposer.openapi import refs
from exposer.openapi.normalise.grammar import SECTIONS, SECTIONS_2, walk
from exposer.openapi.normalise.names import free_name, reference, wish_for

_HOMES = ("components", "definitions", "parameters", "responses")
_DEEP = re.compile(r'"\$ref": ?"#/(?!' + "|".join(f"{home}/" for home in _HOMES) + ")")


def is_deep(text: str) -> bool:
    """Whether a document's JSON text could have references that need lifting."""
    return _DEEP.search(text) is not None


def lift(data: dict[str, Any]) -> None:
    """Moves each target into a component, in place; a reference stays where it stood."""
    moved: dict[str, str] = {}
    for _, _, node, kind, _ in list(walk("root", data)):
        ref = node.get("$ref") if isinstance(node, dict) else None
        if not isinstance(ref, str) or kind in ("pathItem", "operation"):
            continue
        if ref not in moved:
            moved[ref] = _moved(data, ref, kind)
        node["$ref"] = moved[ref]


def _moved(data: dict[str, Any], ref: str, kind: str) -> str:
    """What the reference is called from now on; itself where nothing can be done."""
    names = refs.tokens(ref)
    if names is None or names[0] in _HOMES:
        return ref
    target = _found(data, names)
    section = _section(data, kind)
    if not isinstance(target, dict) or section is None:
        return ref
    if isinstance(target.get("$ref"), str) and len(target) == 1:
        return str(target["$ref"])
    home = data
    for name in section:
        home = home.setdefault(name, {})
        if not isinstance(home, dict):
            return ref
    name = free_name(wish_for(names), home, ref)
    home[name] = dict(target)
    target.clear()
    target["$ref"] = reference((*section, name))
    return str(target["$ref"])


def _section(data: dict[str, Any], kind: str) -> tuple[str, ...] | None:
    if "swagger" in data:
        return (SECTIONS_2[kind],) if kind in SECTIONS_2 else None
    return ("components", SECTIONS[kind]) if kind in SECTIONS else None


def _found(data: Any, names: tuple[str, ...]) -> Any:
    """Like `refs.lookup`, but through references on the way: a part of the way may have been moved already."""
    node = data
    for name in names:
        if isinstance(node, dict) and name not in node:
            node = refs.follow(data, node)
        node = refs.lookup(node, (name,))
        if node is refs.MISSING:
            return node
    return node
