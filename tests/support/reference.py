"""What the gateway should make of a call, said again in other words: by decoding, not by patterns over raw text."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from operator import le
from urllib.parse import unquote_to_bytes

from exposer.openapi.model import Operation

RAW = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@")
NEVER_ENCODED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._%/;?\\")
HELD = "\0"  # an encoded slash, while the rest is decoded


def wanted(target: str, method: str, published: Iterable[Operation], hidden: Iterable[Operation]) -> set[int]:
    """The statuses that are right for a call with a good key and without a query."""
    text = plain(target)
    if text is None:
        return {400, 404}
    method = "GET" if method == "HEAD" else method
    ours = [op for op in published if op.method == method and means(op, text)]
    if not ours:
        return {404, 400} if HELD in text else {404}
    rivals = [op for op in hidden if op.method == method and may_mean(op, text)]
    if not rivals:
        return {200}
    return {200} if any(all(prefers(one, rival) for rival in rivals) for one in ours) else {404}


def plain(target: str) -> str | None:
    """The path decoded, an encoded slash as HELD; None when two backends could read it in two ways."""
    if not target.startswith("/"):
        return None
    parts = re.split("/|(%2[Ff]|%252[Ff])", target[1:])
    text = "/"
    for place in range(0, len(parts), 2):
        segment = parts[place]
        last = place == len(parts) - 1
        decoded = _decoded(segment)
        if decoded is None or (not decoded and not last) or _trimmed_by_some(decoded):
            return None
        text += decoded + ("" if last else HELD if parts[place + 1] else "/")
    return None if text == "/" + HELD else text


def means(operation: Operation, text: str) -> bool:
    """Whether a decoded path is a call of this operation."""
    if HELD in text and not operation.wide:
        return False
    return _shape(operation.full_path, operation.wide, False).fullmatch(text) is not None


def may_mean(operation: Operation, text: str) -> bool:
    """Whether some lenient backend could take it for one: any case, a slash at the end or none, slashes decoded."""
    path = text.removesuffix("/").removesuffix(HELD) or "/"
    shape = _shape(operation.full_path.removesuffix("/") or "/", operation.wide, True)
    return shape.fullmatch(path) is not None or shape.fullmatch(text) is not None


def prefers(one: Operation, rival: Operation) -> bool:
    """Whether every backend would choose `one`: it is more concrete somewhere, and nowhere less."""
    ours, theirs = _kinds(one), _kinds(rival)
    if ours == theirs:
        return _nameless(one) == _nameless(rival)
    if 3 in ours and 3 in theirs and ours.index(3) == theirs.index(3):
        start, behind, beyond = ours[: ours.index(3)], ours[ours.index(3) + 1 :], theirs[theirs.index(3) + 1 :]
        least = min(len(behind), len(beyond))
        ends_alike = all(a <= b for a, b in zip(behind[-least:] if least else (), beyond[-least:], strict=False))
        return all(map(le, start, theirs)) and len(behind) >= len(beyond) and ends_alike
    until = min((kinds.index(3) for kinds in (ours, theirs) if 3 in kinds), default=len(ours))
    return all(map(le, ours[: until + 1], theirs[: until + 1]))


def _decoded(segment: str) -> str | None:
    if re.search("%(?![0-9A-Fa-f]{2})", segment):
        return None
    escapes = {chr(int(code, 16)) for code in re.findall("%([0-9A-Fa-f]{2})", segment)}
    if not set(re.sub("%..", "", segment)) <= RAW or escapes & NEVER_ENCODED:
        return None
    try:
        text = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        return None
    folded = (unicodedata.normalize("NFKC", char) for char in text if char > "\x7f")
    odd = any(unicodedata.category(char) == "Cc" for char in text) or any(
        each in (".", "..", "/", "\\") for each in folded
    )
    return None if odd else text


def _trimmed_by_some(segment: str) -> bool:
    return bool(segment) and (not segment.strip(".") or segment != segment.strip(" "))


@lru_cache(maxsize=20_000)
def _shape(template: str, wide: tuple[str, ...], lenient: bool) -> re.Pattern[str]:
    if template.rpartition("/")[2] in wide:
        template = f"{template.rpartition('/')[0]}/{{{template.rpartition('/')[2]}}}"
    slash = f"[/{HELD}]" if lenient else "/"
    shape = ""
    for piece in re.split(r"(\{[^{}/]*\})", template):
        if not re.fullmatch(r"\{[^{}/]*\}", piece):
            text = unquote_to_bytes(piece).decode()
            shape += slash.join(re.escape(part) for part in text.split("/"))
        elif piece[1:-1] in wide:
            shape += f"(?![/{HELD}]).+"
        else:
            shape += "[^/]+" if lenient else f"[^/{HELD}]+"
    return re.compile(shape, re.DOTALL | (re.IGNORECASE if lenient else 0))


def _nameless(operation: Operation) -> str:
    """The template without its parameters' names; two that differ in nothing else are one and the same to a backend."""
    text = operation.full_path
    for name in re.findall(r"\{([^{}/]*)\}", text):
        text = text.replace(f"{{{name}}}", "{**}" if name in operation.wide else "{}")
    return text


@lru_cache(maxsize=20_000)
def _kinds(operation: Operation) -> tuple[int, ...]:
    """0 for a literal segment, 1 with a literal in it, 2 for a parameter, 3 for one that may span several."""
    found = []
    for part in operation.full_path.removesuffix("/").split("/")[1:]:
        names = re.findall(r"\{([^{}/]*)\}", part)
        if part in operation.wide or any(name in operation.wide for name in names):
            found.append(3)
        else:
            found.append(0 if not names else 2 if re.fullmatch(r"(\{[^{}/]*\})+", part) else 1)
    return tuple(found)
