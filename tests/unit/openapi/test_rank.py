"""The order: first what was really called, then health, search, lists, one thing, the rest; no tag eats all places."""

from typing import Any

import pytest

from exposer.openapi.model import Level, Operation, Verdict
from exposer.openapi.operations import operations
from exposer.openapi.rank import Kind, kind, order
from tests.unit.openapi.small import OK, answering, openapi


def ordered(
    paths: dict[str, Any], calls: dict[str, int] | None = None, levels: dict[str, Level] | None = None
) -> list[str]:
    document = openapi({path: {"get": item} for path, item in paths.items()})
    ops = operations(document)
    verdicts = [Verdict((levels or {}).get(op.path, Level.SAFE)) for op in ops]
    places = order(document, ops, verdicts, [(calls or {}).get(op.path, 0) for op in ops])
    return [ops[place].path for place in places]


def plain(*paths: str) -> dict[str, Any]:
    return dict.fromkeys(paths, OK)


def test_health_and_search_and_list_and_detail_come_before_the_rest() -> None:
    paths = plain("/today", "/notes/{id}", "/notes", "/search", "/health")
    assert ordered(paths) == ["/health", "/search", "/notes", "/notes/{id}", "/today"]


def test_what_was_called_most_comes_before_all() -> None:
    paths = plain("/health", "/notes", "/today")
    assert ordered(paths, {"/today": 2, "/notes": 1}) == ["/today", "/notes", "/health"]


def test_safe_comes_before_caution_and_shallow_before_deep() -> None:
    paths = plain("/a/b/cows", "/dogs", "/cats")
    assert ordered(paths, levels={"/dogs": Level.CAUTION}) == ["/cats", "/a/b/cows", "/dogs"]


def test_an_api_prefix_and_a_version_do_not_count_as_depth() -> None:
    assert ordered(plain("/x/birds", "/api/v1/dogs"))[0] == "/api/v1/dogs"


def test_fewer_required_parameters_come_first() -> None:
    needs = {**OK, "parameters": [{"name": "who", "in": "query", "required": True, "schema": {"type": "string"}}]}
    assert ordered({"/dogs": needs, "/cats": OK}) == ["/cats", "/dogs"]


def test_one_tag_does_not_take_all_places() -> None:
    many = {f"/a{number}s": {**OK, "tags": ["big"]} for number in range(9)}
    found = ordered({**many, "/cat/{id}": {**OK, "tags": ["small"]}})
    assert found.index("/cat/{id}") == 6  # a detail, so after two rounds of lists; not after all nine


def test_equal_input_gives_equal_order() -> None:
    paths = plain(*(f"/t{number}/things" for number in range(40)))
    assert ordered(paths) == ordered(paths) == sorted(paths, key=list(paths).index)


@pytest.mark.parametrize(
    ("path", "item", "expected"),
    [
        ("/health", OK, Kind.HEALTH),
        ("/api/v1/version", OK, Kind.HEALTH),
        ("/server-info/ping", OK, Kind.HEALTH),
        ("/migration/csv/old/status", OK, Kind.OTHER),
        ("/orders/{id}/status", OK, Kind.OTHER),
        ("/contacts/search", OK, Kind.SEARCH),
        ("/search/places", OK, Kind.SEARCH),
        ("/x", {**OK, "summary": "搜索联系人"}, Kind.SEARCH),
        ("/data", answering({"type": "array", "items": {}}), Kind.LIST),
        ("/people", {**OK, "parameters": [{"name": "per_page", "in": "query"}]}, Kind.LIST),
        ("/search/{id}", OK, Kind.DETAIL),
        ("/today", OK, Kind.OTHER),
    ],
)
def test_what_an_operation_is_for(path: str, item: dict[str, Any], expected: Kind) -> None:
    document = openapi({path: {"get": item}})
    assert kind(document, Operation("x", "GET", path, path)) is expected
