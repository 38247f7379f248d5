"""When the guard cuts, and when it leaves an exposure alone."""

import pytest

from exposer.guard.lease import Terms
from exposer.guard.verdict import decide
from exposer.procs import ProcessId

ME = ProcessId(1000, "1", "boot")


def reason(terms: Terms | None, *, renewed: float, at: float, wall: float = 0.0, locked: bool = False) -> str:
    found = decide(terms, renewed, locked, at, wall)
    return "" if found is None else found.reason


def test_while_the_lease_is_renewed_nothing_is_cut() -> None:
    assert reason(Terms(ME, 90.0), renewed=100.0, at=190.0) == ""


def test_a_supervisor_that_is_silent_for_longer_than_the_lease_is_cut() -> None:
    assert "silent for longer than its lease of 90 s" in reason(Terms(ME, 90.0), renewed=100.0, at=190.1)


def test_a_machine_that_slept_past_the_lease_is_cut_before_the_supervisor_can_renew_it() -> None:
    assert "silent" in reason(Terms(ME, 90.0), renewed=100.0, at=100.0 + 3600.0)


def test_a_lease_that_was_never_renewed_holds_nothing() -> None:
    assert "silent" in reason(Terms(ME, 90.0), renewed=0.0, at=500.0)


def test_a_lease_from_the_future_proves_nothing() -> None:
    assert "future" in reason(Terms(ME, 90.0), renewed=200.0, at=100.0)


@pytest.mark.parametrize(("ends", "until"), [(1000.0, 0.0), (0.0, 5000.0), (1000.0, 9000.0), (9999.0, 5000.0)])
def test_a_time_box_is_over_by_whichever_clock_comes_first(ends: float, until: float) -> None:
    terms = Terms(ME, 90.0, ends, until)
    assert reason(terms, renewed=985.0, at=999.0, wall=4999.0) == ""
    assert reason(terms, renewed=985.0, at=1000.0, wall=5000.0) == "its time was over"


def test_a_supervisor_that_is_well_has_a_moment_to_take_it_down_itself() -> None:
    terms = Terms(ME, 90.0, 1000.0)
    assert reason(terms, renewed=1010.0, at=1010.0) == ""
    assert reason(terms, renewed=1015.5, at=1015.5) == "its time was over"


def test_waking_from_sleep_past_the_time_box_cuts_at_once() -> None:
    assert reason(Terms(ME, 7200.0, 1000.0), renewed=900.0, at=1000.0) == "its time was over"


def test_a_calendar_that_is_set_back_gives_no_more_time() -> None:
    terms = Terms(ME, 90.0, ends=1000.0, until=5000.0)
    assert reason(terms, renewed=1016.0, at=1016.0, wall=10.0) == "its time was over"


def test_the_lock_of_a_panic_comes_before_all_else_and_is_kept() -> None:
    found = decide(Terms(ME, 90.0), 100.0, True, 100.0, 0.0)
    assert found is not None
    assert found.lock


def test_without_terms_there_is_nothing_to_guard() -> None:
    assert reason(None, renewed=0.0, at=1e9) == ""
