"""Keys as values. A clear key exists only at the moment it is minted."""

from dataclasses import dataclass
from enum import StrEnum


class KeyState(StrEnum):
    """active → retiring (until) → revoked; suspended by a limit; decoy: never valid, its use is an alarm."""

    ACTIVE = "active"
    RETIRING = "retiring"
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    DECOY = "decoy"


@dataclass(frozen=True, slots=True)
class Key:
    """What is kept of a key: enough to recognise it, not enough to use it. Times are seconds since 1970.

    `check` is the base64url md5 (no padding) of clear key + ring salt, compared by nginx's secure_link; `htpasswd` the
    salted {SSHA} of the clear key for Basic as "user:key"; `basic_check` is like `check`, of base64(clear key), which
    is what ChatGPT sends as Basic. A 256-bit random secret needs no slow hash.

    `expires` ends it whatever happens. A retiring key ends at `until`; `grace` is how long it has left once its
    `successor` (an id) is first used, None when that clock runs already. A suspended one comes back at
    `suspended_until`, by hand when that is None; `why` says why it is suspended.

    What it may: `operations` are globs of ids or "METHOD /path/*", none for all; `rate` is (calls, seconds); `egress`
    bytes an hour. None and 0: what `[limits]` says.
    """

    id: str
    label: str
    state: KeyState
    created: float
    check: str
    htpasswd: str
    basic_check: str
    expires: float | None = None
    until: float | None = None
    grace: float | None = None
    successor: str = ""
    why: str = ""
    suspended_until: float | None = None
    operations: tuple[str, ...] = ()
    rate: tuple[int, int] | None = None
    concurrency: int = 0
    egress: int = 0

    def passes(self, now: float) -> bool:
        """Whether the gateway lets it in at this moment."""
        if self.expires is not None and now >= self.expires:
            return False
        if self.state is KeyState.RETIRING:
            return self.until is not None and now < self.until
        return self.state is KeyState.ACTIVE


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a new key may; see `Key`."""

    operations: tuple[str, ...] = ()
    rate: tuple[int, int] | None = None
    concurrency: int = 0
    egress: int = 0


ALL = Allowed()


@dataclass(frozen=True, slots=True)
class Ring:
    """All keys of an exposure. `salt` goes into every `check`; `generation` rises with each change."""

    salt: str
    keys: tuple[Key, ...] = ()
    generation: int = 0

    def passing(self, now: float) -> tuple[Key, ...]:
        return tuple(key for key in self.keys if key.passes(now))
