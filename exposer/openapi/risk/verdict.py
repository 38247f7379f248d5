"""A verdict with its reasons for each operation: from its method, words, parameters and answers. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from exposer.openapi.model import Document, Level, Operation, Verdict
from exposer.openapi.operations import path_item
from exposer.openapi.risk import answers, asked, parameters, spoken
from exposer.openapi.risk.view import View

Found = Iterator[tuple[Level, str]]
READS = ("GET", "HEAD")
CHANGES = {
    "POST": "POST changes data or starts something",
    "PUT": "PUT changes data",
    "PATCH": "PATCH changes data",
    "DELETE": "DELETE removes data",
}
RULES: tuple[Callable[[View], Found], ...] = (
    spoken.signs,
    spoken.acts,
    spoken.keys,
    spoken.places,
    spoken.models,
    parameters.risky,
    answers.files,
    answers.streams,
    answers.secrets,
    answers.long_lists,
)
MAX_REASONS = 4


def verdict(operation: Operation, item: Any, data: Any = None) -> Verdict:
    """What to think of an operation. `item` is its operation object, `data` the document its references lead into."""
    view = View(operation, item, data)
    found = list(_by_method(view))
    for rule in RULES:
        found += rule(view)
    found = [*dict.fromkeys(found)]
    level = max((level for level, _ in found), default=Level.SAFE)
    gravest = sorted(found, key=lambda each: -each[0])  # the order of the rules stays within a level
    return Verdict(level, tuple(reason for _, reason in gravest[:MAX_REASONS]))


def verdicts(document: Document | None, ops: tuple[Operation, ...]) -> tuple[Verdict, ...]:
    """One verdict for each operation, in the order given."""
    data = document.data if document else {}
    return tuple(verdict(operation, operation_object(document, operation), data) for operation in ops)


def operation_object(document: Document | None, operation: Operation) -> Mapping[str, Any]:
    """What the document says of an operation, with the parameters that it shares with its path."""
    shared = path_item(document, operation.path) if document else {}
    item = shared.get(operation.method.lower())
    if not isinstance(item, Mapping):
        return {}
    given = [names for names in (shared.get("parameters"), item.get("parameters")) if isinstance(names, list)]
    return {**item, "parameters": [each for names in given for each in names]}


def _by_method(view: View) -> Found:
    if view.method in READS:
        return
    if view.method == "POST" and asked.only_asks(view):
        yield Level.CAUTION, "POST, though it seems to only ask"
    else:
        yield Level.DANGER, CHANGES.get(view.method, f"{view.method} is no read")
