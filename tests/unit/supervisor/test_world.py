"""What is noticed of parts that end by themselves, and what is done to parts at the same time."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exposer.errors import ExposerError, SelfTestError
from exposer.procs import Entry, Ledger, ProcessId
from exposer.state.facts import Failed, SelfTested, Started
from exposer.state.lifecycle import advance
from exposer.state.model import GATEWAY, TUNNEL, Look, Record, Tell, Unit
from exposer.state.plan import Reload, Start
from exposer.supervisor.proving import AGAIN, insist, steadily
from exposer.supervisor.turns import Turns
from exposer.supervisor.verdict import fails_fast
from exposer.supervisor.workers import failed
from exposer.supervisor.world import World
from tests.support.eventually import eventually
from tests.support.rooms import Rooms, Thing


class SeenElsewhere(ProcessId):
    """A process whose end a look in a worker notices at the very moment when the loop asks for it."""

    __slots__ = ("world",)

    def alive(self) -> bool:
        self.world.entries.pop(TUNNEL, None)
        return False


def test_an_end_that_a_look_notices_at_the_same_moment_is_noticed_once(tmp_path: Path) -> None:
    world: Any = World(Ledger(str(tmp_path / "ledger")), lambda role, text: None)
    process = SeenElsewhere(4711, "1", "boot")
    process.world = world
    world.entries[TUNNEL] = Entry(TUNNEL, process)
    world.observe()
    assert world.entries == {}
    assert world.inbox.empty()
    world.close()


class Changing(Thing):
    """A gateway whose reload takes as long as it is told to; what is done to it is written down."""

    def __init__(self) -> None:
        super().__init__(GATEWAY, listen="127.0.0.1:1")
        self.shape = "s"
        self.began, self.may_end = threading.Event(), threading.Event()
        self.done: list[str] = []

    def start(self, record: Record, tell: Tell) -> Entry:
        self.done.append("started")
        return super().start(record, tell)

    def reload(self, entry: Entry, record: Record, tell: Tell) -> Entry:
        self.began.set()
        assert self.may_end.wait(30)
        self.done.append("rolled back")
        raise ExposerError("nginx has ended")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(Ledger(str(tmp_path / "ledger")), lambda role, text: None)
    yield world
    world.close(30)


def test_what_dies_while_it_is_changed_is_started_when_the_change_has_an_end(world: World) -> None:
    part: Any = Changing()
    world.entries[GATEWAY], world.parts[GATEWAY] = Entry(GATEWAY), part
    world.perform(Reload(GATEWAY, "new"), part, Rooms(), "")  # type: ignore[arg-type]
    assert part.began.wait(30)
    world.entries.pop(GATEWAY)  # its process has ended
    world.perform(Start(GATEWAY, "new"), part, Rooms(), "")  # type: ignore[arg-type]
    assert part.done == []
    part.may_end.set()
    facts = [world.inbox.get(timeout=30), world.inbox.get(timeout=30)]
    assert [type(fact) for fact in facts] == [Failed, Started]
    assert part.done == ["rolled back", "started"]


def test_a_change_to_what_has_ended_meanwhile_is_refused_in_plain_words(world: World) -> None:
    part: Any = Changing()
    world.perform(Reload(GATEWAY, "new"), part, Rooms(), "")  # type: ignore[arg-type]
    told = world.inbox.get(timeout=30)
    assert isinstance(told, Failed)
    assert (told.error, told.keeps) == ("the gateway has ended", True)


def test_a_slow_look_at_the_one_before_does_not_lose_the_one_that_runs_now(world: World) -> None:
    class Gone(Thing):
        def look(self, entry: Entry) -> Look:
            world.entries[TUNNEL] = new
            return Look(alive=False)

    new = Entry(TUNNEL, digest="new")
    world.entries[TUNNEL], world.parts[TUNNEL] = Entry(TUNNEL, digest="old"), Gone(TUNNEL)
    assert world._look(TUNNEL) is None
    assert world.entries[TUNNEL] is new


def test_a_start_is_cut_short_once_at_a_time(world: World) -> None:
    class Slow(Rooms):
        def __init__(self) -> None:
            super().__init__()
            self.began, self.may_end, self.times = threading.Event(), threading.Event(), 0

        def end(self, entry: Entry) -> None:
            self.times += 1
            self.began.set()
            assert self.may_end.wait(30)

    rooms: Any = Slow()
    world.ledger.append(Entry(TUNNEL))
    world.cancel(TUNNEL, rooms)
    assert rooms.began.wait(30)
    for _ in range(20):
        world.cancel(TUNNEL, rooms)
    assert rooms.times == 1
    rooms.may_end.set()
    eventually(lambda: world._cancelled == set(), within=30)
    world.cancel(TUNNEL, rooms)
    eventually(lambda: rooms.times == 2, within=30)


def test_what_runs_is_ended_though_the_ledger_cannot_be_read(world: World) -> None:
    ended: list[Entry] = []

    class Part(Thing):
        def stop(self, entry: Entry) -> None:
            ended.append(entry)

    entry = Entry(TUNNEL)
    world.entries[TUNNEL], world.parts[TUNNEL] = entry, Part(TUNNEL)
    world._stop(TUNNEL)
    assert ended == [entry]


def test_a_hole_ends_the_start_for_good_and_trouble_that_may_pass_only_the_first() -> None:
    with pytest.raises(SelfTestError) as hole:
        insist(SelfTested(hole="GET / was answered"))
    with pytest.raises(SelfTestError) as trouble:
        insist(SelfTested(trouble="the gateway was being changed all the time"))
    assert (hole.value.fatal, trouble.value.fatal) == (True, False)
    assert fails_fast(failed(TUNNEL, trouble.value, keeps=False))
    after = advance(Unit(TUNNEL), failed(TUNNEL, trouble.value, keeps=False), 100.0)
    assert after.retry_at < 200.0
    assert advance(Unit(TUNNEL), failed(TUNNEL, hole.value, keeps=False), 100.0).retry_at == float("inf")


def test_a_change_of_the_gateway_is_waited_for_before_it_is_tested() -> None:
    turns = Turns([GATEWAY])
    began, may_end = threading.Event(), threading.Event()

    def change() -> None:
        began.set()
        assert may_end.wait(30)

    thread = threading.Thread(target=turns.take(GATEWAY, change))
    thread.start()
    assert began.wait(30)
    threading.Timer(4 * AGAIN, may_end.set).start()  # longer than all tries together would take
    assert steadily({}, {}, turns, opened=False).ok
    assert turns.count(GATEWAY) == 2
    thread.join()
