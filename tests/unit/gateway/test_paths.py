import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exposer.gateway import paths
from tests.support.readings import means, readings

SEGMENT = st.text("ab.-_~%2eE(){}é文 ;\\*$", max_size=6) | st.text(max_size=3) | st.just("{id}") | st.just("{a}.{b}")
TEMPLATE = st.lists(SEGMENT, max_size=4).map(lambda parts: "/" + "/".join(parts))
RAW = st.lists(st.text("ab.-_~%2eEé()*$;\\6", max_size=6), max_size=4).map(lambda parts: "/" + "/".join(parts))


def matches(pattern: paths.Pattern, path: str) -> bool:
    return re.fullmatch(pattern.body, path) is not None


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/a",
        "/a/",
        "/a/b.c",
        "/~x/-_",
        "/a%20b",
        "/%E6%96%87",
        "/%e6%96%87/x",
        "/a?b",
        "/a?",
        "/a?x=%2e%2e/",
        "/.well-known",
        "/a..b",
        "/a(b)",
        "/a'b",
        "/x@y:z",
        "/C%23",
        "/%F0%9F%98%80",
        "/a,b",
        "/a*",
        "/...a",
    ],
)
def test_paths_that_read_in_one_way_are_canonical(target: str) -> None:
    assert paths.canonical(target)


@pytest.mark.parametrize(
    "target",
    [
        "",
        "a",
        "//",
        "/a//b",
        "/.",
        "/..",
        "/a/.",
        "/a/../b",
        "/.../b",
        "/%2e",
        "/a%2fb",
        "/a%5cb",
        "/a\\b",
        "/a;b",
        "/a%3bb",
        "/a%3fb",
        "/a%00",
        "/a%0a",
        "/a%7f",
        "/%41",
        "/%61",
        "/%2D",
        "/%5f",
        "/a%25b",
        "/%c0%af",
        "/%e0%80%af",
        "/%ed%a0%80",
        "/%ff",
        "/%c3",
        "/%ef%bc%8f",
        "/%ef%bc%8e%ef%bc%8e",
        "/%e2%80%a5",
        "/%c2%85",
        "/a ",
        "/a%20",
        "/%20a",
        "/é",
        "/a#b",
        "/a?b c",
        "/a?b#c",
        "/a?é",
        "/a\n",
        "/a?b\n",
        "/%",
        "/%z",
        "/a\x00",
    ],
)
def test_paths_that_read_in_two_ways_are_not(target: str) -> None:
    assert not paths.canonical(target)


@given(RAW)
def test_every_reading_of_a_canonical_path_has_the_same_segments(raw: str) -> None:
    if paths.canonical(raw):
        assert {len(reading.split("/")) for reading in readings(raw)} == {len(raw.split("/"))}


@given(TEMPLATE, RAW)
def test_a_pattern_and_the_reference_agree_on_canonical_paths(template: str, raw: str) -> None:
    pattern = paths.pattern(template)
    if pattern is not None and paths.canonical(raw):
        assert matches(pattern, raw) == means(template, raw)


@given(TEMPLATE)
def test_a_template_that_can_be_called_matches_its_own_sample(template: str) -> None:
    pattern = paths.pattern(template)
    if pattern is not None:
        sample = paths.sample_path(template)
        assert paths.canonical(sample)
        assert matches(pattern, sample)
        assert means(template, sample)


@pytest.mark.parametrize(
    "template",
    [
        "",
        "a",
        "/a//b",
        "/../x",
        "/a?b=c",
        "/a;b",
        "/a\\b",
        "/a%2fb",
        "/a%",
        "/a\n",
        "/{a}/..",
        "/\ud800",
        "/ a",
    ],
)
def test_a_template_that_no_unambiguous_path_can_match_has_no_pattern(template: str) -> None:
    assert paths.pattern(template) is None


def test_a_parameter_takes_whole_characters_only() -> None:
    pattern = paths.pattern("/x/{a}8")
    assert pattern is not None
    assert matches(pattern, "/x/a8")
    assert not matches(pattern, "/x/%28")  # that is a bracket, and another operation


def test_nothing_may_stand_around_a_match() -> None:
    pattern = paths.pattern("/a/{id}")
    assert pattern is not None
    for path in ("/a/b/c", "/a/", "/a", "/A/b", "x/a/b", "/a/b\n/c"):
        assert not matches(pattern, path)


def test_a_hostile_template_cannot_make_matching_slow() -> None:
    pattern = paths.pattern("/" + "{a}x" * 12 + "{b}")
    assert pattern is not None
    assert not matches(pattern, "/" + "x" * 7000 + "/")


def test_a_loose_pattern_also_takes_what_lenient_backends_take() -> None:
    pattern = paths.pattern("/items/export", loose=True)
    assert pattern is not None
    for path in ("/items/export", "/items/EXPORT", "/Items/Export/"):
        assert matches(pattern, path)
    assert not matches(pattern, "/items/exported")


def test_exact_is_exact_for_any_text() -> None:
    assert re.fullmatch(paths.exact("a.b$(x)"), "a.b$(x)")
    assert not re.fullmatch(paths.exact("a.b"), "axb")


def test_no_pattern_holds_what_nginx_would_take_for_a_variable() -> None:
    pattern = paths.pattern("/$host/${x}/a$b")
    assert pattern is not None
    assert "$" not in pattern.body
