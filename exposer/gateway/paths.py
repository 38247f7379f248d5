"""Which raw request paths are unambiguous, and path templates as patterns over them; nginx and Python read both alike.

A path is canonical when every backend must read it the same way. Only then may it be compared with a template, as it
stands on the request line: what nginx would decode and merge before comparing is not what the backend gets.

A wide parameter spans segments, so a slash in its value means the same plain or encoded, once or (as some backends ask
for) twice. A path with an encoded slash is marked with "%" in front, and only patterns with a wide parameter match it.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from exposer.render import nginx_quote

# One character of a path that may stand for itself. Not in it: / ; \ % ? # and everything outside ASCII.
PLAIN = "A-Za-z0-9._~!\\x24&'()*+,=:@-"
H = "[0-9A-Fa-f]"
CONT = f"%[89ABab]{H}"

# What may be percent-encoded: no letter, digit or one of -._ (a needless encoding is how filters are fooled), none of
# % / ; ? \, no control character; UTF-8 in its shortest form, without what looks like a dot, a slash or a backslash
# and is turned into one by Unicode normalisation.
_ASCII = "2[0-46-9A-Ca-c]|3[ACDEacde]|40|5[BDEbde]|60|7[B-Eb-e]"
_LOOKALIKE = "%[Ee]2%80%[Aa][45]|%[Ee][Ff]%[Bb][Cc]%(?:8[EFef]|[Bb][Cc])|%[Ee][Ff]%[Bb]9%(?:92|[Aa]8)"
_UTF8 = "|".join(
    (
        f"%[Cc]2%[ABab]{H}",
        f"%(?:[Cc][3-9A-Fa-f]|[Dd]{H}){CONT}",
        f"%[Ee]0%[ABab]{H}{CONT}",
        f"%[Ee][1-9A-CEFa-cef]{CONT}{CONT}",
        f"%[Ee][Dd]%[89]{H}{CONT}",
        f"%[Ff]0%[9ABab]{H}{CONT}{CONT}",
        f"%[Ff][1-3]{CONT}{CONT}{CONT}",
        f"%[Ff]4%8{H}{CONT}{CONT}",
    )
)
_ENCODED = f"%(?:{_ASCII})|(?!{_LOOKALIKE})(?:{_UTF8})"

_SLASH = "%(?:25)?2[Ff]"
_ANY_SLASH = f"(?:/|{_SLASH})"

# A segment is not made of dots alone, and no space is at its edge: some systems trim those.
_SEGMENT = f"(?!\\.+(?:(?![^/?])|{_SLASH})|%20)(?:[{PLAIN}]++|{_ENCODED})++(?<!%20)"
_QUERY = "(?:\\?[\\x21\\x22\\x24-\\x7e]*+)?+"

# To be anchored at both ends, as the canonical one is.
SLASHED = f"(?P<slashed_path>/{_SEGMENT}(?:{_ANY_SLASH}{_SEGMENT})*+{_ANY_SLASH}?+){_QUERY}"
MARK = "%"

_TOKEN = f"(?:[^/%]|%{H}{H})"
_TOKEN_BESIDE = f"(?:[^/%]|(?!{_SLASH})%{H}{H})"  # in a path that may have encoded slashes
_WIDE_TOKEN = f"(?>%252[Ff]|%{H}{H}|[^%])"
_PARAM = re.compile(r"\{[^{}/]*\}")
_PLAIN_CHAR = re.compile(f"[{PLAIN}]")
_SLASHED = re.compile(f"{SLASHED}\\Z")
_RAW_ONLY = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._")

MOST_HEAD = 200  # bytes: a table's entry of nginx has little room

LITERAL, MIXED, PARAM, WIDE = range(4)
TOKEN_LIMIT = 1800  # bytes; nginx refuses a token of more than 4096, and two of these go into one


@dataclass(frozen=True, slots=True)
class Pattern:
    """A path template, ready to be matched. `body` has no anchors; `ranks` says how concrete each segment is, `words`
    what a backend that does not look closely compares it by."""

    body: str
    segments: tuple[str, ...]
    ranks: tuple[int, ...]
    words: tuple[str | None, ...]

    @property
    def literal(self) -> bool:
        return not any(self.ranks)

    @property
    def wide(self) -> bool:
        return WIDE in self.ranks

    @property
    def fits(self) -> bool:
        """Whether nginx takes a pattern of this length."""
        return size(self.body) <= TOKEN_LIMIT


def canonical_pattern(deep: int = 1) -> str:
    """For a raw request target that is canonical: its `path`, and the first segments of that as `path_head`."""
    head = f"(?P<path_head>/{_SEGMENT}(?:/{_SEGMENT}){{0,{deep - 1}}}+)" if deep > 1 else f"(?P<path_head>/{_SEGMENT})"
    return f"(?P<path>{head}(?:/{_SEGMENT})*+/?|/){_QUERY}"


_CANONICAL = re.compile(f"{canonical_pattern()}\\Z")


def canonical(target: str, *, slashed: bool = False) -> bool:
    """Whether a raw request target (path and query) is free of everything that could be read in two ways.

    `slashed`: but for encoded slashes, which only a wide parameter can make sense of.
    """
    return (_SLASHED if slashed else _CANONICAL).match(target) is not None


def pattern(template: str, wide: Collection[str] = ()) -> Pattern | None:
    """The pattern of a path template; None for a template that no canonical path can ever match.

    `wide` are the parameters, as written in it, that may span several segments.
    """
    parts = _parts(template, wide)
    try:
        if not parts or not canonical(sample_path(template, wide)):
            return None
        ranks = tuple(_rank(part, wide) for part in parts)
        body = _wide_body(parts, wide) if WIDE in ranks else "/" + "/".join(_segment(part) for part in parts)
        words = _words(parts, ranks)
    except ValueError:  # bytes that are not UTF-8, or half a surrogate pair
        return None
    return Pattern(body, tuple(parts), ranks, words)


def head(pattern: Pattern, deep: int) -> str:
    """The first segments of every path that the pattern matches, in small letters; "" where they are not always the
    same, or not always written the same."""
    begin = [part for part in pattern.segments[:deep] if part]
    if not begin or any(pattern.ranks[:deep]):
        return ""
    words = [_decoded_bytes(part) for part in begin]
    if not all(byte in _RAW_ONLY for word in words for byte in word) or sum(map(len, words)) > MOST_HEAD:
        return ""
    return "".join(f"/{word.decode()}" for word in words).lower()


def guard(template: str, wide: Collection[str] = (), *, slashed: bool = False) -> str:
    """A body for what must *not* pass: it also matches other cases and one slash more, as some backends do.

    `slashed`: it is looked for in what a wide parameter takes, where its own slashes may be encoded. The template must
    have a pattern.
    """
    parts = _parts(template, wide)
    between = _ANY_SLASH if slashed else "/"
    inside = f"{_WIDE_TOKEN}+" if slashed or any(_rank(part, wide) == WIDE for part in parts) else ""
    bodies = [inside if _rank(part, wide) == WIDE else _segment(part) for part in parts]
    body = between + between.join(bodies[:-1] if len(bodies) > 1 and not bodies[-1] else bodies)
    return f"{f'{MARK}?' if slashed else ''}(?i:{body}{f'{between}?' if parts != [''] else ''})"


def overlap(one: Pattern, other: Pattern) -> bool:
    """Whether one path could match both. A segment with a parameter is taken to match any other."""
    left, right = one.words, other.words
    if not (one.wide or other.wide):
        return len(left) == len(right) and all(map(_alike, left, right))
    reached = {(0, 0)}
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            if (i, j) in reached and _alike(a, b):
                reached.add((i + 1, j + 1))
                if one.ranks[i] == WIDE:
                    reached.add((i, j + 1))
                if other.ranks[j] == WIDE:
                    reached.add((i + 1, j))
    return (len(left), len(right)) in reached


def dominates(one: Pattern, other: Pattern) -> bool:
    """Whether `one` is at least as concrete everywhere: every backend then prefers it. Equal is not enough.

    Segments are compared from the front up to the first that is wide; from there on, if both are, from the end.
    """
    if one.ranks == other.ranks:
        return False
    for place, (a, b) in enumerate(zip(one.ranks, other.ranks, strict=False)):
        if a > b:
            return False
        if b == WIDE:
            return a < b or _no_wider(one.ranks[place + 1 :], other.ranks[place + 1 :])
    return True


def sample_path(template: str, wide: Collection[str] = ()) -> str:
    """A path that the template matches. Raises ValueError where it has bytes that are not UTF-8."""
    return "/".join(["", *(_sample(part, wide) for part in _parts(template, wide))])


def size(text: str) -> int:
    """How many bytes a text takes as a token of an nginx config."""
    return len(nginx_quote(text).encode())


def exact(text: str) -> str:
    """A pattern for these very bytes, with every byte but letters and digits written by its number."""
    return "".join(chr(b) if chr(b).isalnum() and b < 0x80 else f"\\x{b:02x}" for b in text.encode())


def _parts(template: str, wide: Collection[str]) -> list[str]:
    """The segments; none where the template does not begin with a slash. A star at the end is a parameter, if wide."""
    head, *parts = template.split("/")
    if head or not parts:
        return []
    if parts[-1] in ("*", "**") and parts[-1] in wide:
        parts[-1] = f"{{{parts[-1]}}}"
    return parts


def _segment(part: str, token: str = _TOKEN, rest: str = "[^/]+") -> str:
    """One segment. Each literal behind a parameter is sought at its first place, once and for all: the next parameter
    can only gain by that, and no path makes the matching slow. Only the last literal is bound to the segment's end."""
    pieces = [_wire(piece) for piece in _PARAM.split(part)]
    if len(pieces) == 1:
        return pieces[0]
    first, *middle, last = pieces
    found = "".join(f"(?>{token}+?{literal})" for literal in middle)
    return first + found + (f"{token}+{last}" if last else rest)


