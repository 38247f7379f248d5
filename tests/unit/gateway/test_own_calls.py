"""Our own calls are told from others by ids that only their caller knows."""

from exposer.gateway.own_calls import OwnCalls
from exposer.journal import Request


def call(request: str, key: str = "", status: int = 401) -> Request:
    return Request(1.0, key, "", "GET", status, 0, 0.0, request, "192.0.2.1", "/x")


def test_a_call_of_ours_is_left_out_and_a_strangers_never() -> None:
    own = OwnCalls()
    own.refused(["a", "b", ""])
    calls = (call("a"), call("c"), call("b"), call("a"))
    assert [each.request for each in own.others(calls)] == ["c", "a"]  # an id counts for one call


def test_what_could_not_be_recorded_is_left_out_the_next_time_too() -> None:
    own = OwnCalls()
    own.refused(["a"])
    assert own.others([call("a")]) == ()
    assert own.others([call("a")]) == ()
    own.taken([call("a")])
    assert own.others([call("a")]) == (call("a"),)


def test_a_call_with_a_key_of_ours_that_we_have_not_made_is_on_record() -> None:
    own = OwnCalls()
    own.passed("testkey1")
    own.taken([call("1", "testkey1", 200)])
    assert own.others([call("2", "testkey1", 200)]) == (call("2", "testkey1", 200),)


def test_the_log_waits_while_ids_are_still_to_come_and_not_for_ever(monkeypatch) -> None:
    own = OwnCalls()
    assert own.settled()
    with own.asking():
        assert not own.settled()
        monkeypatch.setattr("exposer.gateway.own_calls.time.monotonic", lambda: 1e12)
        assert own.settled()
    assert own.settled()


def test_what_it_remembers_is_bounded() -> None:
    own = OwnCalls()
    own.refused(str(n) for n in range(10_000))
    assert len(own._ids) < 5000
