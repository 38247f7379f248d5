"""The one loop: see what happened, decide what differs from the wish, do it, look again."""

import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from exposer.errors import ExposerError
from exposer.journal import Journal, JournalError
from exposer.openapi.model import Operation
from exposer.state.facts import (
    Checked,
    Documented,
    Fact,
    Failed,
    Gone,
    Looked,
    Published,
    Reloaded,
    Started,
    Stopped,
)
from exposer.state.lifecycle import advance, exposure_phase
from exposer.state.model import BACKEND, GATEWAY, SCHEMA, TUNNEL, UP_ORDER, Phase, Unit
from exposer.state.plan import Action, LookAt, Reload, Start, Stop, Wish, plan
from exposer.supervisor.ports import Part, Rooms
from exposer.supervisor.verdict import fact_role, fails_fast, nothing_published
from exposer.supervisor.world import World, failed

Show = Callable[[str, str], None]
TICK = 0.25
# How long after a failed look from outside the next one is made, and how long after a good one (seconds).
RECHECK = 5.0
# How long calls that are under way may take to end when the exposure is taken down (seconds).
DRAIN = 5.0


@dataclass
class Exposure:
    """What the loop knows. `wanted` goes False once; `failure` is why the exposure could not come online."""

    units: dict[str, Unit] = field(default_factory=lambda: {role: Unit(role) for role in UP_ORDER})
    wanted: bool = True
    locked: bool = False
    was_online: bool = False
    documented: Documented | None = None
    published: Published | None = None
    url: str = ""
    url_since: float = 0.0
    checked: Checked | None = None
    checked_at: float = 0.0
    phase: str = "offline"
    since: float = 0.0
    failure: Failed | None = None
    config_error: str = ""
    trouble: str = ""
    unwritten: dict[str, str] = field(default_factory=dict)

    @property
    def operations(self) -> tuple[Operation, ...]:
        return self.documented.operations if self.documented else ()


