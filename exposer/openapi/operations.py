"""The operations of a document, in its own order, each with an id that stays the same between polls. Pure."""

import hashlib
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from exposer.openapi import refs
from exposer.openapi.model import Document, Operation
from exposer.openapi.span import wide

METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
MAX_ID = 64
_LEGAL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PIECES = re.compile(r"\{[^{}]*\}|[^{}]+")
_WORD = re.compile(r"[A-Za-z0-9]+")
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})|%2[fF]|%5[cC]")
_DOTS = re.compile(r"/\.+(;[^/]*)?(/|\Z)")  # a segment of dots alone; `{base}...{head}` is none
_UNSAFE = frozenset("\"'`\\?#<>|^")


def operations(document: Document) -> tuple[Operation, ...]:
    """Every operation whose path can be passed on, in document order."""
    found = [(method, path, item, raw) for path, item in _good_paths(document) for method, raw in _calls(item)]
    ids = _ids([(method, path, raw.get("operationId")) for method, path, _, raw in found])
    return tuple(
        Operation(
            id=id_,
            method=method.upper(),
            path=path,
            full_path=document.base_path + path,
            tags=_texts(raw.get("tags")),
            summary=raw["summary"] if isinstance(raw.get("summary"), str) else "",
            wide=wide(document, path, item, raw),
        )
        for id_, (method, path, item, raw) in zip(ids, found, strict=True)
    )


def skipped(document: Document) -> tuple[tuple[str, str], ...]:
    """The paths that are left out, each with the reason; a path without operations needs none."""
    return tuple((path, reason) for path, item in _paths(document) if (reason := _left_out(path, item)))


def _left_out(path: str, item: Mapping[str, Any]) -> str:
    if any(True for _ in _calls(item)):
        return path_problem(path)
    return "is described elsewhere, which is not read" if isinstance(item.get("$ref"), str) else ""


def path_item(document: Document, path: str) -> Mapping[str, Any]:
    """What the document says about a path, its own reference resolved once; empty when there is nothing."""
    paths = document.data.get("paths")
    item = paths.get(path) if isinstance(paths, Mapping) else None
    if not isinstance(item, Mapping):
        return {}
    ref = item.get("$ref")
    names = refs.tokens(ref) if isinstance(ref, str) else None
    target = refs.lookup(document.data, names) if names else None
    return {**target, **item} if isinstance(target, Mapping) else item


def path_problem(path: str) -> str:
    """Why a template cannot be passed on safely, or "" when it can."""
    if not path.startswith("/"):
        return 'does not start with "/"'
    if _PERCENT.search(path):
        return "has a percent sign that is malformed or hides a slash"
    for text in (path, unquote(path)):
        if any(unicodedata.category(char)[0] in "CZ" for char in text):
            return "has white space or a control character"
        if odd := next((char for char in text if char in _UNSAFE), ""):
            return f"has the character {odd}"
        if _DOTS.search(text):
            return "climbs out of its folder"
        if "//" in text:
            return "has an empty segment"
    return _brace_problem(path)


def _brace_problem(path: str) -> str:
    rest = re.sub(r"\{[^{}/]+\}", "", path)
    return "has braces that do not name a parameter" if "{" in rest or "}" in rest else ""


def _paths(document: Document) -> Iterator[tuple[str, Mapping[str, Any]]]:
    paths = document.data.get("paths")
    for path in paths if isinstance(paths, Mapping) else ():
        if isinstance(path, str) and not path.startswith("x-"):
            yield path, path_item(document, path)


def _good_paths(document: Document) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((path, item) for path, item in _paths(document) if not path_problem(path))


def _calls(item: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((key, raw) for key, raw in item.items() if key in METHODS and isinstance(raw, Mapping))


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()


@dataclass(frozen=True, slots=True)
class _Call:
    """What an id is derived from: nothing else, so it stays when the document changes elsewhere."""

    method: str
    path: str
    own: str = ""

    @property
    def readable(self) -> str:
        return "_".join((self.method, *_words(self.path))) if self.path != "/" else f"{self.method}_root"

    def hashed(self, attempt: int) -> str:
        salt = f" {attempt}" if attempt else ""
        digest = hashlib.sha256(f"{self.method} {self.path}{salt}".encode()).hexdigest()[:8]
        return f"{self.readable[: MAX_ID - 9].rstrip('_')}_{digest}"


def derived_ids(calls: list[tuple[str, str]]) -> list[str]:
    """Readable ids for (method, path) pairs that have none of their own."""
    return _ids([(method.lower(), path, None) for method, path in calls])


def _ids(found: list[tuple[str, str, Any]]) -> list[str]:
    """Own ids where they are legal and unique; else derived, with a hash where two would be the same."""
    own = Counter(given for _, _, given in found if isinstance(given, str) and _LEGAL_ID.fullmatch(given))
    calls = [_Call(m, path, given if isinstance(given, str) and own[given] == 1 else "") for m, path, given in found]
    taken = {call.own for call in calls if call.own}
    readable = Counter(call.readable for call in calls if not call.own)
    ids = []
    for call in calls:
        clear = len(call.readable) <= MAX_ID and readable[call.readable] == 1
        wishes = itertools.chain([call.readable] if clear else [], map(call.hashed, itertools.count()))
        ids.append(call.own or next(id_ for id_ in wishes if id_ not in taken))
        taken.add(ids[-1])
    return ids


def _words(path: str) -> Iterator[str]:
    """`/users/{id}/v{n}` → users, by, id, v, by, n."""
    for piece in _PIECES.findall(path):
        words = _WORD.findall(piece)
        if piece.startswith("{") and words:
            yield "by"
        yield from words
