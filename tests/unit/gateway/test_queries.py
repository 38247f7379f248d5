import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exposer.gateway.queries import pattern

NAMES = ("q", "page", "pages", "a b", "filter[*]", "ids[]", "x.y", "数", "a=b&c")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "&",
        "q=1",
        "q",
        "q=",
        "q=1&q=2",
        "q=1&&page=2&",
        "pages=1&page=2",
        "q=a=b%26c%3D%zz",
        "a+b=1&a%20b=2",
        "filter[x]=1&filter%5By%5D=2&filter[a][b]=3&filter[]=4",
        "ids[]=1&ids%5b%5D=2",
        "x.y=1",
        "%E6%95%B0=1&%e6%95%b0=2",
        "a%3Db%26c=1",
    ],
)
def test_declared_parameters_pass_in_whatever_form_they_come(query: str) -> None:
    assert re.fullmatch(pattern(NAMES), query)


@pytest.mark.parametrize(
    "query",
    [
        "z=1",
        "q=1&z=1",
        "z",
        "=1",
        "Q=1",
        "qq=1",
        "q[]=1",
        "q%00=1",
        "q%5B%5D=1",
        "%71=1",
        "q=1;z=2",
        "q;z=1",
        "xay=1",
        "filter=1",
        "filter[x=1",
        "filter[x]y=1",
        "filter[x%5D%26z=1]=2",
        "ids=1",
        "a=b&c=1",
        "q=1&+q=2",
        "q =1",
        "q?=1",
    ],
)
def test_what_is_not_declared_does_not(query: str) -> None:
    assert not re.fullmatch(pattern(NAMES), query)


def test_without_parameters_no_query_passes() -> None:
    assert re.fullmatch(pattern(()), "")
    assert not re.fullmatch(pattern(()), "q")


@given(st.lists(st.text(max_size=5), max_size=4), st.text("abq=&;[]%25+", max_size=12))
def test_whatever_passes_has_only_names_that_are_declared(names: list[str], query: str) -> None:
    from urllib.parse import unquote_plus

    if re.fullmatch(pattern(name for name in names if not name.endswith("[*]")), query):
        known = {name.encode(errors="replace").decode() for name in names}
        assert {unquote_plus(part.split("=")[0]) for part in query.split("&") if part} <= known


def test_no_pattern_holds_what_nginx_would_take_for_a_variable() -> None:
    assert "$" not in pattern(("$filter", "${x}"))


def test_a_long_query_is_looked_at_quickly() -> None:
    assert not re.fullmatch(pattern(("a", "aa", "a[*]")), "a[a]=aa&" * 4000 + "b")
