"""What an engine gets to see of a folder that an image is built of."""

import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from exposer.engine.context import context
from exposer.errors import ExposerError


def names(folder: Path, *without: Path) -> set[str]:
    with context(str(folder), [str(path) for path in without]) as sent, tarfile.open(fileobj=sent) as tar:
        return {member.name for member in tar if not member.isdir()}


def made(folder: Path, *files: str) -> Path:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_all_of_a_folder_is_sent(tmp_path: Path) -> None:
    assert names(made(tmp_path, "Dockerfile", "a/b.txt")) == {"Dockerfile", "a/b.txt"}


def test_what_its_ignore_file_names_is_not_sent(tmp_path: Path) -> None:
    made(tmp_path, "Dockerfile", "a/b.log", "a/c.txt", "keep.log")
    (tmp_path / ".dockerignore").write_text("# logs\n\n**/*.log\n!keep.log\n")
    assert names(tmp_path) == {"Dockerfile", "a/c.txt", "keep.log", ".dockerignore"}


def test_folders_that_are_ours_are_not_sent(tmp_path: Path) -> None:
    made(tmp_path, "Dockerfile", "run/x/guard.ready", "state/x/keys", "state-of-things.txt")
    assert names(tmp_path, tmp_path / "run", tmp_path / "state") == {"Dockerfile", "state-of-things.txt"}


def test_nothing_is_left_out_for_folders_that_lie_elsewhere(tmp_path: Path) -> None:
    folder = made(tmp_path / "app", "Dockerfile", "state/x")
    assert names(folder, tmp_path / "state", tmp_path) == {"Dockerfile", "state/x"}


def test_a_symlink_to_our_folder_does_not_bring_it_in(tmp_path: Path) -> None:
    folder = made(tmp_path / "app", "Dockerfile", "state/keys")
    (tmp_path / "way").symlink_to(folder / "state")
    assert names(folder, tmp_path / "way") == {"Dockerfile"}


def with_a_file_that_is_gone(times: int) -> Callable[..., Iterable[str]]:
    left = [times]

    def listed(root: str, *_: object, **__: object) -> Iterable[str]:
        left[0] -= 1
        return {"Dockerfile"} | ({"gone.new"} if left[0] >= 0 else set())

    return listed


def test_a_file_that_goes_away_meanwhile_is_not_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("docker.utils.build.exclude_paths", with_a_file_that_is_gone(2))
    assert names(made(tmp_path, "Dockerfile")) == {"Dockerfile"}


def test_a_folder_that_is_never_still_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("docker.utils.build.exclude_paths", with_a_file_that_is_gone(1000))
    with pytest.raises(ExposerError, match=r"cannot be read to build an image of it.*gone\.new"):
        names(made(tmp_path, "Dockerfile"))


def test_an_ignore_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    made(tmp_path, "Dockerfile")
    (tmp_path / ".dockerignore").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ExposerError, match=r"\.dockerignore cannot be read"):
        names(tmp_path)
