"""Which operations can be tried out as they are: reads that need nothing and that nobody minds. Pure."""

from collections.abc import Mapping
from typing import Any

from exposer.openapi import refs
from exposer.openapi.model import Document, Level, Operation
from exposer.openapi.risk.verdict import operation_object, verdict

MOST = 3


def plain_reads(document: Document | None, operations: tuple[Operation, ...]) -> tuple[str, ...]:
    """The paths of the first few: GET, no parameter that is required, no harm known."""
    found: list[str] = []
    for operation in operations:
        if len(found) < MOST and operation.method.upper() == "GET" and "{" not in operation.full_path:
            item = operation_object(document, operation)
            if not _needs(document, item) and _is_harmless(document, operation, item):
                found.append(operation.full_path)
    return tuple(found)


def _needs(document: Document | None, item: Mapping[str, Any]) -> bool:
    """Whether it has a parameter, or a body, that has to be given."""
    data = document.data if document else {}
    nodes = [refs.follow(data, node) for node in (*item.get("parameters", ()), item.get("requestBody"))]
    return any(isinstance(node, Mapping) and node.get("required") is True for node in nodes)


def _is_harmless(document: Document | None, operation: Operation, item: Mapping[str, Any]) -> bool:
    return verdict(operation, item, document.data if document else {}).level < Level.DANGER
