"""A tunnel without any public address: its callers come by the provider's own network."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exposer.journal import Journal
from exposer.procs import Entry, Ledger
from exposer.state.facts import Documented
from exposer.state.model import BACKEND, GATEWAY, STANDBY, TUNNEL, Look, Record, Tell
from exposer.supervisor.loop import Loop
from exposer.supervisor.world import World
from tests.support.eventually import eventually


class Thing:
    """A part of no substance: there from the start on, well, with no address."""

    digest = "d"

    def __init__(self, role: str, **detail: Any) -> None:
        self.role = role
        self.detail = detail

    def start(self, record: Record, tell: Tell) -> Entry:
        entry = Entry(self.role, digest=self.digest, detail=self.detail)
        record(entry)
        return entry

    def look(self, entry: Entry) -> Look:
        return Look(alive=True, healthy=True)

    def stop(self, entry: Entry) -> None:
        pass

    def adopt(self, entries: list[Entry]) -> Entry | None:
        return None


class Rooms:
    """What the loop needs; publishing or asking from outside would be a mistake here."""

    name = "tests"
    spare = None
    check_every = 60.0

    def __init__(self, **tunnel: Any) -> None:
        self.tunnel_detail = tunnel
        self.broken = ""

    def backend(self) -> Thing:
        return Thing(BACKEND, upstream="http://127.0.0.1:1")

    def gateway(self, upstream: str, documented: Documented, now: float) -> Thing:
        return Thing(GATEWAY, listen="127.0.0.1:2")

    def tunnel(self, listen: str) -> Thing:
        return Thing(TUNNEL, **self.tunnel_detail)

    def read_document(self, upstream: str) -> Documented:
        return Documented(None, ("operation",), 1)  # type: ignore[arg-type]

    def schema_digest(self) -> str:
        return "s"

    def document_is_here(self) -> bool:
        return False

    def advice(self, now: float) -> tuple[str, ...]:
        return ()

    def trouble(self) -> str:
        return self.broken

    def stamp(self, now: float) -> str:
        return self.broken

    def networks_trouble(self) -> str:
        return ""

    def networks_due(self, now: float) -> bool:
        return False

    def announced(self) -> str:
        return ""

    def destinations(self) -> tuple[Any, ...]:
        return ()

    def sync_keys(self, now: float) -> None:
        pass

    def end(self, entry: Entry) -> None:
        pass


@pytest.fixture
def loop_of(tmp_path: Path) -> Iterator[Callable[[Any], Loop]]:
    loops: list[Loop] = []

    def make(rooms: Any) -> Loop:
        world = World(Ledger(str(tmp_path / "ledger")), lambda role, text: None)
        loops.append(Loop(rooms, world, Journal(tmp_path / "journal.db"), lambda kind, text: None, 60.0))
        return loops[-1]

    yield make
    for loop in loops:
        loop.people.close(0.1)
        loop.world.close()


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
    for _ in range(25):
        loop.cycle(0.02)
    assert all(unit.healthy for role, unit in loop.state.units.items() if role != STANDBY)
    assert loop.state.phase == "starting"
