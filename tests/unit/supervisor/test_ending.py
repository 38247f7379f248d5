"""An exposure comes down, whatever is being started just then."""

import threading
import time
from collections.abc import Callable
from typing import Any

from exposer.errors import ExposerError
from exposer.procs import Entry
from exposer.state.model import TUNNEL, Record, Tell
from exposer.supervisor.loop import Loop
from tests.support.eventually import eventually
from tests.support.rooms import Rooms, Thing

SLOW, LONG = 0.7, 60.0


class Slow(Thing):
    """A tunnel that is on record late, and then needs long, unless it is ended."""

    def __init__(self, scene: "Scene") -> None:
        super().__init__(TUNNEL, public=False)
        self.scene = scene

    def start(self, record: Record, tell: Tell) -> Entry:
        self.scene.begun.set()
        time.sleep(SLOW)
        super().start(record, tell)
        if self.scene.ended.wait(LONG):
            raise ExposerError("it was ended")
        raise AssertionError("nobody has ended it")


class Scene(Rooms):
    def __init__(self) -> None:
        super().__init__(public=False)
        self.begun, self.ended = threading.Event(), threading.Event()

    def tunnel(self, listen: str) -> Thing:
        return Slow(self)

    def end(self, entry: Entry) -> None:
        if entry.role == TUNNEL:
            self.ended.set()


def test_a_start_that_is_on_record_only_later_is_cut_short_too(loop_of: Callable[[Any], Loop]) -> None:
    scene = Scene()
    loop = loop_of(scene)

    def turned(reached: Callable[[], bool]) -> Callable[[], bool]:
        def one() -> bool:
            loop.cycle(0.02)
            return reached()

        return one

    eventually(turned(scene.begun.is_set), within=30)
    loop.stop()
    eventually(turned(lambda: loop.finished), within=30)
    assert scene.ended.is_set()