class Loop:
    """Drives one exposure. `cycle` is called again and again by the daemon, which owns time and signals."""

    def __init__(self, rooms: Rooms, world: World, journal: Journal, show: Show, check_every: float) -> None:
        self.rooms = rooms
        self.world = world
        self.journal = journal
        self.show = show
        self.check_every = check_every
        self.state = Exposure()
        self._stamp = ""
        self._parts: dict[str, Part] = {}
        self._next_check = 0.0
        self._publishing = ""
        self._next_publish = 0.0
        self._unpublished = ""
        self._checking = False
        self._upstream = ""
        self._drain_until = 0.0
        self._unfit: dict[str, str] = {}

    def cycle(self, wait: float = TICK) -> None:
        """One turn: facts in, differences out. Blocks for at most `wait` seconds, less when something happens."""
        self.world.observe()
        for fact in self._facts(wait):
            self._take(fact)
        now = time.monotonic()
        if self.state.wanted:
            self._parts = self._desired()
        if not self._draining(now):
            for action in plan(self.state.units, self._wishes(), now, wanted=self.state.wanted):
                self._begin(action)
        if self.state.wanted:
            self._follow_address(now)
        self._set_phase()

    def stop(self, failure: Failed | None = None) -> None:
        """From now on nothing is wanted; a start under way is cut short."""
        if not self.state.wanted:
            return
        self.state.wanted = False
        self.state.failure = self.state.failure or failure
        if failure is None and self.world.drain(GATEWAY):
            self.note("draining", "gateway: takes no new calls, lets the running ones end")
            self._drain_until = time.monotonic() + DRAIN
        for role, unit in self.state.units.items():
            if unit.busy and unit.phase is not Phase.UP:
                self.world.cancel(role, self.rooms)

    def hurry(self) -> None:
        """Waits no longer for running calls."""
        self._drain_until = 0.0

    def _draining(self, now: float) -> bool:
        return now < self._drain_until and self.state.units[GATEWAY].phase is Phase.UP

    def take_config(self, rooms: Rooms) -> None:
        """Takes a new config over; what differs follows in the next cycles."""
        self.rooms, self._stamp, self._next_check = rooms, "", 0.0
        self.state.config_error = ""
        for role, unit in self.state.units.items():
            if unit.phase is Phase.FAILED:
                self.state.units[role] = unit.with_(retry_at=0.0)

    def look_soon(self, role: str) -> None:
        """Something outside has probably changed: look at once."""
        self.state.units[role] = self.state.units[role].with_(looked_at=float("-inf"))

    def nudge(self) -> None:
        self.world.inbox.put(None)

    @property
    def finished(self) -> bool:
        return not self.state.wanted and all(
            unit.phase in (Phase.ABSENT, Phase.FAILED) and not unit.busy for unit in self.state.units.values()
        )

    def note(self, kind: str, text: str, **data: object) -> None:
        """Journals an event and shows it; a journal that cannot be written is shown too, and stops nothing."""
        try:
            self.journal.append(kind, text=text, **data)
            self.state.unwritten.pop("journal", None)
        except JournalError as error:
            if "journal" not in self.state.unwritten:
                self.show("journal", f"{error.message}; what cannot be recorded is shown here only")
            self.state.unwritten["journal"] = error.message
        self.show(kind, text)

    def _facts(self, wait: float) -> list[Fact]:
        facts: list[Fact] = []
        try:
            first = self.world.inbox.get(timeout=wait)
            while True:
                if first is not None:
                    facts.append(first)
                first = self.world.inbox.get_nowait()
        except queue.Empty:
            return facts

    def _desired(self) -> dict[str, Part]:
        """The parts as the config wants them, as far as what they are made of is known."""
        now = time.time()
        stamp = self.rooms.stamp(now)
        if stamp != self._stamp:
            self._stamp = stamp
            self._sync_keys(now)
        parts: dict[str, Part] = {}
        self._build(parts, BACKEND, self.rooms.backend)
        # While the backend is away its last address counts: the gateway's wish must not change by that.
        self._upstream = str(self.state.units[BACKEND].detail.get("upstream") or self._upstream)
        upstream, documented = self._upstream, self.state.documented
        if upstream and documented is not None:
            self._build(parts, GATEWAY, lambda: self.rooms.gateway(upstream, documented, now))
        listen = str(self.state.units[GATEWAY].detail.get("listen", ""))
        if listen:
            self._build(parts, TUNNEL, lambda: self.rooms.tunnel(listen))
        return parts

    def _build(self, parts: dict[str, Part], role: str, build: Callable[[], Part]) -> None:
        """Adds a part; one that cannot be made (a secret that is not there) stays as it was, and that is said once."""
        try:
            parts[role] = build()
            self._unfit.pop(role, None)
        except (ExposerError, OSError) as error:
            if role in self._parts:
                parts[role] = self._parts[role]
            fact = failed(role, error, keeps=self.state.units[role].phase is Phase.UP)
            if self._unfit.get(role) != fact.error:
                self._unfit[role] = fact.error
                self.world.inbox.put(fact)

    def _sync_keys(self, now: float) -> None:
        """Keys that no longer pass are refused from now on; trouble with the ring is said, and lets nobody in."""
        try:
            self.rooms.sync_keys(now)
        except (ExposerError, OSError) as error:
            self.note("keyring", f"the keys could not be brought up to date: {error}")
        self._hear_of_trouble()

    def _hear_of_trouble(self) -> None:
        """Keys that cannot be read: nobody gets in, and that must not look well."""
        trouble = self.rooms.trouble()
        if trouble != self.state.trouble:
            self.state.trouble = trouble
            self.note("keyring", trouble or "the keys can be read again")

    def _wishes(self) -> Mapping[str, Wish]:
        wishes = {role: Wish(part.digest, getattr(part, "shape", "")) for role, part in self._parts.items()}
        return wishes | {SCHEMA: Wish(self.rooms.schema_digest(), SCHEMA)}

    def _begin(self, action: Action) -> None:
        unit = self.state.units[action.role]
        match action:
            case Start(role=role, digest=digest):
                self.note("starting", f"{role}: starting", role=role, attempt=unit.failures + 1)
                changed = unit.with_(busy=True, phase=Phase.STARTING, trying=digest)
            case Reload(role=role, digest=digest):
                self.note("reloading", f"{role}: taking over a change", role=role)
                changed = unit.with_(busy=True, trying=digest)
            case Stop(role=role, why=why):
                self.note("stopping", f"{role}: stopping, because {why}", role=role)
                changed = unit.with_(busy=True, phase=Phase.STOPPING)
            case LookAt():
                changed = unit.with_(busy=True)
        self.state.units[action.role] = changed
        upstream = str(self.state.units[BACKEND].detail.get("upstream", ""))
        self.world.perform(action, self._parts.get(action.role), self.rooms, upstream)

    def _take(self, fact: Fact) -> None:
        match fact:
            case Published():
                self._take_published(fact)
                return
            case Checked():
                self._take_checked(fact)
                return
            case Failed(role="publish"):
                self._take_unpublished(fact)
                return
            case Failed(role="cancel"):
                self.note("failed", f"{fact.role}: {fact.error}")
                return
        role, before = fact_role(fact), self.state.units[fact_role(fact)]
        after = advance(before, fact, time.monotonic())
        self.state.units[role] = after
        self._tell(fact, before)
        if isinstance(fact, Documented):
            self.state.documented = fact
            self._publishing = ""
            if not fact.operations and not self.state.was_online:
                self.stop(nothing_published(fact))
        if isinstance(fact, Looked) and after.fatal:
            self._give_up(role, fact.look.error)
        if isinstance(fact, Failed) and self._ends_the_attempt(fact):
            self._fail(fact)

    def _give_up(self, role: str, why: str) -> None:
        """A part that runs but must not (its far side leads elsewhere) is stopped and not started again."""
        self._fail(Failed(role, why, fatal=True))
        self._begin(Stop(role, why))
        self.state.units[role] = self.state.units[role].with_(retry_at=float("inf"))

    def _ends_the_attempt(self, fact: Failed) -> bool:
        return not self.state.was_online and self.state.wanted and fails_fast(fact)

    def _fail(self, fact: Failed) -> None:
        """Something that trying again cannot mend. Before the first time online that ends the attempt."""
        if not self.state.was_online:
            self.stop(fact)

    def _tell(self, fact: Fact, before: Unit) -> None:
        match fact:
            case Started(role=role, adopted=True):
                self.note("adopted", f"{role}: runs already, taken over", role=role)
            case Started(role=role, seconds=seconds):
                self.note("started", f"{role}: up", role=role, seconds=round(seconds, 3))
            case Reloaded(role=role, seconds=seconds):
                self.note("reloaded", f"{role}: change taken over", role=role, seconds=round(seconds, 3))
            case Stopped(role=role):
                self.note("stopped", f"{role}: stopped", role=role)
            case Gone(role=role) if not self.state.wanted:
                self.note("stopped", f"{role}: stopped", role=role)
            case Gone(role=role, why=why):
                self.note("gone", f"{role}: {why}" + ("" if fact.fatal else "; starting it again"), role=role)
            case Failed(keeps=True, role=role, error=error) if error != before.error:
                self.note("refused", f"{role}: {error}; the last good one stays in force", role=role)
            case Failed(keeps=False, role=role, error=error):
                # What ends the attempt is said once, as the error at the end.
                self.note("gave-up" if self._ends_the_attempt(fact) else "failed", f"{role}: {error}", role=role)
            case Documented(operations=ops, total=total) if self._differs(fact):
                self.note("document", f"schema: {len(ops)} of {total} operations to publish", published=len(ops))
            case Looked(role=role, look=look) if look.healthy is False and before.healthy is not False:
                self.note("unwell", f"{role}: {look.error or 'not well'}", role=role)
            case Looked(role=role, look=look) if look.healthy and before.healthy is False:
                self.note("well", f"{role}: well again", role=role)

    def _differs(self, fact: Documented) -> bool:
        old = self.state.documented
        return old is None or (old.operations, old.total) != (fact.operations, fact.total)

    def _follow_address(self, now: float) -> None:
        """One pipeline: the tunnel's address and the document decide what is published and looked at from outside."""
        tunnel = self.state.units[TUNNEL]
        url = str(tunnel.detail.get("url", "")) if tunnel.phase is Phase.UP else self.state.url
        if url and url != self.state.url:
            self._change_address(url)
        documented = self.state.documented
        if not self.state.url or documented is None:
            return
        digest = f"{self.state.url} {self.rooms.schema_digest()} {documented.document and documented.document.digest}"
        digest += str(hash(documented.operations))
        if digest != self._publishing and now >= self._next_publish:
            self._publishing = digest
            self.world.publish(self.rooms, documented, self.state.url)
        gateway = self.state.units[GATEWAY]
        if self.state.published and now >= self._next_check and not self._checking and gateway.healthy:
            self._checking = True
            self.world.check(self.rooms, self.state.url, self.state.operations)

    def _change_address(self, url: str) -> None:
        old, self.state.url = self.state.url, url
        self.state.url_since = time.time()
        self.state.published = self.state.checked = None
        self._next_check = 0.0
        if old:
            self.note("address-changed", f"the public address is now {url} (it was {old})", url=url, old=old)
        else:
            self.note("address", f"the public address is {url}", url=url)

    def _take_published(self, fact: Published) -> None:
        if fact.url == self.state.url:
            self.state.published = fact
            self.note("published", f"document written for {fact.url}", digest=fact.publication.digest)

    def _take_unpublished(self, fact: Failed) -> None:
        """Tried again, but not at once: on a full disk each note of it would make matters worse."""
        self._publishing, self._next_publish = "", time.monotonic() + RECHECK
        if fact.error != self._unpublished:
            self.note("failed", f"the document could not be written: {fact.error}")
        self._unpublished = fact.error
        if not self.state.was_online:
            self.stop(fact)

    def _take_checked(self, fact: Checked) -> None:
        self._checking = False
        before, self.state.checked = self.state.checked, fact
        if fact.url != self.state.url:
            return
        self.state.checked_at = time.time()
        self._next_check = time.monotonic() + (self.check_every if fact.reachable else RECHECK)
        if before is None or (before.reachable, before.why) != (fact.reachable, fact.why):
            self.note("checked", fact.why or "asked from outside: reachable, and refuses whoever has no key")
        if fact.refuses is False:
            self.stop(Failed("gateway", fact.why, "nothing is open any more; see: exposer logs gateway", code="open"))

    def _set_phase(self) -> None:
        state = self.state
        trusted = state.checked is not None and (state.checked.reachable or not state.checked.resolvable)
        phase = exposure_phase(
            state.units,
            wanted=state.wanted,
            locked=state.locked,
            was_online=state.was_online,
            published=state.published is not None,
            trusted=trusted and not state.trouble,
        )
        if phase != state.phase:
            before, state.phase, state.since = state.phase, phase, time.time()
            state.was_online = state.was_online or phase == "online"
            self.note("phase", f"{before} → {phase}", phase=phase, before=before)
