"""The values the loop works with: parts, their phases, facts about them, and what is to be done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from exposer.procs import Entry

BACKEND, SCHEMA, GATEWAY, TUNNEL, STANDBY = "backend", "schema", "gateway", "tunnel", "standby"
UP_ORDER = (BACKEND, SCHEMA, GATEWAY, TUNNEL, STANDBY)
TUNNELS = (TUNNEL, STANDBY)  # of two that are there, one is open

Tell = Callable[[str], None]
Record = Callable[[Entry], None]


class Phase(StrEnum):
    """Where one part stands."""

    ABSENT = "absent"
    STARTING = "starting"
    UP = "up"
    STOPPING = "stopping"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Unit:
    """What the loop knows of one part. Times are monotonic seconds.

    `digest` is of the wish it runs for; `trying` of the one being started or taken over just now; `refused` of one
    that could not be taken over, so that it is not tried again before `again_at`. `sick_since` is when it stopped being
    well. `replace_at` is when it is started anew because nobody hears it outside, whatever it says itself.
    """

    role: str
    phase: Phase = Phase.ABSENT
    digest: str = ""
    trying: str = ""
    refused: str = ""
    again_at: float = 0.0
    healthy: bool | None = None
    busy: bool = False
    failures: int = 0
    restarts: int = 0
    retry_at: float = 0.0
    since: float = 0.0
    looked_at: float = 0.0
    sick_since: float | None = None
    replace_at: float | None = None
    fatal: bool = False
    error: str = ""
    hint: str = ""
    code: str = ""
    detail: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def with_(self, **changes: Any) -> "Unit":
        return replace(self, **changes)

    @property
    def public(self) -> bool:
        """Whether this tunnel is one that has, or will have, a public address."""
        return self.detail.get("public", True) is not False


# What must stay as it was: a part's files on the disk, and its containers in the engine.
FILES, CONTAINERS = "files", "containers"


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a running part saw.

    `healthy` is None while it cannot be told. `url` is the public address, for a tunnel that has one; one that never
    has any (its callers come by the provider's own network) puts `"public": False` into its entry's detail.
    `detail` is put into the status as it is; `error` is a sentence when something is wrong.
    `fatal` means that starting it again cannot help (a bad token, a changed host key).
    """

    alive: bool
    healthy: bool | None = None
    url: str = ""
    error: str = ""
    fatal: bool = False
    detail: Mapping[str, Any] = field(default_factory=dict)
