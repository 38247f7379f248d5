"""What is noticed of parts that end by themselves."""

from pathlib import Path
from typing import Any

from exposer.procs import Entry, Ledger, ProcessId
from exposer.state.model import TUNNEL
from exposer.supervisor.world import World


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
