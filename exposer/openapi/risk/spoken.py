"""What an operation's words say of it: path first, then id, then summary; a description hardly counts. Pure."""

from collections.abc import Iterator
from itertools import pairwise

from exposer.openapi.model import Level
from exposer.openapi.risk import words as table
from exposer.openapi.risk.asked import is_health
from exposer.openapi.risk.view import View, words
from exposer.openapi.risk.words import SIGNS, Sign

Found = Iterator[tuple[Level, str]]


def signs(view: View) -> Found:
    """The signs of the table that the operation's words show."""
    path, ids = frozenset(view.path_words), frozenset(_before_by(view.id_words))
    ends = frozenset(segment[-1] for segment in view.segments)
    whole = frozenset("".join(segment) for segment in view.segments)
    summary = frozenset(_before_by(view.summary_words))
    for sign in SIGNS:
        if where := _shown(sign, path, ids, ends, whole) or _told(sign, view, summary):
            yield sign.level, f"{sign.reason} ({where})"


def _before_by(words: tuple[str, ...]) -> tuple[str, ...]:
    """ "Get user by login" is about users: what follows is only how they are found."""
    return words[: words.index("by")] if "by" in words else words


def _shown(sign: Sign, path: frozenset[str], ids: frozenset[str], ends: frozenset[str], whole: frozenset[str]) -> str:
    """The place where path or id show the sign."""
    if found := (sign.path & path) | (sign.ends & ends) | (sign.segments & whole):
        return f'"{min(found)}" in its path'
    if found := sign.path & ids:
        return f'"{min(found)}" in its id'
    return ""


def _told(sign: Sign, view: View, summary: frozenset[str]) -> str:
    """The place where the summary, or a phrase of the description, tells the sign."""
    if found := sign.summary & summary:
        return f'"{min(found)}" in its summary'
    if piece := next((piece for piece in sign.pieces if piece in view.summary), ""):
        return f'"{piece.strip()}" in its summary'
    if piece := next((piece for piece in sign.phrases if piece in view.summary or piece in view.description), ""):
        return f'"{piece.strip()}" in its description'
    return ""


def acts(view: View) -> Found:
    """A GET that does something, by the verb that its path, its id or its summary begins with."""
    if view.method not in ("GET", "HEAD") or is_health(view):
        return
    if verb := _verb_of_path(view) or _verb_of_id(view) or _verb_of_summary(view):
        yield Level.DANGER, f'it does something although it is a {view.method} ("{verb}")'


def _verb_of_path(view: View) -> str:
    last = view.last
    if not last or (last[-1] in table.NOUNS and last[0] not in table.PLAIN_VERBS):
        return ""
    whole = "".join(last)
    if last[0] in table.VERBS or whole in table.VERBS:
        return last[0]
    return last[0] if last[0] in table.MAYBE_VERBS and len(last) == 1 and not view.ends_in_parameter else ""


def _verb_of_id(view: View) -> str:
    first = view.id_words[0] if view.id_words else ""
    return first if first in table.VERBS and view.id_words[-1] not in table.NOUNS else ""


def _verb_of_summary(view: View) -> str:
    if piece := next((piece for piece in table.FIRST_PIECES if view.summary.startswith(piece)), ""):
        return piece
    found = view.summary_words
    if not found:
        return ""
    verb, following = _base(found[0]), found[1] if len(found) > 1 else ""
    if verb in table.VERBS and following not in table.NOUNS:
        return verb
    if verb in table.MAYBE_VERBS and (following in table.ARTICLES or not following):
        return verb
    return next((second for first, second in pairwise(found) if first == "and" and second in table.ALSO), "")


def _base(verb: str) -> str:
    """Sends → send, fetches → fetch."""
    for ending in ("s", "es"):
        stem = verb.removesuffix(ending)
        if stem != verb and (stem in table.VERBS or stem in table.MAYBE_VERBS):
            return stem
    return verb


def keys(view: View) -> Found:
    """Keys of the API or of the machine; keys that are public anyway only ask for caution."""
    for segment in view.segments:
        for place, word in enumerate(segment):
            if word not in ("key", "keys"):
                continue
            beside = segment[place - 1] if place else ""
            if table.PUBLIC_KEYS & frozenset((*segment, *view.summary_words)):
                yield Level.CAUTION, "it shows public keys"
            elif len(segment) == 1 or beside in table.KEY_OF:
                yield Level.DANGER, f'it hands out keys ("{"-".join(segment)}" in its path)'
    if (
        view.last == ("license",)
        and view.path_words[-2:-1]
        and view.path_words[-2] in ("server", "system", "admin", "user")
    ):
        yield Level.DANGER, "it hands out a licence key"


def places(view: View) -> Found:
    """Words that depend on where they stand: sessions of people who have signed in, not those of a game or a payment;
    the database itself, not figures from it."""
    found = [word for word in view.path_words if word not in table.VERSIONS and not word.isdigit()]
    if found[:1] == ["database"]:
        yield Level.DANGER, "it opens the raw database"
    for place, word in enumerate(found):
        if word in ("session", "sessions") and (place == 0 or found[place - 1] in table.SESSION_OF):
            yield Level.DANGER, "it is about the sessions of people who have signed in"
            return


def models(view: View) -> Found:
    """A read that has a language model answer; what is only a record of that may pass."""
    told = frozenset(view.summary_words[:1]) | frozenset(view.id_words)
    deep = frozenset(words(view.summary)) | frozenset(words(view.description))
    if not (told & table.MODEL or "llm" in deep):
        return
    recorded = frozenset((*view.last, *view.summary_words)) & table.RECORDS
    if not recorded and not any(piece in view.summary for piece in table.RECORD_PIECES):
        yield Level.DANGER, "a language model may have to answer, which is slow and costs"
