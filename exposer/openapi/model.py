"""What the rest of the house sees of an OpenAPI document."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exposer.errors import ExposerError


class DocumentError(ExposerError):
    """The backend's document cannot be had or used. `transient` means that asking again later may help."""

    code = "document"

    def __init__(self, message: str, hint: str = "", *, transient: bool = False) -> None:
        super().__init__(message, hint)
        self.transient = transient


@dataclass(frozen=True, slots=True)
class Document:
    """A backend's document as it was read. `digest` is of its meaning, `source` says where it came from.

    `base_path` is the path part of its servers ("" or "/api"), never with a trailing slash.
    """

    data: Mapping[str, Any]
    source: str
    digest: str
    base_path: str
    spec: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One call that the backend offers. `path` is the template as written, without the base path.

    `full_path` is what stands on the request line: base path plus template.
    """

    id: str
    method: str
    path: str
    full_path: str
    tags: tuple[str, ...] = ()
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """Whether an operation is published, and why."""

    operation: Operation
    published: bool
    why: str


@dataclass(frozen=True, slots=True)
class Publication:
    """What goes out: the document's text for a public address, and the operations the gateway passes."""

    text: str
    digest: str
    operations: tuple[Operation, ...]
    total: int
