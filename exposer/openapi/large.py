"""Which answers have no bound by what the document says, and which parameters make them smaller. Pure."""

from collections.abc import Mapping
from typing import Any

from exposer.openapi import refs
from exposer.openapi.model import Document, Operation
from exposer.openapi.operations import path_item
from exposer.openapi.span import parameters

DEPTH = 5
_PAGES = "limit page offset size per_page page_size count first last take skip top rows max max_results num cursor"
_CHOICES = "fields select filter query search"
_SMALLER = frozenset(f"{_PAGES} {_CHOICES}".split())


def large(document: Document | None, operations: tuple[Operation, ...]) -> dict[str, tuple[str, ...]]:
    """The operations whose answers may be of any size, by id, with their query parameters that ask for less.

    A list has no bound, nor has what the document says nothing about; an object of single values has.
    """
    return {each.id: _smaller(document, each) for each in operations if document is None or _unbounded(document, each)}


def _smaller(document: Document | None, operation: Operation) -> tuple[str, ...]:
    if document is None:
        return ()
    item, raw = _raw(document, operation)
    names = dict.fromkeys(name for name, _ in parameters(document, item, raw, "query"))
    return tuple(name for name in names if _plain(name) in _SMALLER)


def _plain(name: str) -> str:
    """`$top`, `pageSize` and `per-page` as `top`, `page_size` and `per_page`."""
    spread = "".join(f"_{char.lower()}" if char.isupper() else char for char in name)
    return spread.replace("-", "_").strip("$_")


def _raw(document: Document, operation: Operation) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    item = path_item(document, operation.path)
    raw = item.get(operation.method.lower())
    return item, raw if isinstance(raw, Mapping) else {}


def _unbounded(document: Document, operation: Operation) -> bool:
    responses = _raw(document, operation)[1].get("responses")
    if not isinstance(responses, Mapping):
        return True
    good = [node for status, node in responses.items() if str(status)[:1] in ("2", "d") and str(status) != "204"]
    return (not good and "204" not in map(str, responses)) or any(_open(document, node) for node in good)


def _open(document: Document, response: Any) -> bool:
    node = refs.follow(document.data, response)
    content = node.get("content") if isinstance(node, Mapping) else None
    if not isinstance(content, Mapping) or not content:
        return True
    return any(_grows(document, each.get("schema") if isinstance(each, Mapping) else None) for each in content.values())


def _grows(document: Document, schema: Any, depth: int = DEPTH) -> bool:
    node = refs.follow(document.data, schema)
    if not isinstance(node, Mapping) or not node or depth == 0:
        return True
    kinds = node.get("type")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "array" in kinds or "items" in node or node.get("format") == "binary":
        return True
    branches = [b for word in ("allOf", "anyOf", "oneOf") for b in (node.get(word) or ()) if isinstance(b, Mapping)]
    held = node.get("properties")
    fields = list(held.values()) if isinstance(held, Mapping) else []
    if not branches and not fields and ("object" in kinds or kinds == [None]) and "enum" not in node:
        return "const" not in node
    if isinstance(node.get("additionalProperties"), Mapping):
        return True
    return any(_grows(document, each, depth - 1) for each in (*branches, *fields))
