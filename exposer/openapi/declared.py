"""What a document declares that only the gateway asks about: names of query parameters, hosts of its servers. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from exposer.openapi import refs
from exposer.openapi.model import Document, Operation
from exposer.openapi.operations import path_item
from exposer.openapi.span import parameters

_HOST = re.compile(r"(?:https?:)?//([A-Za-z0-9.-]+(?::[0-9]+)?)(?:[/?#]|\Z)")


def with_query(document: Document | None, operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """The operations with the names of their query parameters; "a[*]" stands for any key of an object `a`.

    Without a document nothing is declared.
    """
    return tuple(replace(each, query=_query(document, each) if document else ()) for each in operations)


def server_hosts(document: Document | None) -> tuple[str, ...]:
    """The hosts of the document's own servers, with their ports: the backend may take itself for one of these."""
    servers = document.data.get("servers") if document else None
    urls = [server.get("url") for server in servers if isinstance(server, Mapping)] if isinstance(servers, list) else []
    found = [_HOST.match(url) for url in urls if isinstance(url, str)]
    return tuple(dict.fromkeys(each[1].lower() for each in found if each))


def _query(document: Document, operation: Operation) -> tuple[str, ...]:
    item = path_item(document, operation.path)
    raw = item.get(operation.method.lower())
    declared = parameters(document, item, raw if isinstance(raw, Mapping) else {}, "query")
    return tuple(dict.fromkeys(word for name, node in declared for word in _words(document, name, node)))


def _words(document: Document, name: str, node: Mapping[str, Any]) -> Iterator[str]:
    """What one declared parameter is called on the wire: an object's fields stand by themselves, or in brackets."""
    yield name
    style = node.get("style", "form")
    if style == "deepObject":
        yield f"{name}[*]"
    elif style == "form" and node.get("explode", True) is not False and "content" not in node:
        yield from _fields(document, node.get("schema"))


def _fields(document: Document, schema: Any) -> Iterator[str]:
    """The names of an object's properties, in all its branches; each schema is looked at once."""
    seen: set[int] = set()
    queue = [schema]
    while queue:
        node = refs.follow(document.data, queue.pop())
        if not isinstance(node, Mapping) or id(node) in seen:
            continue
        seen.add(id(node))
        properties = node.get("properties")
        yield from properties if isinstance(properties, Mapping) else ()
        branches = (node.get(word) for word in ("allOf", "anyOf", "oneOf"))
        queue.extend(branch for some in branches if isinstance(some, list) for branch in some)
