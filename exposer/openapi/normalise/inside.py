"""Goes through a document from the top down and mends each thing before what is below it. In place."""

from collections.abc import Callable
from http.client import responses as PHRASES
from typing import Any

from exposer.openapi.model import DocumentError
from exposer.openapi.normalise import calls, values
from exposer.openapi.normalise.copying import Copier
from exposer.openapi.normalise.fields import fix_fields
from exposer.openapi.normalise.grammar import GRAMMAR
from exposer.openapi.normalise.references import References
from exposer.openapi.normalise.report import Report, Where, names_of, short
from exposer.openapi.normalise.schema import Patterns, fix_default, fix_schema

_FIX: dict[str, Callable[[dict[str, Any], Where, Report], None]] = {
    "parameter": calls.fix_parameter,
    "header": calls.fix_header,
    "requestBody": calls.fix_request_body,
    "response": calls.fix_response,
    "media": calls.fix_media,
    "encoding": calls.fix_encoding,
    "example": calls.fix_example,
    "pathItem": calls.fix_path_item,
    "operation": calls.fix_operation,
}
_LISTS = frozenset(("parameters", "allOf", "anyOf", "oneOf", "prefixItems"))
_NOTED = frozenset(("pathItem", "response", "callback"))  # keys that begin with "x-" are notes there
_INLINE = frozenset(("pathItem", "operation", "media", "encoding"))  # no references to these in 3.1
_GONE = object()
MAX_NESTED = 60

Task = tuple[str, dict[str, Any], Where]


class Inside:
    """One walk. What is visited is put on a list, never into a recursion: depth costs nothing."""

    def __init__(self, references: References, copier: Copier, report: Report, *, old: bool) -> None:
        self._references = references
        self._copier = copier
        self._report = report
        self._old = old
        self._patterns = Patterns()

    def fix(self, kind: str, node: dict[str, Any], where: Where) -> None:
        tasks: list[Task] = [(kind, node, where)]
        defaults: list[tuple[dict[str, Any], Where]] = []
        while tasks:
            kind, node, where = tasks.pop()
            self._fix_one(kind, node, where)
            if kind == "schema" and "default" in node:
                defaults.append((node, where))
            below: list[Task] = []
            self._tidy(kind, node, where, below)
            tasks += reversed(below)
        for node, where in defaults:
            fix_default(node, where, self._report)

    def _fix_one(self, kind: str, node: dict[str, Any], where: Where) -> None:
        if kind == "schema":
            self._note_local(node, where)
            fix_schema(node, where, self._report, self._patterns, old=self._old)
            self._fix_mapping(node)
        elif fix := _FIX.get(kind):
            fix(node, where, self._report)
        elif kind == "components":
            fix_fields(kind, node, where, self._report)

    def _note_local(self, node: dict[str, Any], where: Where) -> None:
        for key in ("$defs", "definitions"):
            if isinstance(node.get(key), dict):
                for name in node[key]:
                    self._references.note_local(name, ((where, key), name))

    def _fix_mapping(self, node: dict[str, Any]) -> None:
        """A discriminator's mapping has references, too, or just the names of schemas."""
        discriminator = node.get("discriminator")
        mapping = discriminator.get("mapping") if isinstance(discriminator, dict) else None
        if isinstance(discriminator, dict) and mapping is not None:
            found = {
                value: self._references.named(ref, "schema")
                for value, ref in (mapping.items() if isinstance(mapping, dict) else ())
                if isinstance(ref, str)
            }
            discriminator["mapping"] = {value: ref for value, ref in found.items() if ref is not None}

    def _tidy(self, kind: str, node: dict[str, Any], where: Where, below: list[Task]) -> None:
        """Takes out of the places below a node what cannot stand there, and lists what is to be visited."""
        if kind == "callback":
            self._tidy_map(node, "pathItem", where, below)
            return
        grammar = GRAMMAR[kind]
        for key in [key for key in node if key in grammar]:
            child, named = grammar[key]
            self._tidy_place(node, key, child, named, (where, key), below)

    def _tidy_place(
        self, node: dict[str, Any], key: str, child: str, named: bool, where: Where, below: list[Task]
    ) -> None:
        value = node[key]
        if child == "example" and isinstance(value, list):  # as schemas have them
            value = node[key] = {str(number): {"value": item} for number, item in enumerate(value, 1)}
        if key in _LISTS and not named:
            items = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
            if items is not value:
                self._report.add(where, f"{key} is not a list")
            kept = [self._child(item, child, (where, number), below) for number, item in enumerate(items)]
            node[key] = [item for item in kept if item is not _GONE]
        elif named:
            if isinstance(value, dict):
                self._tidy_map(value, child, where, below)
            else:
                del node[key]
                if value is not None:
                    self._report.add(where, f"{key} is not an object and was left out")
        else:
            node[key] = self._child(value, child, where, below)
            if node[key] is _GONE:
                del node[key]

    def _tidy_map(self, things: dict[str, Any], child: str, where: Where, below: list[Task]) -> None:
        for name in list(things):
            if child in _NOTED and name.startswith("x-"):
                continue
            found = self._child(things[name], child, (where, name), below)
            if found is _GONE:
                del things[name]
            else:
                things[name] = found

    def _child(self, value: Any, kind: str, where: Where, below: list[Task]) -> Any:
        """What is to stand in a place; it is put on the list when there is anything to do below."""
        if not isinstance(value, dict):
            return self._instead(value, kind, where)
        if isinstance(value.get("$ref"), str):
            if kind in _INLINE:
                self._inline(value, kind, where)
            elif self._references.settle(value, kind, where):
                if kind == "schema" and len(value) > 1:
                    below.append((kind, value, where))
                return value
            elif kind == "schema":
                del value["$ref"]
            elif kind == "response":
                return self._instead(None, kind, where)
            else:
                return _GONE
        elif "$ref" in value and kind != "example":
            del value["$ref"]
        if kind == "parameter" and not calls.is_parameter(value, where, self._report):
            return _GONE
        below.append((kind, value, where))
        return value

    def _inline(self, node: dict[str, Any], kind: str, where: Where) -> None:
        """Puts a copy in the place of a reference; what stands beside it stays."""
        if len(names_of(where)) > MAX_NESTED:
            raise DocumentError(
                f"the document goes in a circle: a {kind} refers to itself",
                "make a document without that part and point backend.openapi to it",
            )
        target = self._references.target(node, kind)
        if isinstance(target, dict):
            copy = self._copier.copy(target)
            node.update({key: value for key, value in copy.items() if key not in node})
        else:
            self._report.add(where, f"the reference {short(node['$ref'])} leads nowhere and was left out")
        del node["$ref"]

    def _instead(self, value: Any, kind: str, where: Where) -> Any:
        """What stands for something that is no object."""
        if kind == "schema":
            if isinstance(value, bool):
                return value
            found = values.truth(value) if isinstance(value, str) else values.BAD
            self._report.add(where, f"{short(value)} is no schema; anything is allowed there")
            return {} if found is values.BAD else found
        if kind == "response":
            code = str(where[1]) if where else ""
            said = value if isinstance(value, str) else PHRASES.get(int(code), "") if code.isdigit() else ""
            self._report.add(where, "is not described")
            return {"description": said}
        if kind == "media":
            return {}
        if kind == "example" and value is not None:
            return {"value": value}
        if value is not None:
            self._report.add(where, f"{short(value)} is no {kind} and was left out")
        return _GONE
