"""One operation as any client could call it: what is in the address, what is in the body, what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exposer.openapi.fit.flat import Flat
from exposer.openapi.model import Operation


class UnfitError(Exception):
    """The client could not call this operation; `step` says which rule is in the way."""

    def __init__(self, step: str, why: str) -> None:
        super().__init__(why)
        self.step = step
        self.why = why


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value in the path or the query. `explode` is how a list is written there."""

    name: str
    place: str
    required: bool
    text: str
    flat: Flat
    explode: bool = True


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent along, always an object. `schema` stands in the document."""

    schema: Any
    media: str
    required: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back when all is well; `schema` is None when nothing that can be described does."""

    status: str
    text: str
    media: str
    schema: Any = None


@dataclass(frozen=True, slots=True)
class Call:
    """An operation that the client can call. `headers` are those that the gateway must add."""

    operation: Operation
    summary: str
    text: str
    parameters: tuple[Parameter, ...]
    body: Body | None
    answer: Answer
    headers: Mapping[str, str]
    consequential: bool
    deprecated: bool = False

    @property
    def id(self) -> str:
        return self.operation.id

    @property
    def reads(self) -> bool:
        return self.operation.method == "GET" and not self.consequential
