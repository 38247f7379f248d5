"""Finds the line on which a key of a TOML text stands; tomllib reads the values but tells no lines."""

import re
import tomllib

Path = tuple[str, ...]

KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
KEY_PATTERN = re.compile(KEY)
DOTTED = re.compile(rf"{KEY}(?:[ \t]*\.[ \t]*{KEY})*")
HEADER = re.compile(rf"\[\[?[ \t]*({DOTTED.pattern})[ \t]*\]\]?")
# One piece of a value. Strings and comments come first, so that brackets inside them do not count.
PIECE = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' + r"|'''.*?'{3,5}" + r'|"(?:[^"\\\n]|\\.)*"' + r"|'[^'\n]*'" + r"|#[^\n]*|.",
    re.DOTALL,
)


class Lines:
    """Where the keys of one valid TOML text stand; what it cannot find stands on its table's line."""

    def __init__(self, text: str) -> None:
        self._found = _scan(text.replace("\r\n", "\n"))

    def of(self, path: Path) -> int:
        """The line of this key, else of the nearest key or table around it, else 1."""
        for end in range(len(path), 0, -1):
            if line := self._found.get(path[:end]):
                return line
        return 1


def _scan(text: str) -> dict[Path, int]:
    found: dict[Path, int] = {}
    table: Path = ()
    at, line = 0, 1
    while at < len(text):
        if header := HEADER.match(text, at):
            table = _names(header[1])
            _note(found, (), table, line)
            end = header.end()
        elif key := DOTTED.match(text, at):
            _note(found, table, _names(key[0]), line)
            end = _after_value(text, key.end())
        else:
            end = _after_value(text, at) if text[at] == "#" else at + 1
        line += text.count("\n", at, end)
        at = end
    return found


def _note(found: dict[Path, int], table: Path, names: Path, line: int) -> None:
    for end in range(1, len(names) + 1):
        found.setdefault((*table, *names[:end]), line)


def _names(dotted: str) -> Path:
    return tuple(_plain(key) for key in KEY_PATTERN.findall(dotted))


def _plain(key: str) -> str:
    if key[0] not in "\"'":
        return key
    try:
        return str(tomllib.loads(f"key = {key}")["key"])
    except ValueError:
        return key[1:-1]


def _after_value(text: str, at: int) -> int:
    """Where the value that begins here ends: at the end of its line, unless a bracket or a string goes on."""
    depth = 0
    while piece := PIECE.match(text, at):
        at = piece.end()
        if piece[0] in "[{":
            depth += 1
        elif piece[0] in "]}":
            depth -= 1
        elif piece[0] == "\n" and depth <= 0:
            return at
    return at
