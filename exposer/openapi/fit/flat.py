"""One level of a schema, flattened: references followed, allOf merged, unions made one. Children stay as they are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from exposer.openapi import refs
from exposer.openapi.fit.texts import clean

SCALARS = ("string", "integer", "number", "boolean")
TYPES = (*SCALARS, "array", "object")
LEVELS = 40
BRANCHES = 50
_KEPT = ("format", "default", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")
_NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Flat:
    """What a schema says about one value. `type` is "" when it may be anything; `open` is what it says about fields
    that it does not name; `marks` has the names of the steps that were needed on the way."""

    type: str = ""
    null: bool = False
    words: Mapping[str, Any] = field(default_factory=dict)
    enum: tuple[Any, ...] | None = None
    text: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)
    required: frozenset[str] = _NOBODY
    items: Any = None
    open: Any = None
    hides: frozenset[str] = _NOBODY
    marks: frozenset[str] = _NOBODY


ANY = Flat()


class Flattener:
    """Flattens the schemas of one document; what it has seen it remembers, as long as the document lives."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self._known: dict[int, Flat] = {}
        self._open: set[int] = set()

    def flat(self, node: Any, level: int = 0) -> Flat:
        if not isinstance(node, Mapping) or level > LEVELS:
            return ANY
        key = id(node)
        if key in self._known:
            return self._known[key]
        if key in self._open:  # it is made of itself
            return replace(ANY, marks=frozenset(("cycles",)))
        self._open.add(key)
        try:
            made = self._known[key] = self._made(node, level + 1)
        finally:
            self._open.discard(key)
        return made

    def branches(self, node: Any) -> list[Any]:
        """The members of its oneOf or anyOf, where it is a plain union; else the node alone."""
        node = refs.follow(self._data, node)
        for key in ("anyOf", "oneOf"):
            members = node.get(key) if isinstance(node, Mapping) else None
            if isinstance(members, list) and members:
                return members[:BRANCHES]
        return [node]

    def _made(self, node: Mapping[str, Any], level: int) -> Flat:
        parts = [_own(node)]
        if isinstance(node.get("$ref"), str):
            target = refs.follow(self._data, node)
            lost = replace(ANY, marks=frozenset(("dangling",)))
            parts.insert(0, lost if target is refs.MISSING else self.flat(target, level))
        parts += [self.flat(member, level) for member in _members(node, "allOf")]
        for key in ("oneOf", "anyOf"):
            if members := _members(node, key):
                parts.append(_one_of([self.flat(member, level) for member in members]))
        return parts[0] if len(parts) == 1 else _all_of(parts)


def _members(node: Mapping[str, Any], key: str) -> list[Any]:
    found = node.get(key)
    return found[:BRANCHES] if isinstance(found, list) else []


def _own(node: Mapping[str, Any]) -> Flat:
    """What the schema says itself."""
    types = node.get("type")
    names = [types] if isinstance(types, str) else types if isinstance(types, list) else []
    enum = node.get("enum")
    values = [node["const"]] if "const" in node else enum if isinstance(enum, list) else None
    properties = node.get("properties")
    required = node.get("required")
    items = node.get("items")
    kind = next((name for name in names if name in TYPES), "")
    held = properties if isinstance(properties, Mapping) else {}
    free = node.get("additionalProperties")
    return Flat(
        type=kind or _guessed(node, values, held, free),
        null=(not kind and "null" in names) or (values is not None and not [v for v in values if v is not None]),
        words={key: node[key] for key in _KEPT if key in node},
        enum=None if values is None else tuple(value for value in values if value is not None),
        text=clean(node.get("description")),
        properties=held,
        required=frozenset(n for n in required if isinstance(n, str)) if isinstance(required, list) else _NOBODY,
        items=items if isinstance(items, Mapping) else None,
        open=free if free is not False else None,
        hides=frozenset(key for key in ("readOnly", "writeOnly") if node.get(key) is True),
    )


def _guessed(node: Mapping[str, Any], values: list[Any] | None, held: Mapping[str, Any], free: Any) -> str:
    """The type of a schema that does not say it."""
    if held or isinstance(free, Mapping):
        return "object"
    if "items" in node:
        return "array"
    kinds = {type_of(value) for value in values or () if value is not None}
    return kinds.pop() if len(kinds) == 1 else ""


def type_of(value: Any) -> str:
    """The JSON Schema type of a value."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def _all_of(parts: list[Flat]) -> Flat:
    """All of them hold. The first type wins, the first text, and the shorter list of values."""
    enums = [part.enum for part in parts if part.enum is not None]
    words: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for part in parts:
        words |= part.words
        properties |= part.properties
    return Flat(
        type=_first(part.type for part in parts),
        null=any(part.null for part in parts) and not any(part.type for part in parts),
        words=words,
        enum=min(enums, key=len) if enums else None,
        text=parts[0].text if parts[0].text else _first(part.text for part in parts[::-1]),
        properties=properties,
        required=frozenset().union(*(part.required for part in parts)),
        items=next((part.items for part in parts if part.items is not None), None),
        open=next((part.open for part in parts if part.open is not None), None),
        hides=frozenset().union(*(part.hides for part in parts)),
        marks=frozenset().union(*(part.marks for part in parts)),
    )


def _one_of(branches: list[Flat]) -> Flat:
    """One of them holds: the null goes; objects become one; of other kinds the first stays."""
    left = [branch for branch in branches if not branch.null]
    marks = frozenset().union(*(branch.marks for branch in left), ("unions",))
    if not left:
        return replace(ANY, marks=marks)
    if len(left) == 1:
        return replace(left[0], marks=marks)
    kinds = {branch.type for branch in left}
    if kinds == {"object"}:
        return replace(_objects(left), marks=marks)
    if kinds <= {"integer", "number"}:
        return replace(_values(left), type="integer" if kinds == {"integer"} else "number", marks=marks)
    if len(kinds) == 1 and kinds <= set(SCALARS):
        return replace(_values(left), marks=marks)
    return replace(next((branch for branch in left if branch.type), left[0]), marks=marks)


def _objects(branches: list[Flat]) -> Flat:
    """An object that any of these objects fits: only what all of them demand is required."""
    properties: dict[str, Any] = {}
    for branch in reversed(branches):
        properties |= branch.properties
    order = dict.fromkeys(name for branch in branches for name in branch.properties)
    return replace(
        branches[0],
        text="",
        properties={name: properties[name] for name in order},
        required=frozenset.intersection(*(branch.required for branch in branches)),
        open=next((branch.open for branch in branches if branch.open is not None), None),
    )


def _values(branches: list[Flat]) -> Flat:
    """A value that any of these kinds of one type allows."""
    enums = [branch.enum for branch in branches]
    values = [value for enum in enums if enum for value in enum]
    return replace(branches[0], words={}, text="", enum=tuple(values) if all(e is not None for e in enums) else None)


def _first(texts: Iterable[str]) -> str:
    return next((text for text in texts if text), "")
