"""Who is told of a new address, and that whoever acts on it ends with the right one."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exposer.errors import ExposerError
from exposer.procs import Entry, Ledger
from exposer.state.facts import Announced, Published
from exposer.supervisor.announce import Announcer
from exposer.supervisor.exposure import Exposure
from exposer.supervisor.world import World
from tests.support.eventually import eventually

A, B = "https://a.example", "https://b.example"


class Rooms:
    """A hook that acts on what it is told, and for some addresses fails after that, once `time` has come."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.fails: set[str] = set()
        self.time = threading.Event()
        self.time.set()

    def announced(self) -> str:
        return ""

    def end(self, entry: Entry) -> None:
        pass

    def announce(self, url: str, before: str, record: Any) -> None:
        self.told.append(url)
        self.time.wait()
        if url in self.fails:
            raise ExposerError("the hook ended with code 1")


class Scene:
    def __init__(self, folder: Path) -> None:
        self.rooms = Rooms()
        self.state = Exposure()
        self.world = World(Ledger(str(folder / "ledger")), lambda role, text: None)
        self.announcer = Announcer(self.state, self.world, self._note, self._note)
        self.noted: list[str] = []

    def _note(self, kind: str, text: str, **data: object) -> None:
        self.noted.append(kind)

    def address(self, url: str, *, told: tuple[str, ...]) -> None:
        """The address is this one now, and its document stands; `told` is what the hook has heard by then."""
        self.state.url, self.state.published = url, Published(None, url)  # type: ignore[arg-type]
        self.announcer.follow(self.rooms, LATE)  # type: ignore[arg-type]
        eventually(lambda: self.rooms.told == list(told))

    def settle(self) -> None:
        """What has come of the hook is heard."""

        def heard() -> bool:
            facts = self.world.inbox.facts(0.05, calm=False)
            for fact in facts:
                assert isinstance(fact, Announced)
                self.announcer.take(fact)
            return bool(facts)

        eventually(heard)


# After every wait that a flapping address is put on, and before the end of all time.
LATE = 1e12


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.rooms.time.set()
    made.world.close()


def test_an_address_is_announced_once(scene: Scene) -> None:
    scene.address(A, told=(A,))
    scene.settle()
    scene.address(A, told=(A,))
    scene.address(B, told=(A, B))
    scene.settle()
    scene.address(A, told=(A, B, A))


def test_the_address_before_is_announced_again_when_the_hook_has_failed_for_another_one(scene: Scene) -> None:
    scene.address(A, told=(A,))
    scene.settle()
    scene.rooms.fails.add(B)  # and yet it may have changed the DNS before
    scene.address(B, told=(A, B))
    scene.settle()
    scene.address(A, told=(A, B, A))
    scene.settle()
    scene.address(A, told=(A, B, A))


def test_an_address_that_comes_while_the_hook_fails_for_another_is_announced_all_the_same(scene: Scene) -> None:
    scene.rooms.fails.add(A)
    scene.rooms.time.clear()
    scene.address(A, told=(A,))
    scene.address(B, told=(A,))
    scene.rooms.time.set()
    scene.settle()
    assert "hook-failed" in scene.noted
    scene.address(B, told=(A, B))
