"""A config is shown in the file's own words, and its digest changes with its meaning only."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from enum import Enum
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exposer.config.leaks import secret_like, secret_name
from exposer.config.load import parse
from exposer.config.model import Backend, Config, Limits, Rate, SecretRef
from exposer.config.show import as_dict, as_toml, digest
from exposer.secret import Secret

HERE = Path("/srv/app/exposer.toml")
FULL = """
name = "x"
lease = "2m"
[backend]
image = "i"
port = 80
volumes = ["./d:/d:ro", "cache:/c"]
env = { LEVEL = "in\\"fo\\u007f\\n$", TOKEN = "env:T", KEY = "file:k" }
openapi = "o.yaml"
auth = { header = "Authorization", value = "keyring:a/b" }
memory = "100MB"
[tunnel]
provider = "ssh"
host = "s.example"
user = "t"
remote_port = 8443
url = "https://a.example"
identity = "id"
[auth]
methods = ["bearer", "basic"]
grace = "90s"
[schema]
include = ["GET /a/*", "tag"]
max_operations = 7
[limits]
rate = "5/s"
body = "512KiB"
egress = "1GB/h"
[hooks]
address_changed = ["./tell.sh", "a b"]
"""


def test_a_config_is_shown_in_the_files_own_words():
    shown = as_dict(parse(FULL, HERE))
    assert shown["lease"] == "2m"
    assert shown["backend"]["env"] == {"LEVEL": 'in"fo\x7f\n$', "TOKEN": "env:T", "KEY": "file:/srv/app/k"}
    assert shown["backend"]["auth"] == {"header": "Authorization", "value": "keyring:a/b"}
    assert shown["backend"]["memory"] == "100MB"
    assert shown["limits"]["rate"] == "5/s"
    assert shown["limits"]["egress"] == "1GB/h"
    assert shown["limits"]["timeout"] == "45s"
    assert shown["tunnel"]["token"] is None
    assert not {"path", "notes"} & shown.keys()
    assert not {"kind", "cwd"} & shown["backend"].keys()
    assert json.loads(json.dumps(shown)) == shown


@pytest.mark.parametrize(
    "text",
    [
        FULL,
        'name = "x"\n[backend]\nurl = "http://h"\n',
        'name = "x"\n[backend]\nport = 80\ncommand = ["./a", "\\\\ \\"q\\" \\u0001"]\n',
        'name = "x"\n[backend]\nbuild = "."\nport = 80\n[tunnel]\nprovider = "cloudflared"\n',
    ],
)
def test_what_is_shown_as_toml_means_the_same_when_it_is_loaded(text):
    config = parse(text, HERE)
    again = parse(as_toml(config), HERE)
    assert replace(again, notes=()) == replace(config, notes=())


def takes_literally(name, value):
    return not ("\0" in value or ":" in value or secret_name(name) or secret_like(value))


@given(st.dictionaries(st.from_regex(r"V[A-Z0-9_]{0,5}", fullmatch=True), st.text(max_size=20), max_size=4))
@settings(deadline=None)
def test_any_environment_survives_being_shown_and_loaded(env):
    """What the file would not take as a literal anyway is left out."""
    safe = {name: value for name, value in env.items() if takes_literally(name, value)}
    backend = Backend(kind="image", image="i", port=80, env=MappingProxyType(safe))
    assert dict(parse(as_toml(Config("x", backend)), HERE).backend.env) == safe


def test_a_webhooks_address_is_shown_without_its_path():
    text = 'name = "x"\n[backend]\nurl = "http://h"\n[notify]\nwebhook = ["https://h.example/T0/B0", "http://i"]\n'
    assert as_dict(parse(text, HERE))["notify"]["webhook"] == ["https://h.example/…", "http://i"]


# ---- digests ----


class Word(Enum):
    A = "a"


DIFFERENT = [
    None,
    True,
    False,
    1,
    0,
    "",
    "1",
    "None",
    1.5,
    (),
    (1,),
    ((1,),),
    (1, 2),
    ("1", "2"),
    ("1,2",),
    {},
    {"a": 1},
    {"a": "1"},
    {1: "a"},
    {"a": {"b": 1}},
    {"a": 1, "b": 1},
    b"a",
    "a",
    Word.A,
    Path("a"),
    frozenset({"a"}),
    Rate(1, 2),
    Rate(2, 1),
    SecretRef("env", "A"),
    "env:A",
    ("env", "A"),
    Limits(),
    Limits(body=2),
]


def test_no_two_different_values_have_the_same_digest():
    assert len({digest(value) for value in DIFFERENT}) == len(DIFFERENT)


def test_the_same_meaning_has_the_same_digest():
    assert digest({"a": 1, "b": 2}) == digest(MappingProxyType({"b": 2, "a": 1}))
    assert digest((1, 2)) == digest([1, 2])
    assert digest(60) == digest(60.0)
    assert digest(parse(FULL, HERE)) == digest(parse(FULL + "# a comment\n", HERE))
    assert digest(parse(FULL, HERE)) != digest(parse(FULL.replace('"90s"', '"91s"'), HERE))


def test_a_digest_is_the_same_in_another_process_with_another_hash_seed():
    code = "from exposer.config.show import digest; print(digest(frozenset('abcdef')), digest({'a': 1, 'b': 2}))"
    here = f"{digest(frozenset('abcdef'))} {digest({'a': 1, 'b': 2})}"
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        assert subprocess.check_output([sys.executable, "-c", code], env=env, text=True).strip() == here


@pytest.mark.parametrize("value", [Secret("x"), object(), (1, Secret("x")), {"a": Secret("x")}, float("nan")])
def test_what_has_no_lasting_meaning_and_what_is_secret_has_no_digest(value):
    with pytest.raises((TypeError, ValueError)):
        digest(value)
