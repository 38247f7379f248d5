"""A key that was ended is looked for at the gateway, also while that takes other changes over."""

import threading
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from exposer.cli import force
from exposer.cli.show import Settings
from exposer.files import Places
from exposer.gateway import folder as place


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    """One whose ring lets nobody in."""
    monkeypatch.setenv("EXPOSER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("EXPOSER_RUNTIME_DIR", str(tmp_path / "run"))
    places = Places("one")
    places.prepare()
    place.prepare(Path(places.runtime, "gateway"), None)
    settings = Settings()
    settings.file = str(tmp_path / "none.toml")
    with click.Context(click.Command("revoke"), obj=settings):
        yield places


def test_a_reload_that_puts_a_file_back_for_a_moment_is_no_failure(found: Places) -> None:
    there, go_on = threading.Event(), threading.Event()

    def passing() -> tuple[str, ...]:
        """What the ring lets in; it is asked after the file was made."""
        there.set()
        assert go_on.wait(60)
        return ()

    def reload() -> None:
        place.fill(Path(found.runtime, "gateway"), {"abcd1234"}, passing=passing)

    reloading = threading.Thread(target=reload)
    reloading.start()
    try:
        assert there.wait(30)
        force._insist(found, ["abcd1234"])
    finally:
        go_on.set()
        reloading.join()
    assert place.valid(Path(found.runtime, "gateway")) == frozenset()


def test_a_file_that_stays_is_said(found: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(force, "GONE_WITHIN", 0.1)
    monkeypatch.setattr(force, "withdraw", lambda found: None)
    place.fill(Path(found.runtime, "gateway"), {"abcd1234", "other567"})
    with pytest.raises(force.StillValidError, match="still knows abcd1234") as caught:
        force._insist(found, ["abcd1234"])
    assert caught.value.exit_code == 8
