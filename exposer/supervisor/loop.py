"""The one loop: see what happened, decide what differs from the wish, do it, look again."""

import time
from collections.abc import Callable

from exposer.journal import Journal, JournalError
from exposer.state.facts import (
    Announced,
    Checked,
    Documented,
    Down,
    Fact,
    Failed,
    Inspected,
    Looked,
    Noted,
    Published,
    Recorded,
    Renewed,
    SelfTested,
    Use,
    Waited,
)
from exposer.state.lifecycle import advance, exposure_phase
from exposer.state.model import BACKEND, TUNNELS, Phase, Unit
from exposer.state.plan import Action, LookAt, Reload, Start, Stop, plan
from exposer.supervisor.address import AddressPipeline
from exposer.supervisor.announce import Announcer
from exposer.supervisor.desires import Desires
from exposer.supervisor.ending import Ending
from exposer.supervisor.exposure import Exposure
from exposer.supervisor.networks import NetworkLists
from exposer.supervisor.notices import TOLD
from exposer.supervisor.people import People
from exposer.supervisor.ports import Rooms
from exposer.supervisor.seals import Seals
from exposer.supervisor.selftests import SelfTests
from exposer.supervisor.standby import Standby
from exposer.supervisor.telling import sentence
from exposer.supervisor.verdict import fact_role, fails_fast, nothing_published
from exposer.supervisor.world import World

Show = Callable[[str, str], None]
TICK = 0.25
QUIET = 0.5  # while all is well and nothing is under way; whatever is heard of ends the wait at once


