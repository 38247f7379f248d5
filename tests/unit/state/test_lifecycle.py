"""What a fact makes of a part, and what the parts make of the exposure."""

import itertools
from collections.abc import Mapping
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exposer.procs import Entry, ProcessId
from exposer.state.facts import Documented, Fact, Failed, Gone, Looked, Reloaded, Started, Stopped
from exposer.state.lifecycle import AGAIN, BACKOFF, STEADY, advance, backoff, exposure_phase
from exposer.state.model import BACKEND, GATEWAY, SCHEMA, STANDBY, TUNNEL, UP_ORDER, Look, Phase, Unit

NOW = 1000.0
FOREVER = float("inf")


def up(role: str = TUNNEL, **more: object) -> Unit:
    return Unit(role, Phase.UP, digest="d1", healthy=True, since=NOW).with_(**more)


def starting(role: str = TUNNEL, **more: object) -> Unit:
    return Unit(role, Phase.STARTING, busy=True, trying="d1").with_(**more)


def entry(role: str = TUNNEL, digest: str = "d1", **detail: object) -> Entry:
    return Entry(role, digest=digest, detail=detail)


def test_a_part_that_was_started_is_up_and_well() -> None:
    unit = advance(starting(), Started(TUNNEL, entry(listen="x")), NOW)
    assert (unit.phase, unit.busy, unit.healthy, unit.digest, unit.trying) == (Phase.UP, False, True, "d1", "")
    assert (unit.since, unit.looked_at, unit.detail["listen"]) == (NOW, NOW, "x")


def test_a_part_that_is_a_process_tells_its_number() -> None:
    entry = Entry(TUNNEL, ProcessId(4711, "1", "boot"), detail={"url": "https://a"})
    assert advance(Unit(TUNNEL), Started(TUNNEL, entry), 1.0).detail == {"url": "https://a", "pid": 4711}


def test_a_document_that_was_read_is_up_for_what_was_tried() -> None:
    unit = advance(starting(SCHEMA, trying="d7"), Documented(None, (), 0), NOW)
    assert (unit.phase, unit.digest) == (Phase.UP, "d7")
    again = advance(unit.with_(busy=True), Documented(None, (), 0), NOW + 1)
    assert (again.digest, again.busy) == ("d7", False)


def test_only_a_start_after_a_failure_counts_as_a_restart() -> None:
    first = advance(starting(), Started(TUNNEL, entry()), NOW)
    assert first.restarts == 0
    fallen = advance(first, Gone(TUNNEL, "killed"), NOW + 1)
    again = advance(fallen.with_(phase=Phase.STARTING, busy=True), Started(TUNNEL, entry()), NOW + 2)
    assert again.restarts == 1


@pytest.mark.parametrize("failures", range(-1, 30))
def test_the_wait_grows_and_has_an_end(failures: int) -> None:
    assert BACKOFF[0] <= backoff(failures) <= backoff(failures + 1) <= BACKOFF[-1]


def test_each_failure_in_a_row_is_waited_for_longer() -> None:
    unit, waits = Unit(TUNNEL), []
    for _ in range(len(BACKOFF) + 3):
        unit = advance(unit.with_(phase=Phase.STARTING, busy=True), Failed(TUNNEL, "no"), NOW)
        assert (unit.phase, unit.busy) == (Phase.FAILED, False)
        waits.append(unit.retry_at - NOW)
    assert waits == [*BACKOFF, 60.0, 60.0, 60.0]


@pytest.mark.parametrize(("ran", "failures"), [(0.0, 5), (STEADY - 1, 5), (STEADY + 1, 1)])
def test_a_part_that_ran_well_for_long_starts_from_the_shortest_wait(ran: float, failures: int) -> None:
    unit = advance(starting(BACKEND, failures=4), Started(BACKEND, entry()), NOW)
    fallen = advance(unit, Gone(BACKEND, "killed"), NOW + ran)
    assert fallen.failures == failures
    assert fallen.retry_at == NOW + ran + backoff(failures)


@pytest.mark.parametrize(("ran", "failures"), [(0.0, 5), (0.9, 5), (2.1, 3), (30.0, 1)])
def test_a_tunnel_that_was_up_for_a_moment_comes_back_soon(ran: float, failures: int) -> None:
    unit = advance(starting(failures=4), Started(TUNNEL, entry()), NOW)
    fallen = advance(unit, Gone(TUNNEL, "killed"), NOW + ran)
    assert fallen.failures == failures
    assert fallen.retry_at - NOW - ran <= 5.0


@pytest.mark.parametrize("fact", [Failed(TUNNEL, "no", wait=300.0), Gone(TUNNEL, "no", wait=300.0)])
def test_a_longer_wait_that_was_asked_for_is_kept(fact: Fact) -> None:
    assert advance(up(), fact, NOW).retry_at == NOW + 300.0


