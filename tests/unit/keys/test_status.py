"""A key as it is shown: its state and its end, never itself."""

import json
from dataclasses import replace

import pytest

from exposer.keys import ring as keys
from exposer.keys.model import Key, KeyState
from exposer.keys.status import describe, timestamp

NOW = 1_700_000_000.0


def key(**more: object) -> Key:
    ring, _ = keys.mint(keys.new_ring(), "one", NOW)
    return replace(ring.keys[0], **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kept", "state", "ends"),
    [
        ({}, "active", None),
        ({"expires": NOW + 60}, "active", "2023-11-14T22:14:20Z"),
        ({"expires": NOW}, "revoked", "2023-11-14T22:13:20Z"),
        ({"state": KeyState.RETIRING, "until": NOW + 60}, "retiring", "2023-11-14T22:14:20Z"),
        ({"state": KeyState.RETIRING, "until": NOW + 9999, "expires": NOW + 60}, "retiring", "2023-11-14T22:14:20Z"),
        ({"state": KeyState.RETIRING, "until": NOW}, "revoked", "2023-11-14T22:13:20Z"),
        ({"state": KeyState.REVOKED, "until": NOW, "expires": NOW + 60}, "revoked", "2023-11-14T22:13:20Z"),
        ({"state": KeyState.SUSPENDED}, "suspended", None),
        ({"state": KeyState.DECOY}, "decoy", None),
    ],
)
def test_a_key_shows_what_the_gateway_makes_of_it(kept: dict[str, object], state: str, ends: str | None) -> None:
    shown = describe(key(**kept), NOW)
    assert (shown["state"], shown["expires"]) == (state, ends)
    assert key(**kept).passes(NOW) == (state in ("active", "retiring"))


def test_nothing_that_could_help_to_guess_the_key_is_shown() -> None:
    one = key()
    text = json.dumps(describe(one, NOW))
    for kept in (one.check, one.htpasswd, one.basic_check):
        assert kept not in text


def test_times_are_written_as_the_contract_says() -> None:
    assert timestamp(None) is None
    assert timestamp(0) == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize("far", [1e12, 1e15, 1e300])
def test_a_time_that_no_calendar_has_is_shown_as_its_last(far: float) -> None:
    assert timestamp(far) == "9999-12-31T23:59:59Z"
