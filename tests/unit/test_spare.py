"""What is kept of the second tunnel beside its doors."""

from pathlib import Path

import pytest

from exposer.config.load import load
from exposer.files import Places
from exposer.spare import CHOICE, Spare, forget_choice
from exposer.state.model import STANDBY

CONFIG = """
version = 1
name = "notes"
[backend]
url = "http://127.0.0.1:9"
[tunnel]
provider = "cloudflared"
standby = "cloudflared"
"""


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setenv("EXPOSER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("EXPOSER_RUNTIME_DIR", str(tmp_path / "run"))
    places = Places("notes")
    places.prepare()
    return places


@pytest.fixture
def spare(tmp_path: Path, places: Places) -> Spare:
    (tmp_path / "exposer.toml").write_text(CONFIG)
    return Spare(load(tmp_path / "exposer.toml"), places)


def test_a_choice_is_kept_privately_and_dropped(spare: Spare, places: Places) -> None:
    assert spare.chosen() == ""
    spare.choose(STANDBY)
    assert spare.chosen() == STANDBY
    assert Path(places.state, CHOICE).stat().st_mode & 0o777 == 0o600
    assert not spare.opened(), "that one is wanted opens nothing"
    spare.choose("")
    spare.choose("")
    assert spare.chosen() == ""


def test_without_a_second_tunnel_it_is_forgotten(spare: Spare, places: Places) -> None:
    spare.choose(STANDBY)
    forget_choice(places)
    forget_choice(places)
    assert spare.chosen() == ""


@pytest.mark.parametrize("data", [b"", b"stand", b"standby tunnel", b"\xff\0", b"standby\n" * 1000])
def test_a_choice_that_makes_no_sense_is_none(spare: Spare, places: Places, data: bytes) -> None:
    Path(places.state, CHOICE).write_bytes(data)
    assert spare.chosen() == ""


def test_a_link_in_its_place_is_not_followed(spare: Spare, places: Places, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(STANDBY.encode())
    Path(places.state, CHOICE).symlink_to(tmp_path / "elsewhere")
    assert spare.chosen() == ""