@pytest.mark.parametrize("fact", [Failed(TUNNEL, "bad token", fatal=True), Gone(TUNNEL, "bad token", fatal=True)])
def test_what_cannot_be_mended_is_never_tried_again(fact: Fact) -> None:
    unit = advance(up(), fact, NOW)
    assert (unit.phase, unit.retry_at, unit.error) == (Phase.FAILED, FOREVER, "bad token")
    assert advance(unit, Stopped(TUNNEL), NOW).retry_at == FOREVER


def test_what_hardly_helps_is_tried_again_after_its_own_wait() -> None:
    for fact in (Failed(TUNNEL, "refused", fatal=True, wait=300.0), Gone(TUNNEL, "refused", fatal=True, wait=300.0)):
        assert advance(starting(), fact, NOW).retry_at == NOW + 300.0


def test_why_a_part_was_stopped_for_good_is_not_forgotten_when_it_is_gone() -> None:
    stopped = advance(up(fatal=True, error="leads elsewhere", busy=True), Stopped(TUNNEL), NOW)
    assert (stopped.phase, stopped.error) == (Phase.ABSENT, "leads elsewhere")
    assert advance(up(error="sick"), Stopped(TUNNEL), NOW).error == ""


def test_a_refused_change_leaves_the_old_one_running_and_is_remembered() -> None:
    unit = advance(up(busy=True, trying="d2"), Failed(TUNNEL, "no", "do this", "config", keeps=True), NOW + 9)
    assert (unit.phase, unit.digest, unit.refused, unit.trying, unit.busy) == (Phase.UP, "d1", "d2", "", False)
    assert (unit.error, unit.hint, unit.code) == ("no", "do this", "config")
    looked = advance(unit.with_(busy=True), Failed(TUNNEL, "look failed", keeps=True), NOW + 10)
    assert looked.refused == "d2"
    assert advance(looked, Reloaded(TUNNEL, entry(digest="d3")), NOW + 11).refused == ""
    assert (unit.again_at, looked.again_at) == (float("inf"), float("inf")), "what is wrong with it does not pass"


def test_a_change_refused_for_what_may_pass_is_tried_again_soon_and_then_seldom() -> None:
    once = advance(up(busy=True, trying="d2"), Failed(TUNNEL, "no room", keeps=True), NOW)
    assert (once.refused, once.again_at) == ("d2", NOW + AGAIN[0])
    assert advance(once.with_(busy=True), Failed(TUNNEL, "look failed", keeps=True), NOW + 1).again_at == once.again_at
    twice = advance(once.with_(busy=True, trying="d2"), Failed(TUNNEL, "no room", keeps=True), NOW + 9)
    assert (twice.refused, twice.again_at) == ("d2", NOW + 9 + AGAIN[-1])
    other = advance(twice.with_(busy=True, trying="d3"), Failed(TUNNEL, "no room", keeps=True), NOW + 99)
    assert (other.refused, other.again_at) == ("d3", NOW + 99 + AGAIN[0])


def test_a_part_is_sick_since_the_first_bad_look_until_a_good_one() -> None:
    bad, good, unclear = (Looked(TUNNEL, Look(True, healthy)) for healthy in (False, True, None))
    unit = advance(up(), bad, NOW + 1)
    assert (unit.healthy, unit.sick_since) == (False, NOW + 1)
    unit = advance(unit, bad, NOW + 2)
    assert unit.sick_since == NOW + 1
    assert advance(unit, good, NOW + 3).sick_since is None
    assert advance(unit, unclear, NOW + 3).healthy is False


def test_a_look_adds_to_what_is_known() -> None:
    unit = advance(
        up(detail=MappingProxyType({"listen": "x"})),
        Looked(TUNNEL, Look(True, True, "https://u", detail={"n": 1})),
        NOW,
    )
    assert unit.detail == {"listen": "x", "url": "https://u", "n": 1}
    assert advance(unit, Looked(TUNNEL, Look(True, True)), NOW).detail["url"] == "https://u"


LATE = [
    Looked(TUNNEL, Look(True, True)),
    Looked(TUNNEL, Look(False)),
    Reloaded(TUNNEL, entry()),
    Failed(TUNNEL, "look failed", keeps=True),
]


@pytest.mark.parametrize("fact", LATE)
@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.STOPPING])
def test_what_comes_late_of_a_fallen_part_does_not_free_it_for_a_second_action(fact: Fact, phase: Phase) -> None:
    """Else two programs would be started for one part."""
    unit = Unit(TUNNEL, phase, busy=True, trying="d1")
    assert advance(unit, fact, NOW) == unit


@pytest.mark.parametrize("fact", LATE)
def test_what_comes_late_of_a_fallen_part_does_not_hide_why_it_fell(fact: Fact) -> None:
    fallen = advance(up(), Gone(TUNNEL, "killed by signal 9"), NOW)
    assert advance(fallen, fact, NOW + 1) == fallen


def test_a_part_whose_end_was_heard_of_before_its_start_is_not_up() -> None:
    fallen = advance(starting(), Gone(TUNNEL, "killed"), NOW)
    assert advance(fallen, Started(TUNNEL, entry()), NOW + 0.1) == fallen


