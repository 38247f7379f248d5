from pathlib import Path

import pytest

from exposer import files
from exposer.gateway import folder


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "run" / "gateway"
    folder.prepare(place, None)
    return place


def live(place: Path) -> list[str]:
    return files.names_in(str(place / "live"))


def test_the_folder_and_all_in_it_is_ours_alone(place: Path) -> None:
    folder.write(place, {"nginx.conf": "a", "htpasswd.0": "b"})
    folder.fill(place, {"aaaaaaaa"})
    for path in (place, *place.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0


def test_draining_holds_what_was_live(place: Path) -> None:
    folder.fill(place, {"aaaaaaaa", "bbbbbbbb"})
    assert folder.drain(place) == {"aaaaaaaa", "bbbbbbbb"}
    assert live(place) == []
    assert folder.valid(place) == {"aaaaaaaa", "bbbbbbbb"}


def test_filling_ends_draining(place: Path) -> None:
    folder.fill(place, {"aaaaaaaa"})
    drained = folder.drain(place)
    folder.fill(place, {"aaaaaaaa", "cccccccc"}, drained)
    assert live(place) == ["aaaaaaaa", "cccccccc"]
    assert not (place / "draining").exists()


def test_what_was_withdrawn_while_draining_stays_out(place: Path) -> None:
    folder.fill(place, {"aaaaaaaa", "bbbbbbbb"})
    drained = folder.drain(place)
    folder.revoke(place, "bbbbbbbb")
    folder.fill(place, {"aaaaaaaa", "bbbbbbbb"}, drained)
    assert live(place) == ["aaaaaaaa"]


def test_when_all_keys_were_taken_away_while_draining_none_comes_back(place: Path) -> None:
    folder.fill(place, {"aaaaaaaa"})
    drained = folder.drain(place)
    (place / "draining").rename(place / "draining.off")  # what a panic does
    folder.fill(place, {"aaaaaaaa"}, drained)
    assert live(place) == []


def test_the_ring_has_the_last_word(place: Path) -> None:
    folder.fill(place, {"aaaaaaaa", "bbbbbbbb"}, passing=lambda: {"bbbbbbbb", "zzzzzzzz"})
    assert live(place) == ["bbbbbbbb"]


def test_syncing_never_adds(place: Path) -> None:
    folder.fill(place, {"aaaaaaaa"})
    folder.sync_live(str(place), ["aaaaaaaa", "bbbbbbbb"])
    assert live(place) == ["aaaaaaaa"]
    folder.sync_live(place, [])
    assert live(place) == []


def test_revoking_is_safe_where_there_is_nothing(tmp_path: Path) -> None:
    folder.revoke(tmp_path / "nowhere", "aaaaaaaa")
    folder.sync_live(tmp_path / "nowhere", [])


def test_draining_twice_keeps_the_keys(place: Path) -> None:
    folder.fill(place, {"aaaaaaaa"})
    folder.drain(place)
    assert folder.drain(place) == {"aaaaaaaa"}


def test_a_stage_is_gone_afterwards_even_after_an_error(place: Path) -> None:
    def fail_inside() -> None:
        with folder.stage(place, {"nginx.conf": "x"}) as stage:
            assert (stage / "nginx.conf").read_text() == "x"
            assert stage.stat().st_mode & 0o077 == 0
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_inside()
    assert [path.name for path in place.parent.iterdir()] == ["gateway"]
