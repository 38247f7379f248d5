"""Files of the user's own, as they are while an editor is at them."""

from pathlib import Path

import pytest

from exposer.config import own


def test_a_folder_is_named_by_all_that_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "nginx").mkdir()
    (tmp_path / "nginx" / "a.j2").write_text("a")
    first = own.folder_digest(str(tmp_path))
    assert first == own.folder_digest(str(tmp_path))
    (tmp_path / "nginx" / "a.j2").write_text("b")
    second = own.folder_digest(str(tmp_path))
    (tmp_path / "nginx" / "a.j2").rename(tmp_path / "nginx" / "b.j2")
    third = own.folder_digest(str(tmp_path))
    assert len({first, second, third, own.folder_digest("")}) == 4


def test_a_file_that_goes_while_it_is_looked_at_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.j2").write_text("a")
    without = own.folder_digest(str(tmp_path))
    (tmp_path / "4913").write_text("an editor tries whether it may write here")
    read = Path.read_bytes

    def read_too_late(path: Path) -> bytes:
        if path.name == "4913":
            path.unlink()
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_too_late)
    assert own.folder_digest(str(tmp_path)) == without


def test_a_folder_that_goes_while_it_is_looked_at_is_not_there(tmp_path: Path) -> None:
    assert own.folder_digest(str(tmp_path / "gone")) == own.folder_digest(str(tmp_path))
