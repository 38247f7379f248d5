"""The lists of callers' networks, kept fresh while the loop goes on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exposer.gateway.ranges import AGAIN, DAY, Ranges
from exposer.procs import Ledger
from exposer.state.facts import Fact
from exposer.supervisor.exposure import Exposure
from exposer.supervisor.networks import NetworkLists
from exposer.supervisor.world import World
from tests.unit.gateway.test_ranges import NOW, Publisher, text_of


class Scene:
    """What the loop does with the lists, and what it is told."""

    def __init__(self, folder: Path, publisher: Publisher) -> None:
        self.ranges = Ranges(folder, ("openai",), publisher.sources)
        self.state = Exposure()
        self.world = World(Ledger(str(folder / "ledger")), lambda role, text: None)
        self.told: list[str] = []
        self.lists = NetworkLists(self.state, self.world, lambda kind, text: self.told.append(text))

    def networks_trouble(self) -> str:
        return self.ranges.trouble()

    def networks_due(self, now: float) -> bool:
        return self.ranges.due(now)

    def renew_networks(self, now: float) -> str:
        return self.ranges.refresh(now)

    def follow(self, now: float) -> None:
        rooms: Any = self
        self.lists.follow(rooms, now)

    def fact(self) -> Fact | None:
        return self.world.inbox.get(timeout=20)

    def cycle(self, now: float) -> None:
        """One look that finds a list due, and the next after it was read."""
        self.follow(now)
        fact: Any = self.fact()
        self.lists.take(fact)
        self.follow(now)


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    made = Publisher()
    yield made
    made.close()


@pytest.fixture
def scene(tmp_path: Path, publisher: Publisher) -> Iterator[Scene]:
    made = Scene(tmp_path, publisher)
    yield made
    made.world.close()


def test_until_the_first_list_is_there_it_is_said_that_nobody_gets_in(scene: Scene, publisher: Publisher) -> None:
    publisher.status = 503
    scene.cycle(NOW)
    assert "nobody from openai gets in" in scene.state.networks
    assert any("503" in line for line in scene.told)
    publisher.status = 200
    scene.cycle(NOW + AGAIN)
    assert scene.state.networks == ""
    assert scene.ranges.networks() != ()


def test_it_is_read_by_one_worker_at_a_time_and_the_same_trouble_is_told_once(
    scene: Scene, publisher: Publisher
) -> None:
    scene.cycle(NOW)
    publisher.text = text_of("0.0.0.0/0")
    before = len(scene.told)
    for turn in range(3):
        scene.cycle(NOW + DAY + turn * AGAIN)
    assert len(scene.told) == before + 1
    assert "stays in force" in scene.told[-1]
    assert scene.state.networks == ""
    asked = publisher.asked
    scene.follow(NOW + 2 * DAY)
    scene.follow(NOW + 2 * DAY)
    fact: Any = scene.fact()
    scene.lists.take(fact)
    assert publisher.asked == asked + 1
