"""Where the way is broken, how often it is looked at, and when an agent is started anew."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exposer.state.facts import Checked
from exposer.state.model import BACKEND, GATEWAY, TUNNEL, UP_ORDER, Phase, Unit
from exposer.supervisor.hops import LOOKS, REPLACE, broken_hop, heard, next_look

WELL = {role: Unit(role, phase=Phase.UP, healthy=True) for role in UP_ORDER}
REACHED = Checked("u", True, True)


def lost(hop: str, *, resolvable: bool = True) -> Checked:
    return Checked("u", False, None, "why", resolvable, hop)


def with_(role: str, **changes: Any) -> dict[str, Unit]:
    return {**WELL, role: WELL[role].with_(**changes)}


@pytest.mark.parametrize(
    ("units", "checked", "hop"),
    [
        (WELL, None, ""),
        (WELL, REACHED, ""),
        (WELL, lost("edge"), "edge"),
        (WELL, lost("agent"), "agent"),
        (WELL, lost("gateway"), "gateway"),
        (WELL, lost(""), "edge"),
        (WELL, lost("edge", resolvable=False), ""),
        (with_(BACKEND, healthy=False), lost("edge"), "backend"),
        (with_(GATEWAY, phase=Phase.FAILED), lost("agent"), "gateway"),
        (with_(TUNNEL, healthy=False), lost("edge"), "agent"),
        (with_(TUNNEL, phase=Phase.STARTING), REACHED, "agent"),
    ],
)
def test_the_broken_hop_is_named(units: dict[str, Unit], checked: Checked | None, hop: str) -> None:
    assert broken_hop(units, checked) == hop


def test_looks_from_outside_grow_rarer_while_they_fail_and_are_never_rarer_than_when_they_go_well() -> None:
    assert next_look(0, 60.0) == 60.0
    assert [next_look(n, 60.0) for n in (1, 3, 4, 6, 7, 50)] == [5.0, 5.0, 10.0, 40.0, 60.0, 60.0]
    assert next_look(50, 900.0) == LOOKS[-1]
    assert next_look(1, 2.0) == 2.0


@given(st.lists(st.sampled_from(["agent", "edge", "gateway", ""]), max_size=40))
def test_only_an_agent_that_nobody_hears_is_replaced_and_ever_more_patiently(seen: list[str]) -> None:
    tunnel, replaced, now = WELL[TUNNEL], 0, 100.0
    for hop in seen:
        before = replaced
        tunnel, replaced = heard(tunnel, lost(hop) if hop else REACHED, replaced, now)
        if hop == "agent":
            assert tunnel.replace_at is not None
            assert tunnel.replace_at <= now + REPLACE[min(before, len(REPLACE) - 1)]
        else:
            assert tunnel.replace_at is None
        assert replaced == (0 if not hop else replaced)
        now += 1.0


def test_a_replaced_agent_that_stays_unheard_gets_more_time() -> None:
    tunnel, replaced = heard(WELL[TUNNEL], lost("agent"), 0, 0.0)
    assert tunnel.replace_at == REPLACE[0]
    again, replaced = heard(WELL[TUNNEL], lost("agent"), replaced, 40.0)
    assert again.replace_at == 40.0 + REPLACE[1]
    assert heard(again, REACHED, replaced, 50.0) == (WELL[TUNNEL], 0)
