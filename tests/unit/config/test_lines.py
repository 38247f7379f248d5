"""The line of a key is found wherever TOML lets it stand."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exposer.config.lines import Lines

TEXT = '''\
# version = 0
name = "a" # [fake]
list = [ # list2 = 1
  "]", "[backend]",
]
long = """
[fake]
name = 1 \\"""
"""
raw = \'\'\'
key = 1\'\'\'
a.b . "c d" = 1
inline = { x = 1, y = { z = 2 } }
date = 2026-01-02

[ backend . auth ]
header = "#"
"quoted \\u0041" = 'x'
[[many]]
one = 1
[[many]]
two = 2
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 2),
        (("list",), 3),
        (("long",), 6),
        (("raw",), 10),
        (("a",), 12),
        (("a", "b", "c d"), 12),
        (("inline",), 13),
        (("inline", "y", "z"), 13),
        (("date",), 14),
        (("backend",), 16),
        (("backend", "auth"), 16),
        (("backend", "auth", "header"), 17),
        (("backend", "auth", "quoted A"), 18),
        (("backend", "auth", "missing"), 16),
        (("many",), 19),
        (("many", "two"), 22),
        (("fake",), 1),
        (("key",), 1),
        (("list2",), 1),
        ((), 1),
    ],
)
def test_a_key_is_found_on_its_line(path, line):
    tomllib.loads(TEXT)
    assert Lines(TEXT).of(path) == line


def test_line_ends_of_windows_count_once():
    assert Lines(TEXT.replace("\n", "\r\n")).of(("many", "two")) == 22


@given(st.text(alphabet="ab.[]{}\"'#=\n\\ ,\r\t1"))
@settings(deadline=None)
def test_the_search_ends_for_any_text(text):
    assert Lines(text).of(("a", "b")) >= 1