class Loop:
    """Drives one exposure. `cycle` is called again and again by the daemon, which owns time and signals.

    All that decides is in the thread of `cycle`; others leave a fact in the inbox.
    """

    def __init__(self, rooms: Rooms, world: World, journal: Journal, show: Show, check_every: float) -> None:
        self.rooms = rooms
        self.world = world
        self.journal = journal
        self.show = show
        self.state = Exposure()
        self.noted: Callable[[str, str], None] = lambda kind, text: None
        self._address = AddressPipeline(self.state, world, self.note, self.stop, check_every)
        self.standby = Standby(self.state, world, self.note, self._address, self.stop)
        self._networks = NetworkLists(self.state, world, self.note)
        self._seals = Seals(world, self.note)
        self._tests = SelfTests(self.state, world, self.note, self._record, self.stop)
        self.people = People(rooms, world)
        self._announcer = Announcer(self.state, world, self.note, self.people.tell)
        self._desires = Desires(self.state, world, self.note)
        self._ending = Ending(self.state, world, self.note)
        self._last_error: dict[str, str] = {}

    def cycle(self, wait: float = TICK) -> None:
        """One turn: facts in, differences out. Blocks for at most `wait` seconds, less when something happens."""
        self.world.observe()
        for fact in self.world.inbox.facts(wait, calm=self.calm):
            self._take(fact)
        now = time.monotonic()
        if self.state.wanted:
            self.standby.follow(self.rooms, now)
            self._desires.follow(self.rooms)
        self._ending.follow(self.rooms, now)
        if not self._ending.drains(now):
            carrier = self.state.carrier
            for action in plan(
                self.state.units, self._desires.wishes(self.rooms), now, wanted=self.state.wanted, carrier=carrier
            ):
                self._begin(action)
        if self.state.wanted:
            self._address.follow(self.rooms, now)
            self._announcer.follow(self.rooms, now)
            self._networks.follow(self.rooms, time.time())
            self._seals.follow(now)
            self._tests.follow(now)
        self._set_phase()

    def stop(self, failure: Failed | None = None) -> None:
        """From now on nothing is wanted; a start under way is cut short."""
        self._ending.begin(failure)

    def take_config(self, rooms: Rooms) -> None:
        """Takes a new config over; what differs follows in the next cycles."""
        self.rooms = rooms
        self._desires.begin_anew()
        self.people.follow(rooms)
        self._address.begin_anew(rooms.check_every)
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
    def calm(self) -> bool:
        """Whether all is well and no part is being changed. A look at one changes nothing."""
        units = self.state.units.values()
        turning = any(unit.busy and (unit.trying or unit.phase is not Phase.UP) for unit in units)
        return self.state.wanted and self.state.phase == "online" and not turning

    @property
    def tick(self) -> float:
        """How long the next turn may wait for news."""
        return QUIET if self.calm else TICK

    @property
    def finished(self) -> bool:
        return not self.state.wanted and all(
            unit.phase in (Phase.ABSENT, Phase.FAILED) and not unit.busy for unit in self.state.units.values()
        )

    def note(self, kind: str, text: str, **data: object) -> None:
        """Journals an event and shows it."""
        self._record(kind, text=text, **data)
        self.show(kind, text)
        if kind in TOLD:
            self.people.tell(kind, text, **data)
        self.noted(kind, text)

    def _record(self, kind: str, *, text: str, **data: object) -> None:
        """A journal that cannot be written is shown, and stops nothing."""
        try:
            self.journal.append(kind, text=text, **data)
            self.state.unwritten.pop("journal", None)
        except JournalError as error:
            if "journal" not in self.state.unwritten:
                self.show("journal", f"{error.message}; what cannot be recorded is shown here only")
            self.state.unwritten["journal"] = error.message

    def _begin(self, action: Action) -> None:
        unit = self.state.units[action.role]
        match action:
            case Start(role=role, digest=digest):
                if not self._old_news(unit):
                    self.note("starting", f"{role}: starting", role=role, attempt=unit.failures + 1)
                changed = unit.with_(busy=True, phase=Phase.STARTING, trying=digest)
            case Reload(role=role, digest=digest):
                if digest != unit.refused:
                    self.note("reloading", f"{role}: taking over a change", role=role)
                changed = unit.with_(busy=True, trying=digest)
            case Stop(role=role, why=why):
                self.note("stopping", f"{role}: stopping, because {why}", role=role)
                changed = unit.with_(busy=True, phase=Phase.STOPPING)
            case LookAt():
                changed = unit.with_(busy=True)
        self.state.units[action.role] = changed
        upstream = str(self.state.units[BACKEND].detail.get("upstream", ""))
        self.world.perform(action, self._desires.parts.get(action.role), self.rooms, upstream)

    def _take(self, fact: Fact) -> None:
        """Hands a fact to whoever it is for; what is about a part is ours."""
        match fact:
            case Published():
                self._address.take_published(fact)
            case Checked():
                self._address.take_checked(fact)
            case Recorded():
                self._hear_of_the_record(fact)
            case Announced():
                self._announcer.take(fact)
            case Noted(kind=kind, text=text):
                self.note(kind, text)
            case Down(hurried=hurried):
                if hurried and not self.state.wanted:
                    self._ending.hurry()
                self.stop()
            case Use(role=role, answer=answer):
                answer(self.standby.use(role))
            case Waited(checked=checked):
                self.standby.take(checked)
            case Failed(role="publish"):
                self._address.take_unpublished(fact)
            case Renewed() | Failed(role="networks"):
                self._networks.take(fact)
            case Inspected():
                self._seals.take(fact, time.monotonic())
            case SelfTested():
                self._tests.take(fact, time.monotonic())
            case Failed(role="cancel"):
                self.note("failed", f"{fact.role}: {fact.error}")
            case _:
                self._take_of_part(fact)

    def _take_of_part(self, fact: Fact) -> None:
        role, before = fact_role(fact), self.state.units[fact_role(fact)]
        after = advance(before, fact, time.monotonic())
        self.state.units[role] = after
        self._tell(fact, before)
        if isinstance(fact, Documented):
            self.state.documented = fact
            if not fact.operations and not self.state.was_online:
                self.stop(nothing_published(fact))
        if isinstance(fact, Looked) and after.fatal:
            self._give_up(role, fact.look.error, float(fact.look.detail.get("wait") or 0.0))
        if isinstance(fact, Failed) and self._ends_the_attempt(fact):
            self._fail(fact)

    def _hear_of_the_record(self, fact: Recorded) -> None:
        self.state.unwritten.pop("record", None)
        if fact.trouble:
            self.state.unwritten["record"] = fact.trouble
        self.note(fact.kind, fact.text, **fact.data)

    def _give_up(self, role: str, why: str, wait: float) -> None:
        """A part that runs but must not (its far side leads elsewhere) is stopped and not started again soon."""
        self._fail(Failed(role, why, fatal=True))
        self._begin(Stop(role, why))
        until = time.monotonic() + wait if wait > 0 else float("inf")
        self.state.units[role] = self.state.units[role].with_(retry_at=until)

    def _ends_the_attempt(self, fact: Failed) -> bool:
        return not self.state.was_online and self.state.wanted and fails_fast(fact, spare=self.state.spare)

    def _fail(self, fact: Failed) -> None:
        """Something that trying again cannot mend. Before the first time online that ends the attempt."""
        if not self.state.was_online and not (self.state.spare and fact.role in TUNNELS):
            self.stop(fact)

    def _old_news(self, unit: Unit) -> bool:
        """A waiting tunnel that does not come up is tried for ever, and said once."""
        return self.state.spare and unit.role == self.state.other and unit.failures > 0

    def _tell(self, fact: Fact, before: Unit) -> None:
        if isinstance(fact, Failed) and self._old_news(before) and fact.error == self._last_error.get(fact.role):
            return
        if isinstance(fact, Failed):
            self._last_error[fact.role] = fact.error
        news = isinstance(fact, Documented) and self._differs(fact)
        ends = isinstance(fact, Failed) and self._ends_the_attempt(fact)
        said = sentence(fact, before, wanted=self.state.wanted, news=news, ends=ends)
        if said is not None:
            kind, text, data = said
            self.note(kind, text, **data)

    def _differs(self, fact: Documented) -> bool:
        old = self.state.documented
        return old is None or (old.operations, old.total) != (fact.operations, fact.total)

    def _set_phase(self) -> None:
        state = self.state
        trusted = state.checked is not None and (state.checked.reachable or not state.checked.resolvable)
        # A tunnel without a public address has no document to write, and nothing that could be asked from outside.
        private = not state.open_tunnel.public
        phase = exposure_phase(
            state.units,
            wanted=state.wanted,
            locked=state.locked,
            was_online=state.was_online,
            published=state.published is not None or private,
            trusted=(trusted or private) and not state.trouble and (state.tested is None or state.tested.ok),
            carrier=state.carrier,
        )
        if phase != state.phase:
            before, state.phase, state.since = state.phase, phase, time.time()
            state.was_online = state.was_online or phase == "online"
            self.note("phase", f"{before} → {phase}", phase=phase, before=before)
        self.people.hear_of_phase(state, time.time())
