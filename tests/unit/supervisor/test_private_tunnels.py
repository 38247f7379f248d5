"""A tunnel without any public address: its callers come by the provider's own network."""

from collections.abc import Callable
from typing import Any

from exposer.state.model import STANDBY
from exposer.supervisor.loop import Loop
from tests.support.eventually import eventually
from tests.support.rooms import Rooms


def phase_after_a_while(loop: Loop, wanted: str) -> bool:
    loop.cycle(0.02)
    return loop.state.phase == wanted


def test_it_is_online_without_ever_having_an_address(loop_of: Callable[[Any], Loop]) -> None:
    loop = loop_of(Rooms(public=False))
    eventually(lambda: phase_after_a_while(loop, "online"), within=20)
    assert loop.state.url == ""
    assert loop.state.published is None


def test_keys_that_cannot_be_read_count_there_too(loop_of: Callable[[Any], Loop]) -> None:
    rooms = Rooms(public=False)
    loop = loop_of(rooms)
    eventually(lambda: phase_after_a_while(loop, "online"), within=20)
    rooms.broken = "the ring is torn"
    eventually(lambda: phase_after_a_while(loop, "degraded"), within=20)


def test_a_tunnel_that_only_has_no_address_yet_is_not_online(loop_of: Callable[[Any], Loop]) -> None:
    loop = loop_of(Rooms())

    def well() -> bool:
        loop.cycle(0.02)
        return all(unit.healthy for role, unit in loop.state.units.items() if role != STANDBY)

    eventually(well)
    loop.cycle(0.02)
    assert loop.state.phase == "starting"
