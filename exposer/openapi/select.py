"""Which operations are published, and why; every refusal has its sentence. Pure."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from exposer.config.model import Schema
from exposer.openapi.model import Choice, DocumentError, Operation
from exposer.openapi.operations import METHODS, derived_ids, path_problem

NEVER = ("HEAD", "OPTIONS", "TRACE")
PUBLISHABLE = tuple(method.upper() for method in METHODS if method.upper() not in NEVER)

_CALL = re.compile(r"(\*|[A-Za-z]+)\s+(/\S*)")
_GLOB = re.compile(r"\*\*|\*|\{[^{}/]*\}|[^*{]+|\{")


def choose(ops: tuple[Operation, ...], schema: Schema) -> tuple[Choice, ...]:
    """One choice for each operation, in the order given."""
    judge = _judge(schema)
    choices: list[Choice] = []
    published = 0
    for operation in ops:
        good, why = judge(operation)
        if good and 0 < schema.max_operations <= published:
            good, why = False, "over schema.max_operations"
        published += good
        choices.append(Choice(operation, good, why))
    return tuple(choices)


def unmatched(ops: tuple[Operation, ...], schema: Schema) -> tuple[str, ...]:
    """The entries of include and exclude that no operation answers to: most likely misspelt."""
    entries = dict.fromkeys((*schema.include, *schema.exclude))
    return tuple(text for text in entries if not any(map(_entry(text).matches, ops)))


def from_include(include: tuple[str, ...]) -> tuple[Operation, ...]:
    """Without a document: entries like "GET /items/{id}" are operations. Others raise DocumentError."""
    calls = list(dict.fromkeys(map(_spelt_out, include)))
    ids = derived_ids(calls)
    return tuple(Operation(id_, method, path, path) for id_, (method, path) in zip(ids, calls, strict=True))


def _judge(schema: Schema) -> Callable[[Operation], tuple[bool, str]]:
    methods = {method.upper() for method in schema.methods}
    include = [_entry(text) for text in schema.include]
    exclude = [_entry(text) for text in schema.exclude]

    def judge(operation: Operation) -> tuple[bool, str]:
        if operation.method not in PUBLISHABLE:
            return False, f"{operation.method} is never published"
        if barred := next((entry for entry in exclude if entry.matches(operation)), None):
            return False, f'schema.exclude has "{barred.text}"'
        if named := next((entry for entry in include if entry.names(operation)), None):
            return True, f'schema.include has "{named.text}"'
        if operation.method not in methods:
            return False, f"{operation.method} is not in schema.methods"
        if wanted := next((entry for entry in include if entry.matches(operation)), None):
            return True, f'schema.include has "{wanted.text}"'
        return (False, "not in schema.include") if include else (True, f"{operation.method} is in schema.methods")

    return judge


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of include or exclude. `pattern` is of "METHOD /path/glob"; else `text` is an id or a tag."""

    text: str
    method: str = ""
    pattern: re.Pattern[str] | None = None

    def matches(self, operation: Operation) -> bool:
        """Whether the entry speaks of this operation at all."""
        if self.pattern is None:
            return self.text == operation.id or self.text in operation.tags
        return self.method in ("*", operation.method) and any(
            self.pattern.fullmatch(path) for path in (operation.path, operation.full_path)
        )

    def names(self, operation: Operation) -> bool:
        """Whether it does so by id or by its very method: that is a choice made on purpose."""
        if self.pattern is None:
            return self.text == operation.id
        return self.method == operation.method and self.matches(operation)


def _entry(text: str) -> _Entry:
    call = _CALL.fullmatch(text.strip())
    return _Entry(text, call[1].upper(), _pattern(call[2])) if call else _Entry(text)


def _pattern(glob: str) -> re.Pattern[str]:
    """`*` is one segment or a part of one, `**` anything, `{x}` a parameter of any name."""
    return re.compile("".join(_glob_pieces(glob)), re.DOTALL)


def _glob_pieces(glob: str) -> Iterator[str]:
    for piece in _GLOB.findall(re.sub(r"\*{3,}", "**", glob)):
        if piece == "**":
            yield ".*"
        elif piece == "*":
            yield "[^/]+"
        elif piece.startswith("{") and piece.endswith("}"):
            yield r"\{[^{}/]*\}"
        else:
            yield re.escape(piece)


def _spelt_out(text: str) -> tuple[str, str]:
    """Method and template of an entry that needs no document to be understood."""
    call = _CALL.fullmatch(text.strip())
    method = call[1].upper() if call else ""
    if call is None or method not in PUBLISHABLE or "**" in call[2]:
        raise DocumentError(
            f'schema.include: "{text}" does not say which call it means, and there is no document to look in',
            'write calls like "GET /items/{id}" (a "*" stands for one segment), or set backend.openapi',
        )
    path = _with_parameters(call[2])
    if problem := path_problem(path):
        raise DocumentError(f'schema.include: "{text}" {problem}', 'write the path as in "GET /items/{id}"')
    return method, path


def _with_parameters(glob: str) -> str:
    """Each `*` becomes a parameter with a name of its own: {p1}, {p2}, …"""
    names = (f"{{p{number}}}" for number in range(1, len(glob) * 2 + 2))
    free = (name for name in names if name not in glob)
    return re.sub(r"\*", lambda _: next(free), glob)
