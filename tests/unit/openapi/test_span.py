from typing import Any

import pytest

from exposer.openapi.operations import operations, path_problem
from tests.unit.openapi.small import OK, openapi


def wide(path: str, **described: Any) -> tuple[str, ...]:
    parameter = {"name": "p", "in": "path", "required": True, "schema": {"type": "string"}, **described}
    (operation,) = operations(openapi({path: {"get": {**OK, "parameters": [parameter]}}}))
    return operation.wide


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/f/{+p}", ("+p",)),
        ("/f/{p*}", ("p*",)),
        ("/f/{*p}", ("*p",)),
        ("/f/{**p}", ("**p",)),
        ("/f/{p+}", ("p+",)),
        ("/f/{p...}", ("p...",)),
        ("/f/{p:path}", ("p:path",)),
        ("/f/{p:.*}", ("p:.*",)),
        ("/f/*", ("*",)),
        ("/f/**", ("**",)),
        ("/f/{+p}/raw/*", ("+p", "*")),
        ("/f/{p}", ()),
        ("/f/{path}", ()),
        ("/f/{p:[0-9]+}", ()),
        ("/f/*/x", ()),
        ("/f*", ()),
        ("/f:all", ()),
    ],
)
def test_a_template_may_say_that_a_parameter_spans_segments(path: str, names: tuple[str, ...]) -> None:
    assert wide(path) == names


@pytest.mark.parametrize("word", ["x-multi-segment", "x-exposer-multi-segment"])
def test_a_parameter_may_say_so_itself(word: str) -> None:
    assert wide("/f/{p}", **{word: True}) == ("p",)
    assert wide("/f/{p}", schema={"type": "string", word: True}) == ("p",)
    assert wide("/{p}", **{word: True}) == ("p",)
    assert wide("/f/{p}", **{word: "true"}) == wide("/f/{p}", **{word: False}) == ()


@pytest.mark.parametrize("pattern", [".*", "^.+$", "^[a-z]+/[a-z]+$", r"[\w\-\.\/]+", "^(?!(api|feed)/).*"])
def test_a_pattern_that_takes_a_slash_says_so(pattern: str) -> None:
    assert wide("/f/{p}", schema={"type": "string", "pattern": pattern}) == ("p",)


@pytest.mark.parametrize(
    "pattern", ["[^/]+", "^[a-z]+$", r"\S+", "a/", "(", r"(.+)\.jpg", "a{99999999999}", "/" * 400, "(?i).*x/y"]
)
def test_any_other_pattern_does_not(pattern: str) -> None:
    assert wide("/f/{p}", schema={"type": "string", "pattern": pattern}) == ()


def test_a_pattern_alone_never_opens_the_whole_backend() -> None:
    assert wide("/{p}", schema={"type": "string", "pattern": ".*"}) == ()


def test_a_hostile_pattern_takes_no_time() -> None:
    for pattern in (
        "(.*)*" * 50 + "x",
        "(.*)*" * 3 + "x",
        "((.+)+)+" * 2 + "x",
        ".*" * 6 + "(x",
        "(.{0,9}){0,9}" * 3 + "x",
    ):
        assert wide("/f/{p}", schema={"type": "string", "pattern": pattern}) == ()


def test_the_operations_own_word_wins() -> None:
    item = {"parameters": [{"name": "p", "in": "path", "required": True, "x-multi-segment": True}]}
    own = {"name": "p", "in": "path", "required": True, "schema": {"type": "string"}}
    document = openapi({"/f/{p}": {**item, "get": OK, "post": {**OK, "parameters": [own]}}})
    assert {each.method: each.wide for each in operations(document)} == {"GET": ("p",), "POST": ()}


@pytest.mark.parametrize("path", ["/compare/{base}...{head}", "/a..b", "/v1...", "/.well-known/x", "/{a}..{b}"])
def test_dots_inside_a_segment_climb_nowhere(path: str) -> None:
    assert path_problem(path) == ""


@pytest.mark.parametrize("path", ["/a/../b", "/..", "/a/.", "/./a", "/a/.../b", "/a/..;x/b", "/a/%2e%2e/b"])
def test_a_segment_of_dots_does(path: str) -> None:
    assert path_problem(path) == "climbs out of its folder"
