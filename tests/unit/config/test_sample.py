"""The repository's own exposer.toml shows every setting there is, with its true default and a comment."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from exposer.config import model
from exposer.config.load import SECTIONS, load, parse
from exposer.config.model import DERIVED
from exposer.config.show import as_dict
from exposer.config.tables import tables
from exposer.errors import ConfigError

SAMPLE = Path(__file__).parents[3] / "exposer.toml"
TEXT = SAMPLE.read_text()
SETTINGS_TEXT, _, EXAMPLES_TEXT = TEXT.partition("# ---- Other backends")
TABLES = {"": model.Config, "backend": model.Backend, "backend.auth": model.UpstreamAuth, **SECTIONS}
SETTING = re.compile(r"(#?)([a-z_]+) = (.*?)\s+# (\S.*)")


def settings_of(text):
    """(table, key) → (commented out, value, line) for each documented setting."""
    found, table = {}, ""
    for line in text.splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            table = header[1]
        elif match := SETTING.fullmatch(line):
            found[table, match[2]] = (bool(match[1]), tomllib.loads(f"x = {match[3]}")["x"], line.lstrip("#"))
    return found


DOCUMENTED = settings_of(SETTINGS_TEXT)
# What `as_dict` says of a setting that is not given.
DEFAULTS = as_dict(model.Config("", model.Backend("")))
FIELDS = [
    (table, field.name)
    for table, made in TABLES.items()
    for field in fields(made)
    if field.name not in DERIVED and not (table == "" and field.name in TABLES)
]


def default_of(table, key):
    return (DEFAULTS[table] if table else DEFAULTS)[key]


@pytest.mark.parametrize(("table", "key"), FIELDS)
def test_every_setting_stands_in_the_sample_with_a_comment(table, key):
    if table == "backend.auth":
        assert key in DOCUMENTED["backend", "auth"][1]
    else:
        assert (table, key) in DOCUMENTED


@pytest.mark.parametrize("table", TABLES)
def test_the_loader_knows_exactly_the_settings_of_the_model(table):
    inner = {name.rpartition(".")[2] for name in TABLES if name and name.rpartition(".")[0] == table}
    assert {key for where, key in FIELDS if where == table} - inner == set(tables(Path("/"))[table])


def test_every_table_of_the_loader_is_in_the_model():
    assert set(tables(Path("/"))) == set(TABLES)


def test_the_sample_has_no_setting_that_is_not_in_the_model():
    assert set(DOCUMENTED) <= set(FIELDS)


@pytest.mark.parametrize(("table", "key"), [place for place in FIELDS if place[0] != "backend.auth"])
def test_a_setting_that_has_a_default_is_shown_with_it(table, key):
    commented, value, _ = DOCUMENTED[table, key]
    default = default_of(table, key)
    if commented and default not in (None, "", [], {}) and key != "remote_port":
        assert value == default


def test_the_sample_is_what_quickstart_runs():
    config = load(SAMPLE)
    assert config.name == "sample"
    assert config.backend.command == ("python3", "scripts/sample_backend.py")
    assert config.backend.cwd == str(SAMPLE.parent)
    assert (config.backend.port, config.backend.health, config.backend.openapi) == (
        8099,
        "/health",
        "/openapi.json",
    )
    assert config.tunnel.provider == "local"
    assert config.notes == ()


def test_what_the_sample_leaves_out_is_the_default():
    written = {place for place, (commented, _, _) in DOCUMENTED.items() if not commented}
    shown = as_dict(load(SAMPLE))
    for table, key in DOCUMENTED.keys() - written:
        assert (shown[table] if table else shown)[key] == default_of(table, key)


def with_setting(table, line, tmp_path):
    """The sample with this one setting in force."""
    (tmp_path / "templates").mkdir()
    assert f"#{line}\n" in SETTINGS_TEXT
    head, start, rest = SETTINGS_TEXT.partition(f"\n[{table}]\n") if table else ("", "", SETTINGS_TEXT)
    return parse(head + start + rest.replace(f"#{line}\n", f"{line}\n", 1), tmp_path / "exposer.toml")


@pytest.mark.parametrize(("table", "key"), [place for place, (commented, *_) in DOCUMENTED.items() if commented])
def test_every_setting_of_the_sample_can_be_put_in_force(table, key, tmp_path):
    _, _, line = DOCUMENTED[table, key]
    if (table, key) in {("backend", kind) for kind in ("image", "build", "container", "url")}:
        with pytest.raises(ConfigError, match=f"exactly one of .*{key}"):
            with_setting(table, line, tmp_path)
    elif table == "tunnel" and key in ("certificate", "key"):
        with pytest.raises(ConfigError, match="belong together"):
            with_setting(table, line, tmp_path)
    elif table == "tunnel" and key in ("acme_kid", "acme_key"):
        with pytest.raises(ConfigError, match="wants both, its id and its key"):
            with_setting(table, line, tmp_path)
    elif (table, key) == ("tunnel", "standby"):
        with pytest.raises(ConfigError, match="nothing to take over from"):
            with_setting(table, line, tmp_path)
    else:
        config = with_setting(table, line, tmp_path)
        idle = f"{table}.{key}".lstrip(".") in " ".join(config.notes)
        assert idle == (
            table == "standby"
            or "no effect in this version" in line
            or line.startswith(("volumes", "internet", "memory", "pids"))
        )


EXAMPLES = re.findall(r"# ([^#\n]+:)\n((?:#[^ \n].*\n)+)", "# Other backends" + EXAMPLES_TEXT)


@pytest.mark.parametrize(("title", "block"), EXAMPLES, ids=[title for title, _ in EXAMPLES])
def test_every_example_of_another_backend_or_tunnel_loads(title, block, tmp_path):
    block = re.sub(r"(?m)^#", "", block)
    least = '[backend]\nurl = "http://127.0.0.1:1"\n' if block.startswith("[tunnel]") else ""
    config = parse(f'name = "x"\n{least}{block}', tmp_path / "exposer.toml")
    assert config.notes == ()


def test_there_is_an_example_of_every_other_backend_and_tunnel():
    text = "".join(block for _, block in EXAMPLES)
    assert all(f"\n#{kind} = " in text for kind in ("image", "build", "container", "url"))
    assert all(f'#provider = "{provider}"' in text for provider in ("cloudflared", "ngrok", "server", "ssh"))
    assert len(EXAMPLES) == 11
