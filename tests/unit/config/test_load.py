"""A right file becomes a Config; a wrong one tells every problem at once, with line, path and guess."""

import os
from pathlib import Path

import pytest

from exposer.config.load import find_config, load, parse
from exposer.config.model import Rate, SecretRef, UpstreamAuth
from exposer.errors import ConfigError
from tests.unit.config.reading import CONTRACT, HERE, LEAST, problem, problems

OTHER_KINDS = {
    "build": 'build = "."',
    "container": 'container = "welink"',
    "command": 'command = ["…"]',
    "url": 'url = "http://127.0.0.1:8080"',
}


def test_the_sample_of_the_contract_means_what_it_says():
    config = parse(CONTRACT, HERE)
    assert (config.name, config.engine, config.lease) == ("welink", "auto", 90.0)
    assert (config.backend.kind, config.backend.image, config.backend.port) == ("image", "…", 8080)
    assert config.backend.volumes == ("/srv/app/data:/app/data:ro",)
    assert config.backend.env == {"TOKEN": SecretRef("env", "WELINK_TOKEN")}
    assert config.backend.auth == UpstreamAuth("Authorization", SecretRef("env", "UPSTREAM"))
    assert config.backend.openapi == "/api/swagger.json"
    assert config.tunnel.provider == "cloudflared"
    assert config.limits.rate == Rate(60, 60)
    assert (config.limits.body, config.limits.egress) == (1_000_000, 50_000_000)
    assert config.schema.max_operations == 30
    assert config.audit.retain == 90 * 86400
    assert config.path == str(HERE)


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_the_sample_of_the_contract_loads_with_every_other_kind_of_backend(kind):
    text = CONTRACT.replace('image = "…" ', f"{OTHER_KINDS[kind]} ")
    assert parse(text, HERE).backend.kind == kind


def test_the_least_config_has_every_default():
    config = parse(LEAST, HERE)
    assert config.tunnel.provider == "local"
    assert config.auth.methods == ("api-key",)
    assert (config.schema.max_operations, config.schema.profile) == (30, "auto")
    assert config.notes == ()


def test_every_problem_is_told_at_once_in_the_order_of_the_file():
    text = '[backend]\nport = 0\ncommand = ["a"]\n[tunnel]\nprovider = "cloudflare"\n[limits]\nbodyy = 1\n'
    found = problems(text)
    assert found == (
        'exposer.toml:1: name: is missing, such as name = "my-api"',
        "exposer.toml:2: backend.port: should be a whole number from 1 to 65535, not 0",
        "exposer.toml:5: tunnel.provider: should be one of cloudflared, ngrok, ssh, server, local, "
        "not 'cloudflare' (did you mean 'cloudflared'?)",
        "exposer.toml:7: limits.bodyy: there is no such key (did you mean 'body'?)",
    )


def test_the_message_has_every_problem_on_a_line_and_the_hint_says_what_to_do():
    with pytest.raises(ConfigError) as caught:
        parse("", HERE)
    assert caught.value.message.splitlines()[1:] == list(caught.value.problems)
    assert caught.value.exit_code == 3
    assert "exposer config check" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name = 'x'\nport =\n", 2),
        ("a = 1\nb = 2\na = 3\n", 3),
        ('name = "x', 1),
        ("a = 1\n[b\n", 2),
        ("a = 1\n\nb = [1,\n", 3),
        ("\x00", 1),
        ("a = 1\n[a]\nb = 1\n", 2),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(text, line):
    assert problem(text).startswith(f"exposer.toml:{line}: is not valid TOML")


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "9" * 5000, "a = 2026-13-45", "a = 0x" + "f" * 5000])
def test_monstrous_toml_is_a_problem_and_no_crash(text):
    assert problems(text)


def test_a_byte_order_mark_and_line_ends_of_windows_are_fine(tmp_path):
    path = tmp_path / "exposer.toml"
    path.write_bytes(b"\xef\xbb\xbf" + LEAST.replace("\n", "\r\n").encode())
    assert load(path).name == "x"


def test_bytes_that_are_no_text_are_told_with_their_line(tmp_path):
    path = tmp_path / "exposer.toml"
    path.write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(ConfigError, match=r"exposer\.toml:2: is not UTF-8"):
        load(path)


def test_a_file_that_cannot_be_a_config_is_refused(tmp_path):
    large, pipe = tmp_path / "large.toml", tmp_path / "pipe.toml"
    large.write_bytes(b"#" * 300_000)
    os.mkfifo(pipe)
    for path in (
        large,
        pipe,
        tmp_path,
        tmp_path / "none.toml",
        Path("/proc/self/mem"),
        Path("x" * 5000),
        Path("a\0b"),
    ):
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert caught.value.hint


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A folder of its own to stand in, with no $EXPOSER_FILE."""
    monkeypatch.delenv("EXPOSER_FILE", raising=False)
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def test_the_nearest_file_going_up_is_found(nowhere):
    top = nowhere.parent.parent / "exposer.toml"
    top.touch()
    assert find_config() == top
    (nowhere / "exposer.toml").touch()
    assert find_config() == nowhere / "exposer.toml"


def test_the_named_file_comes_before_the_environments_and_that_before_the_nearest(nowhere, monkeypatch):
    for name in ("exposer.toml", "env.toml", "named.toml"):
        (nowhere / name).touch()
    monkeypatch.setenv("EXPOSER_FILE", "env.toml")
    assert find_config() == nowhere / "env.toml"
    assert find_config("named.toml") == nowhere / "named.toml"
    assert find_config(str(nowhere / "named.toml")) == nowhere / "named.toml"


def test_a_missing_file_is_told_with_what_to_do(nowhere, monkeypatch):
    with pytest.raises(ConfigError, match=r"there is no exposer\.toml") as caught:
        find_config()
    assert "-f PATH" in caught.value.hint
    with pytest.raises(ConfigError, match=r"none\.toml \(from -f\)"):
        find_config("none.toml")
    monkeypatch.setenv("EXPOSER_FILE", "gone.toml")
    with pytest.raises(ConfigError, match=r"gone\.toml \(from \$EXPOSER_FILE\)"):
        find_config()


def test_a_file_that_everybody_may_change_is_only_used_when_named(nowhere):
    path = nowhere.parent / "exposer.toml"
    path.touch()
    path.chmod(0o666)
    with pytest.raises(ConfigError, match="can be changed by everybody"):
        find_config()
    assert find_config("../exposer.toml") == path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_only_used_when_named(nowhere, monkeypatch):
    monkeypatch.delenv("SUDO_UID", raising=False)
    path = nowhere / "exposer.toml"
    path.touch()
    os.chown(path, 12345, 12345)
    with pytest.raises(ConfigError, match="belongs to another user"):
        find_config()
    assert find_config("exposer.toml") == path
    monkeypatch.setenv("SUDO_UID", "12345")
    assert find_config() == path


def test_a_folder_that_is_gone_is_no_crash(nowhere):
    nowhere.rmdir()
    with pytest.raises(ConfigError, match="folder is gone"):
        find_config()
