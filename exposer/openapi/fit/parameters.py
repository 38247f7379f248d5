"""The parameters of one operation: written out, those that no client sends taken away. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from exposer.openapi import refs
from exposer.openapi.fit.call import Parameter, UnfitError
from exposer.openapi.fit.clients import Client
from exposer.openapi.fit.flat import SCALARS, Flat, Flattener
from exposer.openapi.fit.notes import Notes
from exposer.openapi.fit.texts import clean
from exposer.openapi.model import Operation

_IN_PATH = re.compile(r"\{([^{}/]+)\}")
_TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,99}")
# Headers that are not parameters by the specification, or that the gateway sees to.
_OURS = frozenset(("accept", "content-type", "authorization", "proxy-authorization", "cookie", "host", "user-agent"))
_JOINED = {"form": ",", "spaceDelimited": " ", "pipeDelimited": "|"}


@dataclass(frozen=True, slots=True)
class Parameters:
    """What is left of an operation's parameters, and the headers that the gateway must add."""

    kept: tuple[Parameter, ...]
    headers: Mapping[str, str]


class Reader:
    """Reads the parameters of one document for one client. `ours` are headers that the gateway sets in any case."""

    def __init__(
        self, data: Mapping[str, Any], flattener: Flattener, client: Client, notes: Notes, ours: frozenset[str]
    ) -> None:
        self._data = data
        self._flattener = flattener
        self._client = client
        self._notes = notes
        self._ours = _OURS | {name.lower() for name in ours}

    def read(self, operation: Operation, item: Mapping[str, Any], raw: Mapping[str, Any]) -> Parameters:
        """Raises UnfitError when the operation needs something that the client cannot send."""
        headers: dict[str, str] = {}
        kept: list[Parameter] = []
        for node in self._all(operation, item, raw):
            place, name = node["in"], node["name"]
            if place == "header":
                headers |= self._header(operation, node)
            elif place == "cookie":
                self._cookie(operation, node)
            elif place == "path":
                kept.append(self._plain(operation, node))
            elif (found := self._query(operation, node)) is not None:
                kept.append(found)
            if place not in ("header", "cookie", "path", "query") and node.get("required") is True:
                raise UnfitError("objects", f"it needs {name} in a place of its own ({clean(place)[:20]})")
        return Parameters(tuple(self._once(operation, self._whole_path(operation, kept))), headers)

    def kind(self, schema: Any) -> str:
        """The type of a schema; "" when it may be anything."""
        return self._flattener.flat(schema).type

    def _all(
        self, operation: Operation, item: Mapping[str, Any], raw: Mapping[str, Any]
    ) -> Iterator[Mapping[str, Any]]:
        """Those of the path and of the operation, which win."""
        found: dict[tuple[str, str], Mapping[str, Any]] = {}
        for owner in (item, raw):
            nodes = owner.get("parameters")
            for node in nodes if isinstance(nodes, list) else ():
                target = refs.follow(self._data, node)
                if target is not node:
                    self._notes.add("inline", operation.id, "parameters are written out in place")
                if not isinstance(target, Mapping) or not all(isinstance(target.get(k), str) for k in ("in", "name")):
                    self._notes.add("inline", operation.id, "a parameter that is not described is left out")
                elif target["name"]:
                    found[target["in"], target["name"]] = target
        yield from found.values()

    def _header(self, operation: Operation, node: Mapping[str, Any]) -> dict[str, str]:
        name, needed = node["name"], node.get("required") is True
        if name.lower() in self._ours:
            return {}
        value = self._constant(node)
        if not needed:
            self._notes.add("headers", operation.id, f"the optional header {clean(name)[:60]} is left out")
            return {}
        if value is None or not _TOKEN.fullmatch(name):
            raise UnfitError(
                "headers", f"it needs the header {clean(name)[:60]}, which {self._client.says} cannot send"
            )
        self._notes.add("headers", operation.id, f"the header {name} is added by the gateway")
        return {name: value}

    def _constant(self, node: Mapping[str, Any]) -> str | None:
        """The one value that a header can have."""
        schema = node.get("schema")
        flat = self._flattener.flat(schema)
        values = list(flat.enum) if flat.enum is not None and len(flat.enum) == 1 else []
        values = values or ([flat.words["default"]] if "default" in flat.words else [])
        if not values or not isinstance(values[0], str | int | float):
            return None
        value = values[0]
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return text if text.isascii() and text.isprintable() and 0 < len(text) <= 1000 else None

    def _cookie(self, operation: Operation, node: Mapping[str, Any]) -> None:
        if node.get("required") is True:
            raise UnfitError("cookies", f"it needs the cookie {clean(node['name'])[:60]}, which no client keeps")
        self._notes.add("cookies", operation.id, f"the optional cookie {clean(node['name'])[:60]} is left out")

    def _plain(self, operation: Operation, node: Mapping[str, Any]) -> Parameter:
        """A value in the path: a list or an object there is text."""
        flat = self._flat(operation, node)
        if flat.type not in SCALARS:
            flat = Flat(type="string", marks=flat.marks)
        return Parameter(node["name"], "path", True, self._text(node, flat), flat)

    def _query(self, operation: Operation, node: Mapping[str, Any]) -> Parameter | None:
        if node["in"] != "query":
            return None
        name, required = node["name"], node.get("required") is True
        if isinstance(node.get("content"), Mapping):
            flat = Flat(type="string")
            text = self._text(node, flat)
            self._notes.add("objects", operation.id, f"{clean(name)[:60]} is offered as text with JSON in it")
            return Parameter(name, "query", required, f"{text} (JSON)".strip(), flat)
        flat = self._flat(operation, node)
        if flat.type == "object":
            if required:
                raise UnfitError("objects", f"it needs the object {clean(name)[:60]} in the query")
            self._notes.add("objects", operation.id, f"the optional object {clean(name)[:60]} in the query is left out")
            return None
        if flat.type == "array":
            return self._list(operation, node, flat)
        return Parameter(name, "query", required, self._text(node, flat), flat)

    def _list(self, operation: Operation, node: Mapping[str, Any], flat: Flat) -> Parameter | None:
        """One value where values are repeated; else text with the values joined."""
        style = node.get("style")
        between = _JOINED.get(style if isinstance(style, str) else "form", ",")
        explode = node.get("explode")
        repeated = explode if isinstance(explode, bool) else between == ","
        items = self._flattener.flat(flat.items)
        single = items if items.type in SCALARS else Flat(type="string")
        required, text = node.get("required") is True, self._text(node, flat)
        if self._client.lists and between == ",":
            whole = replace(flat, items=flat.items if items.type in SCALARS else None)
            return Parameter(node["name"], "query", required, text, whole, repeated)
        name = clean(node["name"])[:60]
        if repeated:
            self._notes.add("lists", operation.id, f"{name} is offered as one value")
            return Parameter(node["name"], "query", required, f"{text} (one value)".strip(), replace(single, text=""))
        self._notes.add("lists", operation.id, f"{name} is offered as values with {between!r} between them")
        joined = f"{text} (values with {between!r} between them)".strip()
        return Parameter(node["name"], "query", required, joined, Flat(type="string"))

    def _flat(self, operation: Operation, node: Mapping[str, Any]) -> Flat:
        """Of a union the simple kinds are the ones that can stand in an address."""
        schema = node.get("schema")
        flats = [self._flattener.flat(branch) for branch in self._flattener.branches(schema)]
        simple = [flat for flat in flats if flat.type in SCALARS]
        whole = self._flattener.flat(schema)
        flat = simple[0] if whole.type not in (*SCALARS, "") and simple else whole
        for step in sorted(whole.marks):
            self._notes.add(step, operation.id, f"the parameter {clean(node['name'])[:60]} is simplified")
        return flat

    @staticmethod
    def _text(node: Mapping[str, Any], flat: Flat) -> str:
        return clean(node.get("description")) or flat.text

    @staticmethod
    def _whole_path(operation: Operation, kept: list[Parameter]) -> list[Parameter]:
        """Exactly the names that stand in the path."""
        names = dict.fromkeys(_IN_PATH.findall(operation.path))
        known = {parameter.name for parameter in kept if parameter.place == "path"}
        missing = [Parameter(name, "path", True, "", Flat(type="string")) for name in names if name not in known]
        return [*missing, *(p for p in kept if p.place != "path" or p.name in names)]

    def _once(self, operation: Operation, kept: list[Parameter]) -> Iterator[Parameter]:
        """Each name once: the client puts all of them into one call."""
        in_path = {parameter.name for parameter in kept if parameter.place == "path"}
        for parameter in kept:
            if parameter.place == "path" or parameter.name not in in_path:
                yield parameter
            elif parameter.required:
                raise UnfitError("duplicates", f"{clean(parameter.name)[:60]} is needed in the path and in the query")
            else:
                name = clean(parameter.name)[:60]
                self._notes.add("duplicates", operation.id, f"{name} in the query is left out: the path has it")
