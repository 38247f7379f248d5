"""The public address: what is known of it is of this one, not of the one before."""

import time
from types import SimpleNamespace
from typing import Any

from exposer.state.facts import Checked, Documented, Failed, Published
from exposer.state.model import TUNNEL, Phase, Unit
from exposer.supervisor.address import AGAIN, AddressPipeline
from exposer.supervisor.exposure import Exposure

A, B = "https://a.example", "https://b.example"


def test_a_late_look_at_the_address_before_is_not_taken_for_one_at_this_one() -> None:
    state = Exposure()
    state.url = A
    pipeline = AddressPipeline(state, None, lambda kind, text, **data: None, lambda failure: None, 60.0)  # type: ignore[arg-type]
    pipeline.take_checked(Checked(A, True, True))
    assert state.checked is not None
    state.units[TUNNEL] = Unit(TUNNEL, phase=Phase.UP, detail={"url": B})
    pipeline.follow(None, 1.0)  # type: ignore[arg-type]
    assert (state.url, state.checked) == (B, None)
    pipeline.take_checked(Checked(A, True, True))
    assert state.checked is None
    pipeline.take_checked(Checked(B, True, True))
    assert state.checked == Checked(B, True, True)


class Writing:
    """A world that begins to write documents, and ends when it is told to."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def publish(self, rooms: Any, documented: Documented, url: str) -> None:
        self.begun.append(rooms.schema_digest())


def test_one_document_is_written_at_a_time_so_the_last_one_is_the_one_that_stays() -> None:
    state, world = Exposure(), Writing()
    state.units[TUNNEL] = Unit(TUNNEL, phase=Phase.UP, detail={"url": A})
    state.documented = Documented(None, (), 0)
    pipeline = AddressPipeline(state, world, lambda kind, text, **data: None, lambda failure: None, 60.0)  # type: ignore[arg-type]
    old, new = (SimpleNamespace(schema_digest=lambda name=name: name) for name in ("old", "new"))
    pipeline.follow(old, 1.0)  # type: ignore[arg-type]
    pipeline.begin_anew(60.0)
    pipeline.follow(new, 2.0)  # type: ignore[arg-type]
    assert world.begun == ["old"]
    pipeline.take_published(Published(SimpleNamespace(digest="1"), A))  # type: ignore[arg-type]
    pipeline.follow(new, 3.0)  # type: ignore[arg-type]
    assert world.begun == ["old", "new"]
    pipeline.take_unpublished(Failed("publish", "no room"))
    pipeline.follow(new, time.monotonic() + AGAIN)  # type: ignore[arg-type]
    assert world.begun == ["old", "new", "new"]
