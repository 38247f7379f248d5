"""When people are told, and how a flapping address is damped."""

from hypothesis import given
from hypothesis import strategies as st

from exposer.state.facts import Checked, Failed
from exposer.supervisor.exposure import Exposure
from exposer.supervisor.notices import LONG, STAY, WINDOW, announce_at, phase_notice, remembered, why


def test_people_hear_of_the_first_time_online_of_long_trouble_of_its_end_and_of_the_end() -> None:
    assert phase_notice("starting", 0, "", 5, "") is None
    assert phase_notice("online", 0, "", 5, "") == ("online", "it is online")
    assert phase_notice("online", 0, "online", 5, "") is None
    assert phase_notice("degraded", 100, "online", 100 + LONG - 1, "tunnel: gone") is None
    assert phase_notice("degraded", 100, "online", 100 + LONG, "tunnel: gone") == (
        "degraded",
        "it has not been well for 60 s: tunnel: gone",
    )
    assert phase_notice("degraded", 100, "degraded", 900, "tunnel: gone") is None
    assert phase_notice("online", 0, "degraded", 5, "") == ("online", "it is online again")
    assert phase_notice("offline", 0, "online", 5, "") == ("offline", "it is offline")
    assert phase_notice("offline", 0, "offline", 5, "") is None


def test_a_start_that_fails_is_told_and_one_that_is_given_up_by_the_person_is_not() -> None:
    assert phase_notice("offline", 0, "", 5, "no nginx") == ("failed", "it could not be brought online: no nginx")
    assert phase_notice("offline", 0, "", 5, "") is None


def test_why_names_the_failure_first_then_parts_then_the_look_from_outside() -> None:
    state = Exposure()
    assert why(state) == ""
    state.checked = Checked("https://a", False, None, "a does not resolve")
    assert why(state) == "a does not resolve"
    state.units["tunnel"] = state.units["tunnel"].with_(error="refused")
    assert why(state) == "tunnel: refused"
    state.failure = Failed("gateway", "no nginx")
    assert why(state) == "no nginx"


def test_a_changed_address_is_announced_at_once_and_one_that_flaps_has_to_stay() -> None:
    changes: tuple[float, ...] = ()
    waits = []
    for now in range(0, 80, 10):
        changes = remembered(changes, float(now))
        waits.append(announce_at(changes) - now)
    assert waits == [0, 0, 10, 30, 60, 120, 300, 300]
    assert announce_at(remembered(changes, 5 * WINDOW)) == 5 * WINDOW, "long ago is forgotten"


@given(st.lists(st.floats(0, 10_000), max_size=60))
def test_memory_of_changes_does_not_grow_and_no_wait_is_longer_than_the_longest(times: list[float]) -> None:
    changes: tuple[float, ...] = ()
    for now in sorted(times):
        changes = remembered(changes, now)
        assert now <= announce_at(changes) <= now + STAY[-1]
        assert all(at > now - WINDOW for at in changes)
