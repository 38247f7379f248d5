"""Takes along what the chosen operations refer to, and nothing else of the document. Pure."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from exposer.openapi import refs

SECTIONS_2 = {"schemas": ("definitions",), "parameters": ("parameters",), "responses": ("responses",)}
SECTIONS_3 = {
    kind: ("components", kind)
    for kind in ("schemas", "parameters", "responses", "headers", "examples", "requestBodies", "mediaTypes")
}

# How many names a reference into these must have at least: shorter ones would take in whole operations.
_LIFTABLE = {"paths": 4, "webhooks": 4, "components": 3, "definitions": 2, "$defs": 2}
_LIFTABLE |= {"parameters": 2, "responses": 2}
_NEVER = ("securitySchemes", "links", "callbacks", "pathItems")

# Keys of an object that hold data, not description.
_DATA = frozenset(("example", "default", "enum", "const", "value"))
# Keys that hold named things, by the kind of these things: there "$ref" or "example" may be just a name.
_NAMED = {
    "properties": "schemas",
    "patternProperties": "schemas",
    "dependentSchemas": "schemas",
    "definitions": "schemas",
    "$defs": "schemas",
    "responses": "responses",
    "headers": "headers",
    "examples": "examples",
    "content": "",
    "encoding": "",
}
_GONE = object()


class Harvest:
    """Copies parts of a document and remembers what they refer to.

    A reference to a component keeps it. One to any other place (deep into another path) gets a component of
    its own, so that circles need no care. One that leads nowhere, or out of the document, is taken out.
    """

    def __init__(self, data: Mapping[str, Any], sections: Mapping[str, tuple[str, ...]]) -> None:
        self._data = data
        self._sections = sections
        self._wanted: dict[tuple[str, str], Any] = {}
        self._queue: list[tuple[str, str]] = []

    def copy(self, node: Any) -> Any:
        """The node without what must not leave, its references still good."""
        return self._walk(node, "")

    def components(self) -> dict[str, Any]:
        """Everything that the copies need, nested and ordered as in the document."""
        done: dict[tuple[str, str], Any] = {}
        for kind, name in self._queue:  # grows while we walk
            done[kind, name] = self._walk(self._wanted[kind, name], kind)
        result: dict[str, Any] = {}
        for kind, name in sorted(done, key=self._place()):
            section = result
            for key in self._sections[kind]:
                section = section.setdefault(key, {})
            section[name] = done[kind, name]
        return result

    def _want(self, kind: str, name: str, node: Any) -> None:
        if (kind, name) not in self._wanted:
            self._wanted[kind, name] = node
            self._queue.append((kind, name))

    def _place(self) -> Callable[[tuple[str, str]], tuple[int, int, str]]:
        kinds = list(self._sections)
        places: dict[tuple[str, str], int] = {}
        for kind, where in self._sections.items():
            section = refs.lookup(self._data, where)
            names = section if isinstance(section, Mapping) else ()
            places |= {(kind, name): number for number, name in enumerate(names)}
        return lambda key: (kinds.index(key[0]), places.get(key, len(places)), key[1])

    def _walk(self, node: Any, kind: str) -> Any:
        if isinstance(node, list):
            return [copied for item in node if (copied := self._walk(item, kind)) is not _GONE]
        if not isinstance(node, Mapping):
            return node
        if isinstance(node.get("$ref"), str):
            return self._reference(node, kind)
        return {key: copied for key, value in node.items() if (copied := self._value(key, value, kind)) is not _GONE}

    def _value(self, key: str, value: Any, kind: str) -> Any:
        if key in _DATA or key.startswith("x-"):
            return self._plain(value)
        if key == "links" and kind == "responses":
            return _GONE  # they name operations, maybe hidden ones
        if key == "discriminator" and isinstance(value, Mapping):
            return self._discriminator(value)
        if key in _NAMED and isinstance(value, Mapping):
            return self._named(value, _NAMED[key])
        if key == "examples":
            return self._plain(value)
        if key == "parameters":
            return self._walk(value, "parameters")
        if key == "requestBody":
            return self._walk(value, "requestBodies")
        return self._walk(value, "schemas")

    def _plain(self, value: Any) -> Any:
        """Data. A reference means nothing there, but many a reader follows it: it must not dangle."""
        if isinstance(value, list):
            return [self._plain(item) for item in value]
        if not isinstance(value, Mapping):
            return value
        ref = value.get("$ref")
        dangles = isinstance(ref, str) and self._target(ref, "") is None
        return {key: self._plain(item) for key, item in value.items() if not (dangles and key == "$ref")}

    def _named(self, things: Mapping[str, Any], kind: str) -> dict[str, Any]:
        return {name: copied for name, thing in things.items() if (copied := self._walk(thing, kind)) is not _GONE}

    def _discriminator(self, node: Mapping[str, Any]) -> dict[str, Any]:
        mapping = node.get("mapping")
        if not isinstance(mapping, Mapping):
            return dict(node)
        kept = {
            value: target
            for value, name in mapping.items()
            if isinstance(name, str) and (target := self._schema_named(name))
        }
        return {**node, "mapping": kept}

    def _schema_named(self, name: str) -> str | None:
        """A discriminator may say just the schema's name."""
        where = (*self._sections["schemas"], name)
        if isinstance(refs.lookup(self._data, where), Mapping):
            self._want("schemas", name, refs.lookup(self._data, where))
            return name
        return self._target(name, "schemas")

    def _reference(self, node: Mapping[str, Any], kind: str) -> Any:
        target = self._target(node["$ref"], kind or "schemas")
        beside = {key: value for key, value in node.items() if key != "$ref"}
        if target is not None:
            return {"$ref": target, **self._walk(beside, kind)}
        if kind == "responses":
            return {"description": "not described"}
        return self._walk(beside, kind) if kind in ("", "schemas") else _GONE

    def _target(self, ref: str, kind: str) -> str | None:
        """What the reference is called in the copy; None when it must go."""
        names = refs.tokens(ref)
        found = refs.MISSING if names is None else refs.lookup(self._data, names)
        if names is None or not isinstance(found, Mapping | bool) or refs.follow(self._data, found) is refs.MISSING:
            return None
        for home, where in self._sections.items():
            if names[: len(where)] == where and len(names) > len(where):
                whole = names[: len(where) + 1]
                self._want(home, names[len(where)], refs.lookup(self._data, whole))
                return ref
        if kind not in self._sections or not _liftable(names):
            return None
        name = f"from_{hashlib.sha256(ref.encode(errors='replace')).hexdigest()[:12]}"
        self._want(kind, name, found)
        return "#/" + "/".join((*self._sections[kind], name))


def _liftable(names: tuple[str, ...]) -> bool:
    if len(names) < _LIFTABLE.get(names[0], len(names) + 1):
        return False
    return not (names[0] == "components" and names[1] in _NEVER)