def _wide_body(parts: list[str], wide: Collection[str]) -> str:
    """A template with wide parameters: what stands between two of them is sought at its first place, once and for all;
    what stands behind the last is bound to the end."""
    joined = "/" + "/".join(parts)
    names = "|".join(re.escape(f"{{{name}}}") for name in sorted(wide, key=len, reverse=True))
    first, *middle, last = (_stretch(text) for text in re.split(names, joined))
    begin = f"(?!{_ANY_SLASH})"  # of a value; also looked for when a place is sought for what stands before one
    between = "".join(f"(?>{begin}{_WIDE_TOKEN}+?{text}{begin})" for text in middle)
    return f"{MARK}?{first}{between}{begin}{_WIDE_TOKEN}+{last}"


def _stretch(text: str) -> str:
    """What stands beside a wide parameter; no encoded slash is in it."""
    return "/".join(_segment(part, _TOKEN_BESIDE, f"{_TOKEN_BESIDE}+") for part in text.split("/"))


def _no_wider(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """What comes behind a wide segment, from the end: whether `one` says at least as much."""
    pairs = zip(reversed(one), reversed(other), strict=False)
    return len(one) >= len(other) and all(a <= b for a, b in pairs)


def _wire(literal: str) -> str:
    """A literal text of a template in every form it may have on the wire. A template may itself be encoded."""
    return "".join(_wire_byte(byte) for byte in _decoded_bytes(literal))


def _wire_byte(byte: int) -> str:
    encoded = "%" + "".join(_hex(digit) for digit in f"{byte:02X}")
    if byte in _RAW_ONLY:
        return chr(byte) if chr(byte).isalnum() else f"\\{chr(byte)}"
    if byte < 0x80 and _PLAIN_CHAR.fullmatch(chr(byte)):
        return f"(?:\\x{byte:02x}|{encoded})"
    return encoded


def _hex(digit: str) -> str:
    return digit if digit.isdigit() else f"[{digit}{digit.lower()}]"


def _decoded_bytes(literal: str) -> bytes:
    data = unquote_to_bytes(literal.encode())
    data.decode()
    return data


def _decoded(part: str) -> str:
    return _decoded_bytes(part).decode()


def _sample(part: str, wide: Collection[str] = ()) -> str:
    """The segment with each parameter as one letter, a wide one as two segments, as a careful client sends it."""
    names = [found[1:-1] for found in _PARAM.findall(part)]
    values = ["x/x" if name in wide else "x" for name in names]
    literals = [
        "".join(chr(b) if b < 0x80 and _PLAIN_CHAR.fullmatch(chr(b)) else f"%{b:02X}" for b in _decoded_bytes(piece))
        for piece in _PARAM.split(part)
    ]
    return literals[0] + "".join(value + literal for value, literal in zip(values, literals[1:], strict=True))


def _rank(part: str, wide: Collection[str] = ()) -> int:
    if any(found[1:-1] in wide for found in _PARAM.findall(part)):
        return WIDE
    pieces = _PARAM.split(part)
    return LITERAL if len(pieces) == 1 else PARAM if not any(pieces) else MIXED


def _alike(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other


def _words(parts: list[str], ranks: tuple[int, ...]) -> tuple[str | None, ...]:
    """What segments are compared by; None for one with a parameter. An empty one at the end is left out."""
    words = [None if rank else _decoded(part).lower() for part, rank in zip(parts, ranks, strict=True)]
    return tuple(words[:-1] if len(words) > 1 and words[-1] == "" else words)
