"""Texts for a model to read: cleaned, cut at a word, or made up in plain English. Pure."""

import re
import unicodedata

_PIECES = re.compile(r"\{([^{}]*)\}|([A-Za-z0-9]+)")
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_VERBS = {"GET": "Get", "POST": "Send", "PUT": "Replace", "PATCH": "Change", "DELETE": "Delete"}
_IDLE = frozenset(("api", "rest"))
MARK = "…"


def clean(value: object) -> str:
    """One line of text, without control characters; anything else than text is none."""
    if not isinstance(value, str):
        return ""
    line = " ".join(value.split())
    if line.isprintable():
        return line
    return "".join(char for char in line if unicodedata.category(char) not in ("Cc", "Cs"))


def length(text: str) -> int:
    """How long an importer may find it: some count two for what is outside the basic plane, so we do."""
    return len(text) if text.isascii() else len(text) + sum(char > "\uffff" for char in text)


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, ended at a word where there is one in the last part."""
    if length(text) <= limit:
        return text
    if limit < 1:
        return ""
    room = limit - length(MARK)
    kept = ""
    for char in text[: room + 1]:
        if length(kept) + length(char) > room:
            break
        kept += char
    at_word = kept if text[len(kept) : len(kept) + 1].isspace() else kept.rpartition(" ")[0]
    return (at_word if len(at_word) > len(kept) // 2 else kept).rstrip(" ,;:.") + MARK


def made_up(method: str, path: str) -> str:
    """`GET /contacts/{id}/stats` → "Get contacts stats by id"."""
    words: list[str] = []
    names: list[str] = []
    for name, word in _PIECES.findall(path):
        if name:
            names.append(_spaced(name))
        elif word.lower() not in _IDLE and not re.fullmatch(r"v[0-9.]+", word):
            words.append(_spaced(word))
    what = " ".join(words) or "the root"
    by = f" by {' and '.join(names)}" if names else ""
    return cut(f"{_VERBS.get(method, method.capitalize())} {what}{by}", 120)


def _spaced(word: str) -> str:
    """`userId` → "user id", `user_id` → "user id"."""
    return " ".join(re.findall(r"[A-Za-z0-9]+", _HUMPS.sub(" ", word))).lower()
