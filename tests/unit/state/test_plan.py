"""What is done next: the tunnel last, one thing at a time for each part, nothing in a loop."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from exposer.procs import Entry
from exposer.state.facts import Documented, Failed, Gone, Looked, Reloaded, Started, Stopped
from exposer.state.lifecycle import advance
from exposer.state.model import BACKEND, GATEWAY, SCHEMA, STANDBY, TUNNEL, UP_ORDER, Look, Phase, Unit
from exposer.state.plan import LOOK_EVERY, NOT_WISHED, PATIENCE, Action, LookAt, Reload, Start, Stop, Wish, plan

NOW = 1000.0
WISHES = {role: Wish("d1") for role in UP_ORDER}


def up(role: str, **more: object) -> Unit:
    return Unit(role, Phase.UP, digest="d1", healthy=True, since=NOW, looked_at=NOW).with_(**more)


def parts(**changed: Unit) -> dict[str, Unit]:
    return {role: changed.get(role, up(role)) for role in UP_ORDER}


def todo(units: Mapping[str, Unit], wishes: Mapping[str, Wish] = WISHES, *, wanted: bool = True) -> tuple[Action, ...]:
    return plan(units, wishes, NOW, wanted=wanted)


# Up


def test_when_all_is_as_wished_there_is_nothing_to_do() -> None:
    assert todo(parts()) == ()


@pytest.mark.parametrize("standing", range(4))
def test_parts_are_started_in_order_each_when_the_one_before_is_up(standing: int) -> None:
    units = {role: up(role) if n < standing else Unit(role) for n, role in enumerate(UP_ORDER)}
    assert todo(units) == (Start(UP_ORDER[standing], "d1"),)


def test_what_needs_only_the_place_of_its_forerunner_is_made_ready_beside_it() -> None:
    wishes = {**WISHES, SCHEMA: Wish("d1", alone=True), GATEWAY: Wish("d1", alone=True)}
    starting = {BACKEND: Unit(BACKEND, Phase.STARTING, busy=True, trying="d1")}
    absent = {role: Unit(role) for role in UP_ORDER}
    assert todo(absent, wishes) == (Start(BACKEND, "d1"), Start(SCHEMA, "d1"), Start(GATEWAY, "d1"))
    assert todo(absent | starting, wishes) == (Start(SCHEMA, "d1"), Start(GATEWAY, "d1"))
    assert todo(parts(tunnel=Unit(TUNNEL)) | starting, wishes) == (), "the tunnel waits for all of them"


def test_a_part_whose_wish_is_not_known_yet_is_not_started() -> None:
    assert todo({role: Unit(role) for role in UP_ORDER}, {SCHEMA: Wish("d1")}) == ()


NOT_READY = [
    Unit(GATEWAY),
    Unit(GATEWAY, Phase.STARTING, busy=True),
    Unit(GATEWAY, Phase.STOPPING, busy=True),
    Unit(GATEWAY, Phase.FAILED, retry_at=NOW + 9),
    Unit(GATEWAY, Phase.FAILED, retry_at=float("inf"), healthy=True),
    up(GATEWAY, healthy=False),
    up(GATEWAY, healthy=None),
    up(GATEWAY, busy=True, trying="d2"),
    up(GATEWAY, digest="d0"),
    up(GATEWAY, healthy=True, sick_since=NOW - 999),
]


@pytest.mark.parametrize("gateway", NOT_READY)
def test_the_tunnel_waits_for_a_gateway_that_is_up_well_and_stays(gateway: Unit) -> None:
    actions = todo(parts(gateway=gateway, tunnel=Unit(TUNNEL)))
    assert not any(isinstance(action, Start) and action.role == TUNNEL for action in actions)


def test_the_tunnel_does_not_wait_while_the_gateway_is_only_looked_at() -> None:
    assert todo(parts(gateway=up(GATEWAY, busy=True), tunnel=Unit(TUNNEL))) == (Start(TUNNEL, "d1"),)


def test_the_tunnel_does_not_open_while_the_gateway_is_told_of_a_change() -> None:
    gateway = up(GATEWAY, detail={"shape": "s"})
    wishes = {**WISHES, GATEWAY: Wish("d2", "s")}
    assert todo(parts(gateway=gateway, tunnel=Unit(TUNNEL)), wishes) == (Reload(GATEWAY, "d2"),)


@pytest.mark.parametrize("role", UP_ORDER)
def test_a_failed_part_is_tried_again_when_its_time_has_come(role: str) -> None:
    assert todo(parts(**{role: Unit(role, Phase.FAILED, retry_at=NOW + 0.1)})) == ()
    assert todo(parts(**{role: Unit(role, Phase.FAILED, retry_at=NOW)})) == (Start(role, "d1"),)


def test_what_cannot_be_mended_is_left() -> None:
    units = parts(tunnel=Unit(TUNNEL, Phase.FAILED, retry_at=float("inf")))
    assert plan(units, WISHES, NOW + 1e9, wanted=True)[-1:] != (Start(TUNNEL, "d1"),)


def test_a_dead_backend_does_not_take_the_public_address_away() -> None:
    units = parts(backend=Unit(BACKEND, Phase.FAILED, retry_at=NOW + 5))
    assert todo(units) == ()
    assert todo(units, {SCHEMA: Wish("d1")}) == ()


# Changes


def test_a_changed_wish_is_reloaded_where_the_shape_is_the_same_and_else_started_anew() -> None:
    gateway = up(GATEWAY, detail={"shape": "s"})
    for shape, action in (("s", Reload(GATEWAY, "d2")), ("t", Stop), ("", Stop)):
        (done,) = todo(parts(gateway=gateway), {**WISHES, GATEWAY: Wish("d2", shape)})
        assert done == action or type(done) is action


def test_a_refused_wish_is_tried_again_in_its_time_and_the_next_one_at_once() -> None:
    gateway = up(GATEWAY, detail={"shape": "s"}, refused="d2", again_at=NOW + 1)
    assert todo(parts(gateway=gateway), {**WISHES, GATEWAY: Wish("d2", "s")}) == ()
    due = gateway.with_(again_at=NOW)
    assert todo(parts(gateway=due), {**WISHES, GATEWAY: Wish("d2", "s")}) == (Reload(GATEWAY, "d2"),)
    assert todo(parts(gateway=gateway), {**WISHES, GATEWAY: Wish("d3", "s")}) == (Reload(GATEWAY, "d3"),)


@pytest.mark.parametrize("role", UP_ORDER)
def test_each_part_is_looked_at_in_its_own_time(role: str) -> None:
    just, due = (parts(**{role: up(role, looked_at=NOW - LOOK_EVERY[role] + d)}) for d in (0.1, 0.0))
    assert todo(just) == ()
    assert todo(due) == (LookAt(role),)


@pytest.mark.parametrize("role", UP_ORDER)
def test_a_part_that_is_sick_too_long_is_stopped_where_there_is_an_end_to_patience(role: str) -> None:
    patience = PATIENCE.get(role)
    if patience is None:
        assert todo(parts(**{role: up(role, sick_since=NOW - 1e6)})) == ()
        return
    assert todo(parts(**{role: up(role, sick_since=NOW - patience + 1)})) == ()
    (action,) = todo(parts(**{role: up(role, sick_since=NOW - patience, error="silent")}))
    assert action == Stop(role, "silent")


# Two tunnels


def test_the_second_tunnel_gives_the_first_the_first_chance_and_waits_no_longer() -> None:
    absent = {STANDBY: Unit(STANDBY)}
    assert todo(parts(tunnel=Unit(TUNNEL, Phase.STARTING, busy=True)) | absent) == ()
    assert todo(parts() | absent) == (Start(STANDBY, "d1"),)
    failed = Unit(TUNNEL, Phase.FAILED, failures=1, retry_at=NOW + 60)
    assert todo(parts(tunnel=failed) | absent) == (Start(STANDBY, "d1"),)
    assert todo(parts(tunnel=failed, gateway=up(GATEWAY, healthy=False)) | absent) == ()


def test_a_second_tunnel_that_is_no_longer_asked_for_is_stopped_and_not_started() -> None:
    wishes = {**WISHES, STANDBY: NOT_WISHED}
    assert todo(parts(), wishes) == (Stop(STANDBY, "it is no longer asked for"),)
    assert todo(parts(standby=Unit(STANDBY)), wishes) == ()


# Down


def test_down_goes_from_the_tunnel_to_the_backend_one_at_a_time() -> None:
    units, order = parts(), []
    while actions := todo(units, wanted=False):
        (action,) = actions
        assert isinstance(action, Stop)
        order.append(action.role)
        units[action.role] = Unit(action.role, Phase.STOPPING, busy=True)
        assert todo(units, wanted=False) == ()
        units[action.role] = Unit(action.role)
    assert order == [STANDBY, TUNNEL, GATEWAY, SCHEMA, BACKEND]


def test_down_waits_for_a_tunnel_that_is_just_being_started() -> None:
    assert todo(parts(tunnel=Unit(TUNNEL, Phase.STARTING, busy=True), standby=Unit(STANDBY)), wanted=False) == ()


def test_down_passes_over_what_is_not_there() -> None:
    units = parts(standby=Unit(STANDBY), tunnel=Unit(TUNNEL, Phase.FAILED), schema=Unit(SCHEMA))
    assert todo(units, wanted=False) == (Stop(GATEWAY, "it is no longer wanted"),)


# Any state


def any_unit(role: str) -> st.SearchStrategy[Unit]:
    return st.builds(
        Unit,
        st.just(role),
        st.sampled_from(Phase),
        digest=st.sampled_from(["", "d1", "d2"]),
        trying=st.sampled_from(["", "d1"]),
        refused=st.sampled_from(["", "d1", "d2"]),
        again_at=st.sampled_from([NOW, NOW + 1, float("inf")]),
        healthy=st.sampled_from([None, True, False]),
        busy=st.booleans(),
        retry_at=st.sampled_from([0.0, NOW + 1, float("inf")]),
        looked_at=st.sampled_from([0.0, NOW]),
        sick_since=st.sampled_from([None, 0.0, NOW]),
        detail=st.sampled_from([{}, {"shape": "s"}]),
    )


UNITS = st.fixed_dictionaries({role: any_unit(role) for role in UP_ORDER})
ANY_WISHES = st.dictionaries(
    st.sampled_from(UP_ORDER), st.builds(Wish, st.sampled_from(["d1", "d2"]), st.sampled_from(["", "s"]))
)


@given(UNITS, ANY_WISHES, st.booleans())
@settings(max_examples=400, deadline=None)
def test_in_whatever_state_the_order_holds(units: dict[str, Unit], wishes: dict[str, Wish], wanted: bool) -> None:
    actions = plan(units, wishes, NOW, wanted=wanted)
    roles = [action.role for action in actions]
    assert len(roles) == len(set(roles))
    assert not any(units[role].busy for role in roles)
    for action in actions:
        unit = units[action.role]
        match action:
            case Start(role=role, digest=digest):
                assert wanted
                assert unit.phase is not Phase.UP
                assert now_or_past(unit.retry_at)
                assert digest == wishes[role].digest
                before = [units[other] for other in UP_ORDER[: UP_ORDER.index(role)]]
                before = [other for other in before if other.role != TUNNEL or not other.failures]
                assert all(other.phase is Phase.UP for other in before)
                touched = {a.role for a in actions if not isinstance(a, LookAt)} - {role}
                assert not touched & {other.role for other in before}
                assert role != TUNNEL or units[GATEWAY].healthy
            case Reload(digest=digest):
                assert unit.phase is Phase.UP
                assert digest != unit.digest
                assert digest != unit.refused or now_or_past(unit.again_at)
            case Stop() | LookAt():
                assert unit.phase is Phase.UP
    if not wanted:
        assert len(actions) <= 1
        for action in actions:
            above = UP_ORDER[UP_ORDER.index(action.role) + 1 :]
            assert all(not units[role].busy and units[role].phase is not Phase.UP for role in above)


def now_or_past(moment: float) -> bool:
    return moment <= NOW


class Exposures(RuleBasedStateMachine):
    """The plan and the lifecycle together, with a world in which anything may fail at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.units = {role: Unit(role) for role in UP_ORDER}
        self.wishes = {role: Wish("d1", "s") for role in UP_ORDER}
        self.now = NOW
        self.wanted = True
        self.working: dict[str, Action] = {}
        self.runs: set[str] = set()
        self.hopeless: set[str] = set()
        self.looks_late: list[Looked] = []

    @rule(seconds=st.floats(0.1, 100))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(role=st.sampled_from(UP_ORDER), digest=st.sampled_from(["d1", "d2", "d3"]), alone=st.booleans())
    def another_wish(self, role: str, digest: str, alone: bool) -> None:
        self.wishes[role] = Wish(digest, "s", alone and role in (SCHEMA, GATEWAY))

    @rule()
    def cycle(self) -> None:
        for action in plan(self.units, self.wishes, self.now, wanted=self.wanted):
            assert action.role not in self.working, "two actions for one part"
            unit = self.units[action.role]
            match action:
                case Start(role=role, digest=digest):
                    assert role not in self.runs, "started twice"
                    assert role not in self.hopeless, "tried again what cannot be mended"
                    if role == TUNNEL:
                        assert GATEWAY in self.runs or self.units[GATEWAY].phase is Phase.UP
                        assert self.units[GATEWAY].healthy
                        assert all(self.units[before].phase is Phase.UP for before in (BACKEND, SCHEMA))
                    self.units[role] = unit.with_(busy=True, phase=Phase.STARTING, trying=digest)
                case Reload(role=role, digest=digest):
                    self.units[role] = unit.with_(busy=True, trying=digest)
                case Stop(role=role):
                    self.units[role] = unit.with_(busy=True, phase=Phase.STOPPING)
                case LookAt(role=role):
                    self.units[role] = unit.with_(busy=True)
            self.working[action.role] = action

    @precondition(lambda self: self.working)
    @rule(data=st.data(), how=st.sampled_from(["well", "failed", "fatal"]))
    def work_ends(self, data: st.DataObject, how: str) -> None:
        role = data.draw(st.sampled_from(sorted(self.working)))
        action = self.working.pop(role)
        digest = getattr(action, "digest", "")
        failed = Failed(role, "no", fatal=how == "fatal")
        match action, how:
            case Stop(), _:
                self.runs.discard(role)
                self.take(Stopped(role))
            case LookAt(), _:
                self.take(Looked(role, Look(True, how == "well")))
            case Start(), "well":
                self.runs.add(role)
                fact = Documented(None, (), 0) if role == SCHEMA else Started(role, self.entry(role, digest))
                self.take(fact, role)
            case Start(), _:
                if how == "fatal":
                    self.hopeless.add(role)
                self.take(failed)
            case Reload(), "well":
                fact = Documented(None, (), 0) if role == SCHEMA else Reloaded(role, self.entry(role, digest))
                self.take(fact, role)
            case _:
                self.take(replace(failed, keeps=True, fatal=False))

    @rule(role=st.sampled_from((BACKEND, GATEWAY, TUNNEL)))
    def dies(self, role: str) -> None:
        if role not in self.runs or isinstance(self.working.get(role), Stop | Reload):
            return
        self.runs.discard(role)
        if self.working.pop(role, None) is not None:  # a look is under way, and comes to its end later
            self.looks_late.append(Looked(role, Look(True, True)))
        self.take(Gone(role, "killed"))

    @precondition(lambda self: self.looks_late)
    @rule()
    def a_late_look(self) -> None:
        self.take(self.looks_late.pop())

    @rule()
    def no_longer_wanted(self) -> None:
        self.wanted = False

    def entry(self, role: str, digest: str) -> Entry:
        return Entry(role, digest=digest, detail={"shape": "s"})

    def take(self, fact: object, role: str = "") -> None:
        role = role or str(getattr(fact, "role", ""))
        self.units[role] = advance(self.units[role], fact, self.now)  # type: ignore[arg-type]

    @invariant()
    def a_part_is_busy_exactly_while_something_is_done_to_it(self) -> None:
        assert {role for role, unit in self.units.items() if unit.busy} == set(self.working)

    @invariant()
    def what_is_up_runs(self) -> None:
        assert {role for role, unit in self.units.items() if unit.phase is Phase.UP} <= self.runs


TestExposures = Exposures.TestCase
TestExposures.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_tunnel_that_nobody_hears_outside_is_stopped_alone_and_when_its_time_has_come() -> None:
    units = {role: Unit(role, phase=Phase.UP, healthy=True, digest="d", looked_at=50.0) for role in UP_ORDER}
    units[TUNNEL] = units[TUNNEL].with_(replace_at=51.0)
    wishes = {role: Wish("d") for role in UP_ORDER}
    assert plan(units, wishes, 50.5, wanted=True) == ()
    (action,) = plan(units, wishes, 51.0, wanted=True)
    assert isinstance(action, Stop)
    assert action.role == TUNNEL
