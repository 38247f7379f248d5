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


def test_a_guard_also_takes_what_lenient_backends_take() -> None:
    guard = paths.guard("/items/export")
    for path in ("/items/export", "/items/EXPORT", "/Items/Export/"):
        assert re.fullmatch(guard, path)
    assert not re.fullmatch(guard, "/items/exported")
    assert not re.fullmatch(guard, "/items%2Fexport")


def test_beside_a_wide_parameter_a_guard_sees_through_encoded_slashes() -> None:
    guard = paths.guard("/items/export", slashed=True)
    for path in ("/items/export", "%/items%2fEXPORT", "%/items%252Fexport%2F"):
        assert re.fullmatch(guard, path)
    assert not re.fullmatch(guard, "%/items%2Fexported")


@pytest.mark.parametrize(
    ("template", "wide", "path", "passes"),
    [
        ("/f/{+p}", ("+p",), "/f/a", True),
        ("/f/{+p}", ("+p",), "/f/a/b.c", True),
        ("/f/{+p}", ("+p",), "/f/a/", True),
        ("/f/{+p}", ("+p",), "%/f/a%2Fb", True),
        ("/f/{+p}", ("+p",), "%/f/a%252fb", True),
        ("/f/{+p}", ("+p",), "/f/", False),
        ("/f/{+p}", ("+p",), "/f", False),
        ("/f/{+p}", ("+p",), "%/f%2Fa", False),
        ("/f/{p}", (), "/f/a/b", False),
        ("/f/{p}", (), "%/f/a%2Fb", False),
        ("/f/*", ("*",), "/f/a/b", True),
        ("/f/*", ("*",), "/f/*", True),
        ("/f/*", (), "/f/a", False),
        ("/f/*", (), "/f/*", True),
        ("/f/**", ("**",), "/f/a/b", True),
        ("/f/{p}/raw", ("p",), "/f/a/raw/raw", True),
        ("/f/{p}/raw", ("p",), "/f/raw", False),
        ("/f/{p}.{ext}", ("p",), "/f/a.b/c.txt", True),
        ("/f/{p}.{ext}", ("p",), "/f/a.b/c", False),
        ("/f/{p}/to/{q}/x", ("p", "q"), "/f/a/to/b/to/c/x", True),
        ("/f/{p}/{id}", ("p",), "%/f/a%2Fb/7", True),
        ("/f/{p}/{id}", ("p",), "%/f/a/b%2F7", False),
        ("/f/v{p}F", ("p",), "%/f/va%252F", False),
    ],
)
def test_only_a_wide_parameter_spans_segments(template: str, wide: tuple[str, ...], path: str, passes: bool) -> None:
    pattern = paths.pattern(template, wide)
    assert pattern is not None
    assert matches(pattern, path) is passes


@pytest.mark.parametrize("target", ["/f/a%2Fb", "/f/a%2fb/", "/f/a%252Fb", "/f/a%2F", "/f%2Fa", "/f/a/b"])
def test_an_encoded_slash_is_no_riddle_where_it_cannot_matter(target: str) -> None:
    assert paths.canonical(target, slashed=True)


@pytest.mark.parametrize(
    "target",
    [
        "/f/a%2F%2Fb",
        "/f/%2Fa",
        "/f/..%2Fa",
        "/f/a%2F..",
        "/f/a%252F.%2Fb",
        "/f/a%25252Fb",
        "/f/a%2F%2e%2e",
        "/f/a%252e",
        "/f/a%20%2Fb",
        "/f/a%2F%20b",
        "/f/a%5Cb",
        "%2Ff",
        "/f/a%2F;b",
    ],
)
def test_an_encoded_slash_hides_nothing(target: str) -> None:
    assert not paths.canonical(target, slashed=True)


@pytest.mark.parametrize(
    ("one", "other", "both", "first"),
    [
        ("/f/{+p}", "/f/a/b", True, False),
        ("/f/a/b", "/f/{+p}", True, True),
        ("/f/{id}", "/f/{+p}", True, True),
        ("/f/{+p}", "/f/{id}", True, False),
        ("/f/{+p}/raw", "/f/{+p}", True, True),
        ("/f/{+p}", "/f/{+p}/raw", True, False),
        ("/f/{+p}/raw", "/f/{id}/raw", True, False),
        ("/f/{+p}", "/g/{id}", False, False),
        ("/{a}/x/{+p}", "/f/{+p}", True, False),
        ("/f/{+p}/raw", "/f/{+p}/plain", False, False),
        ("/f/{+p}", "/f", False, False),
    ],
)
def test_which_of_two_overlapping_templates_a_backend_prefers(one: str, other: str, both: bool, first: bool) -> None:
    left, right = (paths.pattern(template, ("+p",)) for template in (one, other))
    assert left is not None
    assert right is not None
    assert paths.overlap(left, right) is paths.overlap(right, left) is both
    assert not both or paths.dominates(left, right) is first


@given(TEMPLATE.map(lambda template: f"{template}/{{+p}}/x{{+q}}"))
def test_a_wide_template_matches_its_own_sample(template: str) -> None:
    pattern = paths.pattern(template, ("+p", "+q"))
    if pattern is not None:
        sample = paths.sample_path(template, ("+p", "+q"))
        assert "x/x" in sample
        assert matches(pattern, sample)
        assert re.fullmatch(paths.guard(template, ("+p", "+q")), sample)


def test_a_wide_template_cannot_make_matching_slow() -> None:
    pattern = paths.pattern("/{a}/x/{b}/x/{c}", ("a", "b", "c"))
    assert pattern is not None
    assert matches(pattern, "/a/x" * 1500)
    assert not matches(pattern, "/a/y" * 1500)
    pattern = paths.pattern("/{a}/x/{b}.{c}", ("a",))
    assert pattern is not None
    assert not matches(pattern, "/a/x/b" * 1000)


def test_exact_is_exact_for_any_text() -> None:
    assert re.fullmatch(paths.exact("a.b$(x)"), "a.b$(x)")
    assert not re.fullmatch(paths.exact("a.b"), "axb")


def test_no_pattern_holds_what_nginx_would_take_for_a_variable() -> None:
    pattern = paths.pattern("/$host/${x}/a$b")
    assert pattern is not None
    assert "$" not in pattern.body
