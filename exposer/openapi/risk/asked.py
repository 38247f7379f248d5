"""Whether a POST seems to ask only, and whether an operation is about health. Pure."""

from collections.abc import Mapping

from exposer.openapi.risk import words as table
from exposer.openapi.risk.view import View


def only_asks(view: View) -> bool:
    """A search with a body; the path's last word has to say so, or the first of the summary."""
    if view.ends_in_parameter or not view.last:
        return False
    first = view.summary_words[0] if view.summary_words else ""
    answers = view.item.get("responses")
    creates = isinstance(answers, Mapping) and ("201" in answers or 201 in answers)
    acts = first in _DOING or bool(_DOING & frozenset(view.path_words))
    named = view.last[0] in table.ASKING_FIRST or view.last[-1] in table.ASKING
    told = first in table.ASKING or view.summary.startswith(table.ASKING_PIECES)
    return not creates and not acts and (named or told)


def is_health(view: View) -> bool:
    """Health, status and version: short reads that every assistant can use."""
    words = table.HEALTH
    return not view.ends_in_parameter and bool(view.last) and (view.last[-1] in words or "".join(view.last) in words)


_DOING = table.VERBS | table.MAYBE_VERBS | frozenset(("add",))
