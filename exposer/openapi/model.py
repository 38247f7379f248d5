"""What the rest of the house sees of an OpenAPI document."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import Any

from exposer.errors import ExposerError


class DocumentError(ExposerError):
    """The backend's document cannot be had or used. `transient` means that asking again later may help."""

    code = "document"

    def __init__(self, message: str, hint: str = "", *, transient: bool = False) -> None:
        super().__init__(message, hint)
        self.transient = transient


@dataclass(frozen=True, slots=True)
class Repair:
    """Something in the document that was broken, and what was made of it. `where` is a JSON pointer."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Document:
    """A backend's document, always in terms of OpenAPI 3.1; `spec` is the version in which it was written.

    `digest` is of its meaning as it was read, `source` says where it came from. `base_path` is the path part of its
    servers ("" or "/api"), never with a trailing slash. `repairs` is what was broken in it.
    """

    data: Mapping[str, Any]
    source: str
    digest: str
    base_path: str
    spec: str
    repairs: tuple[Repair, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One call that the backend offers. `path` is the template as written, without the base path.

    `full_path` is what stands on the request line: base path plus template. `wide` are the parameters in it, as
    written between the braces, that may span several segments. `query` are the names of the query parameters it
    declares; None where nobody asked.
    """

    id: str
    method: str
    path: str
    full_path: str
    tags: tuple[str, ...] = ()
    summary: str = ""
    description: str = ""  # what a profile says better than the document; empty: the document's own holds
    wide: tuple[str, ...] = ()
    query: tuple[str, ...] | None = None


class Level(IntEnum):
    """How much harm an operation can do in the hands of an assistant. DANGER must be named to be published."""

    SAFE = 0
    CAUTION = 1
    DANGER = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """A level with the reasons for it, the gravest first; a safe one needs none."""

    level: Level = Level.SAFE
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """Whether an operation is published, and why. `rank` counts from 1 among what could be published; 0: none."""

    operation: Operation
    published: bool
    why: str
    verdict: Verdict = Verdict()
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the client's importer would have stumbled over, and what was done about it.

    `where` is an operation's id or a place in the document, `prevents` the importer's own message. `step` is the name
    of the row in `fit.steps`. `remains` says that nothing was done: a person has to.
    """

    where: str
    what: str
    prevents: str
    step: str = ""
    remains: bool = False


@dataclass(frozen=True, slots=True)
class Pack:
    """One document for one client, and the operations in it."""

    text: str
    operations: tuple[Operation, ...]


NOTHING: Mapping[str, Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Fitted:
    """The chosen operations in a client's terms. `inject` has the headers that the gateway must add, by operation id;
    `dropped` the operations that the client could not call, each with the reason."""

    packs: tuple[Pack, ...]
    findings: tuple[Finding, ...] = ()
    dropped: tuple[tuple[Operation, str], ...] = ()
    inject: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True)
class Publication:
    """What goes out: the document's text for a public address, and the operations the gateway passes.

    `text` is the first pack; most publications have no more than that one.
    """

    text: str
    digest: str
    operations: tuple[Operation, ...]
    total: int
    packs: tuple[Pack, ...] = ()
    findings: tuple[Finding, ...] = ()
    dropped: tuple[tuple[Operation, str], ...] = ()
    inject: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: NOTHING)
