"""Which operations are published, and why; every refusal has its sentence. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from exposer.config.model import Schema
from exposer.openapi import rank, risk
from exposer.openapi.model import Choice, Document, DocumentError, Level, Operation, Verdict
from exposer.openapi.operations import METHODS, derived_ids, path_problem
from exposer.openapi.profiles import Profile, apply, find

NEVER = ("HEAD", "OPTIONS", "TRACE")
PUBLISHABLE = tuple(method.upper() for method in METHODS if method.upper() not in NEVER)
UNUSED: Mapping[str, int] = MappingProxyType({})
FITTING: Mapping[tuple[str, str], str] = MappingProxyType({})

_CALL = re.compile(r"(\*|[A-Za-z]+)\s+(/\S*)")
_GLOB = re.compile(r"\*\*|\*|\{[^{}/]*\}|[^*{]+|\{")


def choose(
    document: Document | None,
    ops: tuple[Operation, ...],
    schema: Schema,
    *,
    used: Mapping[str, int] = UNUSED,
    profiles: tuple[Profile, ...] = (),
    unfit: Mapping[tuple[str, str], str] = FITTING,
) -> tuple[Choice, ...]:
    """One choice for each operation, in the order given. `used` has the calls of each operation so far, by id.
    `unfit` has the method and path of what the client could not call, with the reason.

    A profile gives its operations better ids and texts; without schema.include it also says which they are.
    Raises DocumentError when schema.profile names no profile.
    """
    profile = find(profiles, schema.profile, document, ops)
    named, places = apply(profile, ops) if profile else (ops, {})
    verdicts = risk.verdicts(document, ops)
    judge = _Judge(schema, profile.name if profile and not schema.include else "", places, unfit)
    judged = [judge(*each) for each in zip(ops, named, verdicts, strict=True)]
    ranks = _ranks(document, ops, named, verdicts, judged, used)
    return tuple(
        _choice(operation, verdict, opinion, ranks.get(place, 0), schema.max_operations, document)
        for place, (operation, verdict, opinion) in enumerate(zip(named, verdicts, judged, strict=True))
    )


def unmatched(ops: tuple[Operation, ...], schema: Schema) -> tuple[str, ...]:
    """The entries of include and exclude that no operation answers to: most likely misspelt."""
    entries = dict.fromkeys((*schema.include, *schema.exclude))
    return tuple(text for text in entries if not any(_entry(text).matches(operation, operation) for operation in ops))


def speaks_of(text: str, operation: Operation) -> bool:
    """Whether an entry as in schema.include (an id, a tag, "METHOD /path/*") means this operation."""
    return _entry(text).matches(operation, operation)


def from_include(include: tuple[str, ...]) -> tuple[Operation, ...]:
    """Without a document: entries like "GET /items/{id}" are operations. Others raise DocumentError."""
    calls = list(dict.fromkeys(map(_spelt_out, include)))
    ids = derived_ids(calls)
    return tuple(Operation(id_, method, path, path) for id_, (method, path) in zip(ids, calls, strict=True))


@dataclass(frozen=True, slots=True)
class _Opinion:
    """Whether an operation could be published, before it is known how many fit. `turn` is 0 for a choice on purpose,
    then the place in the profile; all others come after that, by rank."""

    good: bool
    why: str
    turn: int = 10**6


@dataclass(frozen=True, slots=True)
class _Judge:
    schema: Schema
    profile: str
    places: Mapping[tuple[str, str], int]
    unfit: Mapping[tuple[str, str], str]

    def __call__(self, own: Operation, operation: Operation, verdict: Verdict) -> _Opinion:
        """`own` has the id that the document gives, `operation` the profile's; both can be meant."""
        opinion = self._wish(own, operation, verdict)
        why = self.unfit.get((operation.method, operation.path)) if opinion.good else None
        return _Opinion(False, f"{self.schema.client} could not call it: {why}") if why else opinion

    def _wish(self, own: Operation, operation: Operation, verdict: Verdict) -> _Opinion:
        if operation.method not in PUBLISHABLE:
            return _Opinion(False, f"{operation.method} is never published")
        if barred := next((each for each in map(_entry, self.schema.exclude) if each.matches(operation, own)), None):
            return _Opinion(False, f'schema.exclude has "{barred.text}"')
        include = [_entry(text) for text in self.schema.include]
        if named := next((each for each in include if each.names(operation, own)), None):
            although = f", although {verdict.reasons[0]}" if verdict.level is Level.DANGER and verdict.reasons else ""
            return _Opinion(True, f'schema.include has "{named.text}"{although}', 0)
        wanted = next((each for each in include if each.matches(operation, own)), None)
        if include and wanted is None:
            return _Opinion(False, "not in schema.include")
        if verdict.level is Level.DANGER:
            hint = f"; to publish it all the same, name it in schema.include: {operation.id}" if wanted else ""
            return _Opinion(False, verdict.reasons[0] + hint)
        if operation.method not in {method.upper() for method in self.schema.methods}:
            return _Opinion(False, f"{operation.method} is not in schema.methods")
        if wanted:
            return _Opinion(True, f'schema.include has "{wanted.text}"')
        return self._by_profile(operation) if self.profile else _Opinion(True, "")

    def _by_profile(self, operation: Operation) -> _Opinion:
        place = self.places.get((operation.method, operation.path))
        if place is None:
            return _Opinion(False, f"not in the profile {self.profile}")
        return _Opinion(True, f"in the profile {self.profile}", 1 + place)


