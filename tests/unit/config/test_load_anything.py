"""Whatever is in the file, loading ends with a Config or a ConfigError, and never tells a secret."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exposer.config.load import load, parse
from exposer.config.tables import tables
from exposer.errors import ConfigError

SAMPLE = (Path(__file__).parents[3] / "exposer.toml").read_text()
HERE = Path("/srv/app/exposer.toml")
KEYS = [f"{table}.{key}".lstrip(".") for table, readers in tables(HERE.parent).items() for key in readers]
KEYS += ["backend", "tunnel", "backend.auth", "backend.env.X", "nothing", '"odd key"', '""', "limits.nothing"]
WORDS = [
    "",
    "-x",
    "/",
    "./a:/b",
    "/:/b",
    "env:A",
    "file:a",
    "90s",
    "1MB",
    "60/min",
    "50MB/h",
    "GET",
    "http://h:1",
    "~/x",
    "a\0",
]

SCALARS = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(WORDS),
    st.text(max_size=40),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def check(text):
    """Loads it; every problem there may be is one line that names the file and a line that exists."""
    found = None
    try:
        parse(text, HERE)
    except ConfigError as error:
        found = error.problems
    assert found != ()
    for problem in found or ():
        assert len(problem.splitlines()) == 1
        label, line, _ = problem.split(":", 2)
        assert label == "exposer.toml"
        assert 1 <= int(line) <= text.count("\n") + 1


@given(st.text())
@settings(deadline=None)
def test_any_text_is_loaded_or_refused(text):
    check(text)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6))
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_any_values_for_the_keys_there_are_loaded_or_refused(table):
    check("".join(f"{key} = {toml(value)}\n" for key, value in table.items()))


@given(st.sampled_from(KEYS), VALUES)
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_any_value_in_a_right_file_is_loaded_or_refused(key, value):
    check(f'{key} = {toml(value)}\nname = "x"\nbackend.url = "http://h"\n')


@given(st.integers(0, len(SAMPLE)), st.integers(0, 12), st.text(alphabet="#\n[]{}=\"'.,ab1 \\", max_size=6))
@settings(deadline=None, max_examples=200)
def test_a_slip_of_the_hand_in_the_sample_is_loaded_or_refused(at, gone, typed):
    check(SAMPLE[:at] + typed + SAMPLE[at + gone :])


SECRET_PLACES = [
    'backend.auth = {{ header = "A", value = {} }}',
    "tunnel.token = {}",
    "backend.env.API_TOKEN = {}",
    "tunnel.tokne = {}",
    'backend.env.X = "https://u:{}@h"',
]


@given(st.sampled_from(SECRET_PLACES), st.from_regex(r"[A-Za-z0-9_-]{12,40}", fullmatch=True))
@settings(deadline=None)
def test_a_literal_in_a_secrets_place_is_refused_and_not_told(place, secret):
    secret = f"Zq{secret}"
    text = place.format(secret if "://" in place else toml(secret))
    with pytest.raises(ConfigError) as caught:
        parse(f'name = "x"\nbackend.url = "http://h"\n{text}\n', HERE)
    error = caught.value
    assert secret not in repr((error.message, error.hint, error.problems))


@given(data=st.binary(max_size=300))
@settings(deadline=None)
def test_any_file_is_loaded_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(data)
    with contextlib.suppress(ConfigError):
        load(path)
