"""A backend's start that is under way before anybody asks for it, with the real engine."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from exposer import procs
from exposer.backends.early import Early
from exposer.engine import client as engine
from exposer.errors import ExposerError
from exposer.procs import Entry
from tests.support import images
from tests.support.backends import Stage, engine_runs, left_over

pytestmark = [pytest.mark.docker, pytest.mark.skipif(not engine_runs(), reason="no running Docker engine")]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("EXPOSER_STATE_DIR", str(tmp_path / "state"))
    stage = Stage(tmp_path)
    try:
        yield stage
    finally:
        engine.remove_all(stage.name)


def test_who_comes_for_it_gets_what_a_start_gives_and_undoing_it_is_too_late(stage: Stage) -> None:
    part = stage.part(kind="image", image=images.server_image())
    early = Early(part, stage.ledger.append)
    entry = early.finish(stage.told.append)
    assert part.look(entry).healthy is True
    assert [found.role for found in stage.ledger].count("backend") == 2  # before it ran, and with who runs
    early.undo()
    assert part.look(entry).healthy is True
    assert any("waiting until it is healthy" in text for text in stage.told)
    part.stop(entry)
    assert left_over(stage.name) == []


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.15, 0.4, 3.0])
def test_at_whatever_moment_it_is_undone_nothing_is_left(stage: Stage, moment: float) -> None:
    early = Early(stage.part(kind="image", image=images.server_image()), stage.ledger.append)
    procs.pause(moment)
    early.undo()
    assert left_over(stage.name) == []


def test_a_start_that_fails_fails_for_who_comes_for_it(stage: Stage) -> None:
    early = Early(stage.part(kind="image", image=f"nowhere.invalid/{os.urandom(4).hex()}"), stage.ledger.append)
    with pytest.raises(ExposerError, match=r"nowhere\.invalid"):
        early.finish(stage.told.append)
    assert left_over(stage.name) == []


def test_what_cannot_be_put_on_record_is_not_started(stage: Stage) -> None:
    def refuse(entry: Entry) -> None:
        raise OSError(28, "No space left on device")

    early = Early(stage.part(kind="image", image=images.server_image()), refuse)
    with pytest.raises(OSError, match="No space"):
        early.finish(stage.told.append)
    assert left_over(stage.name) == []
