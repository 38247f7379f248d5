"""Events and requests as values. Times are seconds since 1970."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `at` is seconds since 1970; `kind` a word such as `address-changed`."""

    seq: int
    at: float
    kind: str
    data: Mapping[str, Any]


class Request(NamedTuple):
    """One call, as the gateway logged it; a tuple, as there may be tens of thousands in a second.

    `key` is the key's id, "" where none was shown or it was wrong; `operation` the published operation's id, "" where
    there is none. `bytes` of the answer's body; `duration` in seconds; `request` the id that the caller was told.
    `path` is known for refused calls only, unless all are asked for. `host` is the name that a caller came by when it
    is not a published one, `door` the tunnel when that is closed; neither is kept.
    """

    at: float
    key: str
    operation: str
    method: str
    status: int
    bytes: int
    duration: float
    request: str
    address: str
    path: str = ""
    host: str = ""
    door: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one key has taken since some time: when it was last used, how many calls, how many bytes left."""

    last_used: float
    calls: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Share:
    """One line of a report: what left by way of one key and operation on one day (UTC)."""

    day: str
    key: str
    operation: str
    calls: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Head:
    """The newest row of a table: its number and what its chain says. Number 0 is before the first."""

    seq: int
    chain: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which requests are meant; what is None or empty does not narrow. `status` is a range, both ends included."""

    since: float | None = None
    until: float | None = None
    keys: tuple[str, ...] | None = None
    operation: str = ""
    status: tuple[int, int] | None = None
    after: int = 0
