"""What a key takes is counted over the last hour; over its limit it is paused until it has room again."""

from exposer.keys.meter import HOUR, Meter

NOW = 1_700_000_000.0


def test_an_hour_is_counted_and_what_is_older_is_not() -> None:
    meter = Meter()
    for minutes, size in ((-61, 1000), (-30, 10), (-1, 5)):
        meter.take("a", NOW + minutes * 60, size)
    assert meter.taken("a", NOW) == 15
    assert meter.taken("b", NOW) == 0


def test_a_key_over_its_limit_has_room_again_when_enough_is_an_hour_ago() -> None:
    meter = Meter()
    meter.take("a", NOW - 1800, 60)
    meter.take("a", NOW - 600, 60)
    assert meter.back("a", 120, NOW) is None
    back = meter.back("a", 100, NOW)
    assert back is not None
    assert NOW + 1800 - 60 <= back <= NOW + 1800 + 60
    assert meter.taken("a", back) <= 100


def test_one_answer_that_is_larger_than_the_limit_pauses_the_key_for_an_hour() -> None:
    meter = Meter()
    meter.take("a", NOW, 5000)
    back = meter.back("a", 100, NOW)
    assert back is not None
    assert HOUR <= back - NOW <= HOUR + 60
    assert meter.over({"a": 100, "b": 100}, NOW) == {"a": back}


def test_the_first_and_the_last_use_are_kept() -> None:
    meter = Meter()
    for at in (5.0, 1.0, 9.0):
        meter.take("a", NOW + at, 1)
    assert (meter.begun["a"], meter.last_used["a"]) == (NOW + 5, NOW + 9)


def test_what_nobody_needs_any_more_is_forgotten() -> None:
    meter = Meter()
    meter.take("old", NOW - 2 * HOUR, 1)
    meter.take("gone", NOW, 1)
    meter.take("kept", NOW, 1)
    meter.forget(["old", "kept"], NOW)
    assert set(meter.minutes) == {"kept"}


def test_what_was_taken_while_the_clock_was_a_day_ahead_counts_for_an_hour_and_no_longer() -> None:
    meter = Meter()
    meter.take("k", NOW + 86_400, 100)
    meter.take("k", NOW + 86_460, 100)
    meter.take("k", NOW, 60)
    assert meter.taken("k", NOW) == 260
    back = meter.back("k", 250, NOW)
    assert back is not None
    assert NOW < back <= NOW + 3600 + 120
    assert meter.taken("k", NOW + 3600 + 120) == 0
