import json
import stat
from pathlib import Path

import pytest

from exposer.openapi.shelf import Kept, Shelf, names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "schema"
    made.mkdir(mode=0o700)
    return made


def there(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def test_every_pack_has_a_file_and_those_no_longer_needed_go(folder: Path) -> None:
    shelf = Shelf(str(folder))
    shelf.publish("gpt-action", ("one", "two", "three"))
    assert there(folder) == sorted(names(3)) == ["openapi.2.json", "openapi.3.json", "openapi.json"]
    assert (folder / "openapi.2.json").read_text() == "two"
    (folder / "notes.txt").write_text("mine")
    shelf.publish("gpt-action", ("one",))
    assert there(folder) == ["notes.txt", "openapi.json"]


def test_a_file_that_somebody_removed_is_written_again(folder: Path) -> None:
    shelf = Shelf(str(folder))
    shelf.publish("mcp", ("one",))
    (folder / "openapi.json").unlink()
    shelf.publish("mcp", ("one",))
    assert (folder / "openapi.json").read_text() == "one"


def test_all_is_private(folder: Path) -> None:
    shelf = Shelf(str(folder))
    shelf.publish("mcp", ("one",))
    shelf.take("mcp", ("one",))
    for path in folder.rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077


def test_nothing_was_published_at_first(folder: Path) -> None:
    assert Shelf(str(folder / "none")).last("mcp", ("a",)) == ("nothing", None)


def test_what_was_taken_away_is_what_the_client_has(folder: Path) -> None:
    shelf = Shelf(str(folder))
    shelf.publish("mcp", ("one",))
    shelf.take("mcp", ("one",))
    shelf.publish("mcp", ("two",))
    shelf.publish("mcp", ("three",))
    assert shelf.last("mcp", ("three",)) == ("taken", Kept("mcp", ("one",)))
    assert shelf.last("openapi", ("three",)) == ("nothing", None)


def test_when_nothing_was_taken_away_it_is_what_was_published_before(folder: Path) -> None:
    shelf = Shelf(str(folder))
    shelf.publish("mcp", ("one",))
    assert shelf.last("mcp", ("one",)) == ("published", Kept("mcp", ("one",)))
    assert shelf.last("mcp", ("changed while offline",)) == ("published", Kept("mcp", ("one",)))
    shelf.publish("mcp", ("two",))
    assert shelf.last("mcp", ("two",)) == ("published", Kept("mcp", ("one",)))
    shelf.publish("mcp", ("two",))
    assert shelf.last("mcp", ("two",)) == ("published", Kept("mcp", ("one",)))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"client": "mcp"}', '{"client": "mcp", "packs": 3}'])
def test_a_damaged_memory_is_no_error(folder: Path, text: str) -> None:
    shelf = Shelf(str(folder))
    shelf.publish("mcp", ("one",))
    (folder / "published" / "current.json").write_text(text)
    assert shelf.current() is None
    shelf.publish("mcp", ("two",))
    assert json.loads((folder / "published" / "current.json").read_text()) == {"client": "mcp", "packs": ["two"]}
