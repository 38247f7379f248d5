"""Which exposure a command is about is told at a glance, and without loading the house."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from exposer.cli.find import name_at_a_glance, places
from exposer.errors import ConfigError

PLAIN = 'version = 1\nname = "notes"  # mine\n\n[backend]\nname = "other"\n'
HEAVY = ("exposer.config.model", "exposer.app", "docker", "jinja2", "requests", "cryptography", "tomllib")


@pytest.mark.parametrize("text", [PLAIN, "name='notes'"])
def test_a_plain_name_is_told_at_a_glance(text: str) -> None:
    assert name_at_a_glance(text) == "notes"


@pytest.mark.parametrize(
    "text",
    [
        '[backend]\nname = "notes"',
        '  [backend]\nname = "notes"',
        'about = """\nname = "notes"\n"""',
        "about = '''\nname = \"notes\"\n'''",
        'name = "notes"\nname = "other"',
        'name = "Notes"',
        'name = "a\\u0062c"',
        "name = \"notes'",
        '#name = "notes"',
        "",
    ],
)
def test_what_is_not_plain_is_left_to_the_parser(text: str) -> None:
    assert name_at_a_glance(text) == ""


def test_a_name_that_only_the_parser_can_read_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPOSER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("EXPOSER_RUNTIME_DIR", str(tmp_path / "run"))
    path = tmp_path / "exposer.toml"
    path.write_text('"name" = """notes"""\n[backend]\nnonsense = 1\n')
    assert places(str(path)).name == "notes"


def test_a_status_can_be_had_while_the_config_is_being_edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPOSER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("EXPOSER_RUNTIME_DIR", str(tmp_path / "run"))
    path = tmp_path / "exposer.toml"
    path.write_text('name = "notes"\n[backend\nport = ')
    assert places(str(path)).name == "notes"


def test_a_config_without_a_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "exposer.toml"
    path.write_text("version = 1\n")
    with pytest.raises(ConfigError, match="name"):
        places(str(path))


def test_a_status_loads_nothing_it_does_not_need(tmp_path: Path) -> None:
    (tmp_path / "exposer.toml").write_text(PLAIN)
    tell = (
        "import sys, exposer.__main__; sys.argv = ['exposer', 'status']; code = exposer.__main__.main(); "
        f"print(code, [name for name in {HEAVY!r} if name in sys.modules])"
    )
    env = os.environ | {
        "EXPOSER_STATE_DIR": str(tmp_path / "state"),
        "EXPOSER_RUNTIME_DIR": str(tmp_path / "run"),
        "EXPOSER_FILE": str(tmp_path / "exposer.toml"),
    }
    done = subprocess.run([sys.executable, "-c", tell], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["notes: offline", "0 []"], done.stderr
