"""What is wanted just now: the parts that the config means, as far as what they are made of is known."""

import time
from collections.abc import Callable, Mapping

from exposer.errors import ExposerError
from exposer.state.model import BACKEND, GATEWAY, SCHEMA, STANDBY, TUNNEL, Phase
from exposer.state.plan import NOT_WISHED, Wish
from exposer.supervisor.exposure import Exposure
from exposer.supervisor.ports import Part, Rooms
from exposer.supervisor.workers import failed
from exposer.supervisor.world import World

ADVISE_EVERY = 86_400.0


class Desires:
    """Made anew in every cycle; `parts` are the last ones. Keys that have ended are withdrawn on the way."""

    def __init__(self, state: Exposure, world: World, note: Callable[..., None]) -> None:
        self.parts: dict[str, Part] = {}
        self._state = state
        self._world = world
        self._note = note
        self._stamp = ""
        self._upstream = ""
        self._unfit: dict[str, str] = {}
        self._advised: dict[str, float] = {}

    def begin_anew(self) -> None:
        """With a new config."""
        self._stamp = ""

    def follow(self, rooms: Rooms) -> None:
        """The parts as the config wants them."""
        now = time.time()
        stamp = rooms.stamp(now)
        if stamp != self._stamp:
            self._stamp = stamp
            self._sync_keys(rooms, now)
        self._advise(rooms, now)
        parts: dict[str, Part] = {}
        self._build(parts, BACKEND, rooms.backend)
        # While the backend is away its last address counts: the gateway's wish must not change by that. Before it is
        # there for the first time, it is the address that it will have.
        planned = getattr(parts.get(BACKEND), "upstream", "")
        self._upstream = str(self._state.units[BACKEND].detail.get("upstream") or self._upstream or planned)
        upstream, documented = self._upstream, self._state.documented
        if upstream and documented is not None:
            self._build(parts, GATEWAY, lambda: rooms.gateway(upstream, documented, now))
        listen = str(self._state.units[GATEWAY].detail.get("listen", ""))
        if listen:
            self._build(parts, TUNNEL, lambda: rooms.tunnel(listen))
        second, spare = str(self._state.units[GATEWAY].detail.get("second", "")), rooms.spare
        if second and spare is not None:
            self._build(parts, STANDBY, lambda: spare.part(second))
        self.parts = parts

    def wishes(self, rooms: Rooms) -> Mapping[str, Wish]:
        """With the document at hand the gateway is made ready while the backend still starts."""
        here = rooms.document_is_here()
        wishes = {
            role: Wish(part.digest, getattr(part, "shape", ""), alone=here and role == GATEWAY)
            for role, part in self.parts.items()
        }
        if rooms.spare is None:
            wishes[STANDBY] = NOT_WISHED
        return wishes | {SCHEMA: Wish(rooms.schema_digest(), SCHEMA, alone=here)}

    def _build(self, parts: dict[str, Part], role: str, build: Callable[[], Part]) -> None:
        """Adds a part; one that cannot be made (a secret that is not there) stays as it was, and that is said once."""
        try:
            parts[role] = build()
            self._unfit.pop(role, None)
        except (ExposerError, OSError) as error:
            if role in self.parts:
                parts[role] = self.parts[role]
            fact = failed(role, error, keeps=self._state.units[role].phase is Phase.UP)
            if self._unfit.get(role) != fact.error:
                self._unfit[role] = fact.error
                self._world.inbox.put(fact)

    def _sync_keys(self, rooms: Rooms, now: float) -> None:
        """Keys that no longer pass are refused from now on; trouble with the ring is said, and lets nobody in."""
        try:
            rooms.sync_keys(now)
        except (ExposerError, OSError) as error:
            self._note("keyring", f"the keys could not be brought up to date: {error}")
        self._hear_of_trouble(rooms)

    def _advise(self, rooms: Rooms, now: float) -> None:
        """Says once a day at the most what a person should do soon."""
        for text in rooms.advice(now):
            if now - self._advised.get(text, 0.0) > ADVISE_EVERY:
                self._advised[text] = now
                self._note("advice", text)

    def _hear_of_trouble(self, rooms: Rooms) -> None:
        """Keys that cannot be read: nobody gets in, and that must not look well."""
        trouble = rooms.trouble()
        if trouble != self._state.trouble:
            self._state.trouble = trouble
            self._note("keyring", trouble or "the keys can be read again")
