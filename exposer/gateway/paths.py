"""Which raw request paths are unambiguous, and path templates as patterns over them; nginx and Python read both alike.

A path is canonical when every backend must read it the same way. Only then may it be compared with a template, as it
stands on the request line: what nginx would decode and merge before comparing is not what the backend gets.
"""

import re
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

# A segment is not made of dots alone, and no space is at its edge: some systems trim those.
_SEGMENT = f"(?!\\.+[/? ]|%20)(?:[{PLAIN}]++|{_ENCODED})++(?<!%20)"

# Applied to the request's target and one space, so that something can stand behind it (see site).
CANONICAL = f"(?P<raw_path>(?:/{_SEGMENT})++/?|/)(?:\\?[\\x21\\x22\\x24-\\x7e]*+)?+ "

_TOKEN = f"(?:[^/%]|%{H}{H})"
_PARAM = re.compile(r"\{[^{}/]*\}")
_PLAIN_CHAR = re.compile(f"[{PLAIN}]")
_CANONICAL = re.compile(f"{CANONICAL}\\Z")
_RAW_ONLY = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._")

LITERAL, MIXED, PARAM = range(3)
TOKEN_LIMIT = 1800  # bytes; nginx refuses a token of more than 4096, and two of these go into one


@dataclass(frozen=True, slots=True)
class Pattern:
    """A path template, ready to be matched. `body` has no anchors; `ranks` says how concrete each segment is."""

    body: str
    segments: tuple[str, ...]
    ranks: tuple[int, ...]

    @property
    def literal(self) -> bool:
        return not any(self.ranks)


def canonical(target: str) -> bool:
    """Whether a raw request target (path and query) is free of everything that could be read in two ways."""
    return _CANONICAL.match(target + " ") is not None


def pattern(template: str, *, loose: bool = False) -> Pattern | None:
    """The pattern of a path template; None for a template that no canonical path can ever match.

    A `loose` one also matches other cases and one slash more, as some backends do: it is for what must *not* pass.
    """
    head, *parts = template.split("/")
    if head or not parts:
        return None
    try:
        bodies = [_segment(part) for part in parts]
        sample = "/".join(["", *(_sample(part) for part in parts)])
    except ValueError:  # bytes that are not UTF-8, or half a surrogate pair
        return None
    if not canonical(sample):
        return None
    body = "/" + "/".join(bodies)
    if loose:
        body = f"(?i:{body if body == '/' else body.removesuffix('/')}/?)"
    if size(body) > TOKEN_LIMIT:
        return None
    return Pattern(body, tuple(parts), tuple(_rank(part) for part in parts))


def overlap(one: Pattern, other: Pattern) -> bool:
    """Whether one path could match both. A segment with a parameter is taken to match any other."""
    left, right = _trimmed(one.segments), _trimmed(other.segments)
    return len(left) == len(right) and all(
        "{" in a or "{" in b or _decoded(a).lower() == _decoded(b).lower() for a, b in zip(left, right, strict=True)
    )


def dominates(one: Pattern, other: Pattern) -> bool:
    """Whether `one` is at least as concrete everywhere: every backend then prefers it. Equal is not enough."""
    return one.ranks != other.ranks and all(a <= b for a, b in zip(one.ranks, other.ranks, strict=False))


def sample_path(template: str) -> str:
    """A path that the template matches."""
    return "/".join(_sample(part) for part in template.split("/"))


def size(text: str) -> int:
    """How many bytes a text takes as a token of an nginx config."""
    return len(nginx_quote(text).encode())


def exact(text: str) -> str:
    """A pattern for these very bytes, with every byte but letters and digits written by its number."""
    return "".join(chr(b) if chr(b).isalnum() and b < 0x80 else f"\\x{b:02x}" for b in text.encode())


def _segment(part: str) -> str:
    """One segment. Each literal behind a parameter is sought at its first place, once and for all: the next parameter
    can only gain by that, and no path makes the matching slow. Only the last literal is bound to the segment's end."""
    pieces = [_wire(piece) for piece in _PARAM.split(part)]
    if len(pieces) == 1:
        return pieces[0]
    first, *middle, last = pieces
    found = "".join(f"(?>{_TOKEN}+?{literal})" for literal in middle)
    return first + found + (f"{_TOKEN}+{last}" if last else "[^/]+")


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


def _sample(part: str) -> str:
    """The segment with each parameter as one letter, in the form a careful client sends."""
    literals = (_decoded_bytes(piece) for piece in _PARAM.split(part))
    return "x".join(
        "".join(chr(b) if b < 0x80 and _PLAIN_CHAR.fullmatch(chr(b)) else f"%{b:02X}" for b in literal)
        for literal in literals
    )


def _rank(part: str) -> int:
    pieces = _PARAM.split(part)
    return LITERAL if len(pieces) == 1 else PARAM if not any(pieces) else MIXED


def _trimmed(segments: tuple[str, ...]) -> tuple[str, ...]:
    return segments[:-1] if len(segments) > 1 and not segments[-1] else segments
