"""Loops over rooms of a test's own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exposer.journal import Journal
from exposer.procs import Ledger
from exposer.supervisor.loop import Loop
from exposer.supervisor.world import World


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
