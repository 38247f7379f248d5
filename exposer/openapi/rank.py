"""Which operations come first when not all fit: those really called, then what a talk begins with. Pure."""

from collections import Counter
from collections.abc import Sequence
from enum import Enum

from exposer.openapi.model import Document, Operation, Verdict
from exposer.openapi.risk import operation_object
from exposer.openapi.risk import words as table
from exposer.openapi.risk.asked import is_health
from exposer.openapi.risk.view import View

# So many operations of one tag share a place; the next ones fall behind the other tags.
TOGETHER = 3


class Kind(Enum):
    """What an operation is for, in the order in which an assistant needs them."""

    HEALTH = "tells how the backend is"
    SEARCH = "a search"
    LIST = "a list"
    DETAIL = "one thing in detail"
    OTHER = "a read"


_TIER = {kind: tier for tier, kind in enumerate(Kind)}


def order(
    document: Document | None, ops: Sequence[Operation], verdicts: Sequence[Verdict], calls: Sequence[int]
) -> list[int]:
    """The places of the operations, best first. `calls` says how often each was called so far."""
    views = [_view(document, operation) for operation in ops]
    keys = [
        (-count, _TIER[_kind(view)], verdict.level, _depth(view), _required(view), place)
        for place, (view, verdict, count) in enumerate(zip(views, verdicts, calls, strict=True))
    ]
    seen: Counter[str] = Counter()
    spread = []
    for count, tier, *rest in sorted(keys):
        group = _group(views[rest[-1]])
        spread.append((count, tier + seen[group] // TOGETHER, tier, *rest))
        seen[group] += 1
    return [key[-1] for key in sorted(spread)]


def kind(document: Document | None, operation: Operation) -> Kind:
    """What the operation is for."""
    return _kind(_view(document, operation))


def _view(document: Document | None, operation: Operation) -> View:
    return View(operation, operation_object(document, operation), document.data if document else {})


def _kind(view: View) -> Kind:
    if view.method == "GET" and is_health(view) and _depth(view) <= 2 and "{" not in view.path:
        return Kind.HEALTH
    if _searches(view):
        return Kind.SEARCH
    if view.ends_in_parameter:
        return Kind.DETAIL
    return Kind.LIST if _lists(view) else Kind.OTHER


def _searches(view: View) -> bool:
    last = frozenset((*view.last[:1], *view.last[-1:]))
    return not view.ends_in_parameter and (
        bool(last & table.SEARCH) or "search" in view.path_words or view.summary.startswith(table.SEARCH_PIECES)
    )


def _lists(view: View) -> bool:
    if any(schema.get("type") == "array" for schema in view.answers):
        return True
    if table.PAGE_NAMES & frozenset(parameter.name for parameter in view.parameters):
        return True
    word = view.last[-1] if view.last else ""
    return (
        word in ("list", "all")
        or "列表" in view.summary
        or (word.endswith("s") and not word.endswith(("ss", "us", "is")))
    )


def _depth(view: View) -> int:
    """How many segments there are, not counting `api` and `v1`, which every path may have."""
    segments = [segment for segment in view.path.split("/") if segment]
    return sum(not _is_prefix(segment) for segment in segments)


def _is_prefix(segment: str) -> bool:
    return segment.lower() in ("api", "rest") or (segment[:1] in "vV" and segment[1:].replace(".", "").isdigit())


def _required(view: View) -> int:
    return sum(parameter.required for parameter in view.parameters)


def _group(view: View) -> str:
    """The first tag, or else the first segment that says something."""
    named = next((segment for segment in view.static if not _is_prefix(segment)), "")
    return view.tags[0] if view.tags else named
