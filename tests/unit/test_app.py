"""What a house knows of its exposure holds whatever other threads ask of it meanwhile."""

import time
from pathlib import Path
from typing import Any

import pytest

from exposer.app import House
from exposer.config.model import Backend, Config
from exposer.files import Places
from exposer.keys.ring import mint


class Disturbed(House):
    """Another thread, which has read the keys a moment sooner, remembers them right after this one."""

    sooner: Any = None

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "_ring" and self.sooner is not None:
            super().__setattr__(name, self.sooner)


def test_the_keys_are_those_that_were_just_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPOSER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("EXPOSER_RUNTIME_DIR", str(tmp_path / "run"))
    places = Places("one")
    places.prepare()
    house = Disturbed(Config("one", Backend("url", url="http://127.0.0.1:9")), places, "process")
    for label in ("first", "second"):
        house.store.change(lambda ring, label=label: (mint(ring, label, time.time())[0], None))  # type: ignore[misc]
        assert [key.label for key in house.ring().keys][-1] == label
        house.sooner = (house.store.stamp(), house.store.read())
    house.store.path.write_bytes(b"torn")
    assert house.ring().keys == ()
    assert "torn" in house.trouble()