UNITS = st.builds(
    Unit,
    st.just(TUNNEL),
    st.sampled_from(Phase),
    digest=st.sampled_from(["", "d1"]),
    trying=st.sampled_from(["", "d2"]),
    refused=st.sampled_from(["", "d3"]),
    healthy=st.sampled_from([None, True, False]),
    busy=st.booleans(),
    failures=st.integers(0, 9),
    since=st.floats(0, NOW),
    sick_since=st.none() | st.floats(0, NOW),
)
LOOKS = st.builds(Look, st.booleans(), st.sampled_from([None, True, False]), st.sampled_from(["", "https://u"]))
FACTS: st.SearchStrategy[Fact] = st.one_of(
    st.builds(Started, st.just(TUNNEL), st.just(entry())),
    st.builds(Reloaded, st.just(TUNNEL), st.just(entry(digest="d2"))),
    st.builds(Stopped, st.just(TUNNEL)),
    st.builds(Gone, st.just(TUNNEL), st.just("why"), st.booleans(), st.floats(0, 99)),
    st.builds(Failed, st.just(TUNNEL), st.just("no"), fatal=st.booleans(), keeps=st.booleans(), wait=st.floats(0, 99)),
    st.builds(Looked, st.just(TUNNEL), LOOKS),
)
# Where a fact may take a part; whatever it was, the phase stays or becomes one of these.
LEADS_TO = {Started: Phase.UP, Reloaded: Phase.UP, Stopped: Phase.ABSENT, Gone: Phase.FAILED, Failed: Phase.FAILED}


@given(UNITS, st.lists(FACTS, max_size=12))
@settings(max_examples=200, deadline=None)
def test_whatever_happens_phases_stay_legal(unit: Unit, facts: list[Fact]) -> None:
    for n, fact in enumerate(facts):
        after = advance(unit, fact, NOW + n)
        assert after.phase in {unit.phase, LEADS_TO.get(type(fact), unit.phase)}
        if after.phase is Phase.UP and unit.phase is not Phase.UP:
            assert isinstance(fact, Started)
            assert unit.phase is not Phase.FAILED
        if unit.busy and not after.busy and unit.phase in (Phase.STARTING, Phase.STOPPING):
            assert after.phase in (Phase.UP, Phase.ABSENT, Phase.FAILED)
        if after.phase is Phase.FAILED and unit.phase is not Phase.FAILED:
            assert after.retry_at > NOW + n
            assert after.error
        unit = after


@given(UNITS, FACTS)
def test_a_fact_changes_no_unit_in_place(unit: Unit, fact: Fact) -> None:
    copy = unit.with_()
    advance(unit, fact, NOW)
    assert unit == copy


# All parts together


def parts(**changed: Unit) -> Mapping[str, Unit]:
    return {role: changed.get(role, up(role)) for role in UP_ORDER}


def phase(units: Mapping[str, Unit], **more: bool) -> str:
    flags = {"wanted": True, "locked": False, "was_online": False, "published": True, "trusted": True}
    return exposure_phase(units, **{**flags, **more})


def test_online_is_when_all_is_well_published_and_trusted() -> None:
    assert phase(parts()) == "online"


@pytest.mark.parametrize("role", [role for role in UP_ORDER if role != STANDBY])
@pytest.mark.parametrize(
    "bad", [{"healthy": False}, {"healthy": None}, {"phase": Phase.FAILED}, {"phase": Phase.STARTING}]
)
def test_one_part_that_is_not_well_is_enough_not_to_be_online(role: str, bad: dict[str, object]) -> None:
    units = parts(**{role: up(role, **bad)})
    assert phase(units) == "starting"
    assert phase(units, was_online=True) == "degraded"


@pytest.mark.parametrize(("carrier", "other"), [(TUNNEL, STANDBY), (STANDBY, TUNNEL)])
def test_of_two_tunnels_the_open_one_counts(carrier: str, other: str) -> None:
    assert phase(parts(**{other: up(other, phase=Phase.FAILED)}), carrier=carrier) == "online"
    assert phase(parts(**{carrier: up(carrier, phase=Phase.FAILED)}), carrier=carrier, was_online=True) == "degraded"


@pytest.mark.parametrize("flag", ["published", "trusted"])
def test_what_is_not_published_or_not_trusted_is_not_online(flag: str) -> None:
    assert phase(parts(), **{flag: False}) == "starting"


def test_a_lock_outweighs_everything() -> None:
    for wanted, was_online, published, trusted in itertools.product((True, False), repeat=4):
        assert (
            phase(parts(), locked=True, wanted=wanted, was_online=was_online, published=published, trusted=trusted)
            == "panicked"
        )


def test_it_is_offline_only_when_nothing_runs_any_more() -> None:
    gone = {role: Unit(role) for role in UP_ORDER}
    assert phase(gone, wanted=False) == "offline"
    assert phase({**gone, GATEWAY: Unit(GATEWAY, Phase.FAILED)}, wanted=False) == "offline"
    for role in (BACKEND, TUNNEL):
        assert phase({**gone, role: up(role)}, wanted=False) == "stopping"
        assert phase({**gone, role: Unit(role, busy=True)}, wanted=False) == "stopping"