def _ranks(
    document: Document | None,
    own: tuple[Operation, ...],
    named: tuple[Operation, ...],
    verdicts: tuple[Verdict, ...],
    judged: list[_Opinion],
    used: Mapping[str, int],
) -> dict[int, int]:
    """The rank of each operation that could be published, by its place: what was chosen on purpose comes first."""
    good = [place for place, opinion in enumerate(judged) if opinion.good]
    calls = [used.get(named[place].id, 0) or used.get(own[place].id, 0) for place in good]
    ordered = rank.order(document, [own[place] for place in good], [verdicts[place] for place in good], calls)
    places = sorted((good[index] for index in ordered), key=lambda place: judged[place].turn)
    return {place: number for number, place in enumerate(places, 1)}


def _choice(
    operation: Operation, verdict: Verdict, opinion: _Opinion, number: int, limit: int, document: Document | None
) -> Choice:
    if not opinion.good:
        return Choice(operation, False, f"not published: {opinion.why}", verdict)
    if 0 < limit < number:
        return Choice(operation, False, f"over max_operations (rank {number})", verdict, number)
    why = opinion.why or f"{rank.kind(document, operation).value}, {_in_words(verdict)}"
    return Choice(operation, True, f"published: {why}", verdict, number)


def _in_words(verdict: Verdict) -> str:
    return f"with caution: {verdict.reasons[0]}" if verdict.level and verdict.reasons else "safe"


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of include or exclude. `pattern` is of "METHOD /path/glob"; else `text` is an id or a tag."""

    text: str
    method: str = ""
    pattern: re.Pattern[str] | None = None

    def matches(self, operation: Operation, own: Operation) -> bool:
        """Whether the entry speaks of this operation at all; `own` has the document's own id for it."""
        if self.pattern is None:
            return self.text in (operation.id, own.id, *operation.tags)
        return self.method in ("*", operation.method) and any(
            self.pattern.fullmatch(path) for path in (operation.path, operation.full_path)
        )

    def names(self, operation: Operation, own: Operation) -> bool:
        """Whether it does so by id or by its very method: that is a choice made on purpose."""
        if self.pattern is None:
            return self.text in (operation.id, own.id)
        return self.method == operation.method and self.matches(operation, own)


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
