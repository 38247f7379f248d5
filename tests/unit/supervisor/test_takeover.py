"""When the waiting tunnel takes over, and when the first is the open one again."""

import pytest

from exposer.state.facts import Checked
from exposer.state.model import STANDBY, TUNNEL, Phase, Unit
from exposer.supervisor.takeover import REMEMBERED, confirmed, down, reason, way_back

UP = Unit(TUNNEL, phase=Phase.UP, healthy=True)
HEARD, LOST = Checked("u", True, True), Checked("u", False, None, hop="edge")
UNKNOWN = Checked("u", False, None, resolvable=False)


@pytest.mark.parametrize(
    ("unit", "checked", "heard", "is_down"),
    [
        (UP, HEARD, True, False),
        (UP, LOST, False, True),
        (UP, UNKNOWN, False, False),  # a name that was never known here may be known to others
        (UP, UNKNOWN, True, True),
        (UP, None, True, None),
        (UP.with_(healthy=False), HEARD, True, True),
        (UP.with_(phase=Phase.FAILED), HEARD, True, True),
        (UP.with_(phase=Phase.STARTING), None, False, True),
    ],
)
def test_a_tunnel_is_down_when_its_agent_or_the_outside_says_so(
    unit: Unit, checked: Checked | None, heard: bool, is_down: bool | None
) -> None:
    assert down(unit, checked, heard) is is_down


@pytest.mark.parametrize(
    ("unit", "failed_looks", "sure"),
    [
        (UP, 0, False),
        (UP, 1, False),
        (UP, 2, True),
        (UP.with_(healthy=False), 0, True),
        (UP.with_(phase=Phase.FAILED), 0, True),
    ],
)
def test_one_failed_look_has_to_be_confirmed_and_what_the_agent_says_of_itself_has_not(
    unit: Unit, failed_looks: int, sure: bool
) -> None:
    assert confirmed(unit, failed_looks) is sure


def why(carrier: str, **given: object) -> str:
    known: dict[str, object] = {
        "down_for": 0.0,
        "well_for": 0.0,
        "after": 60.0,
        "back": 600.0,
        "held": False,
        "wish": "",
    }
    return reason(carrier, **(known | given))  # type: ignore[arg-type]


def test_nothing_is_changed_while_all_is_well() -> None:
    assert not why(TUNNEL, well_for=1e6)
    assert not why(TUNNEL, down_for=59.0)
    assert not why(STANDBY, well_for=599.0)


def test_whichever_is_open_is_replaced_when_it_is_down_for_too_long() -> None:
    assert "down from outside" in why(TUNNEL, down_for=60.0)
    assert "down from outside" in why(STANDBY, down_for=60.0, held=True)


def test_the_first_is_the_open_one_again_unless_somebody_wants_it_otherwise() -> None:
    assert "well again" in why(STANDBY, well_for=600.0)
    assert not why(STANDBY, well_for=1e6, held=True)
    assert not why(STANDBY, well_for=1e6, back=0.0)


def test_the_way_back_gets_longer_with_each_take_over_and_is_forgotten_in_time() -> None:
    assert [way_back(600.0, tuple(map(float, range(n))), 10.0) for n in (0, 1, 2, 3)] == [600.0, 600.0, 1200.0, 2400.0]
    assert way_back(600.0, tuple(map(float, range(99))), 100.0) == 600.0 * 32
    assert way_back(600.0, (0.0, 1.0, 2.0), REMEMBERED + 10.0) == 600.0
    assert way_back(0.0, (0.0, 1.0), 10.0) == 0.0
