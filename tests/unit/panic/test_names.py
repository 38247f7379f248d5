"""Which exposures the kill switch is about: all of this user's, and the one whose config is at hand."""

import os
import threading
from pathlib import Path

import pytest

from exposer import files
from exposer.panic import names
from exposer.panic.options import Options


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXPOSER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("EXPOSER_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.delenv("EXPOSER_FILE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_exposure_that_left_a_trace_is_meant(here: Path) -> None:
    (here / "state" / "old").mkdir(parents=True)
    (here / "run" / "new").mkdir(parents=True)
    assert sorted(names(Options([]))) == ["new", "old"]
    assert names(Options(["--name", "old"])) == ["old"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('version = 1\nname = "we-link"  # mine\n[backend]\n', "we-link"),
        ("name='one'", "one"),
        ('[backend]\nname = "not-this-one"\n', ""),
        ('name = "../../etc"', ""),
        ('name = "Big"', ""),
        ("name = ", ""),
        ("name = \x00\xff", ""),
        ("this is = = [no toml\nname = 'still'", "still"),
        ("", ""),
    ],
)
def test_a_config_at_hand_is_glanced_at_and_may_be_broken(here: Path, text: str, name: str) -> None:
    (here / "exposer.toml").write_text(text, encoding="latin-1")
    (here / "else.toml").write_text('name = "else"')
    assert names(Options([])) == ([name] if name else [])
    assert names(Options(["-f", "else.toml"])) == ["else"]


def test_a_config_that_names_a_known_exposure_names_it_once(here: Path) -> None:
    (here / "state" / "one").mkdir(parents=True)
    (here / "exposer.toml").write_text('name = "one"')
    assert names(Options([])) == ["one"]


def test_a_config_in_the_environment_is_found(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "x.toml").write_text('name = "far"')
    monkeypatch.setenv("EXPOSER_FILE", str(here / "x.toml"))
    assert names(Options([])) == ["far"]


@pytest.mark.parametrize("kind", ["folder", "dangling", "absent", "binary"])
def test_whatever_is_in_the_configs_place_is_survived(here: Path, kind: str) -> None:
    path = here / "exposer.toml"
    if kind == "folder":
        path.mkdir()
    elif kind == "dangling":
        path.symlink_to("nowhere")
    elif kind == "binary":
        path.write_bytes(os.urandom(100_000))
    (here / "state" / "one").mkdir(parents=True)
    assert "one" in names(Options([]))


@pytest.mark.parametrize("root", ["state", "run"])
@pytest.mark.parametrize("how", ["hangs", "surprise"])
def test_a_folder_that_does_not_tell_hides_nothing_of_the_other(
    here: Path, monkeypatch: pytest.MonkeyPatch, root: str, how: str
) -> None:
    (here / "exposer.toml").write_text('name = "hinted"')
    (here / "state" / "stored").mkdir(parents=True)
    (here / "run" / "runs").mkdir(parents=True)
    released = threading.Event()
    looked = files.names_in

    def look(path: str) -> list[str]:
        if path == str(here / root):
            if how == "surprise":
                raise RuntimeError("a surprise")
            released.wait(30)
        return list(looked(path))

    monkeypatch.setattr(files, "names_in", look)
    try:
        assert names(Options([])) == ["runs" if root == "state" else "stored", "hinted"]
    finally:
        released.set()
