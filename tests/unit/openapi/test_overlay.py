import json
from typing import Any

import pytest

from exposer.openapi.model import Document, DocumentError
from exposer.openapi.operations import operations
from exposer.openapi.overlay import hinted, overlaid
from tests.unit.openapi.small import OK, gets, openapi, out


def over(document: Document, *actions: dict[str, Any]) -> Document:
    """The document with these actions applied, all of which match something."""
    changed, idle = overlaid(document, {"overlay": "1.0.0", "actions": list(actions)}, "overlay.yaml")
    assert idle == ()
    return changed


def test_an_update_merges_objects_joins_lists_and_replaces_the_rest() -> None:
    document = openapi({"/a": {"get": {**OK, "summary": "old", "tags": ["one"]}}})
    update = {"summary": "new", "tags": ["two"], "description": "more"}
    get = over(document, {"target": "$.paths['/a'].get", "update": update}).data["paths"]["/a"]["get"]
    assert (get["summary"], get["tags"], get["description"]) == ("new", ["one", "two"], "more")
    assert "responses" in get


def test_an_update_of_a_list_adds_to_it() -> None:
    document = openapi({"/a": {"get": {**OK, "tags": ["one"]}}})
    assert over(document, {"target": "$.paths['/a'].get.tags", "update": "two"}).data["paths"]["/a"]["get"]["tags"] == [
        "one",
        "two",
    ]


def test_what_is_removed_is_gone_and_of_a_list_exactly_what_was_meant() -> None:
    parameters = [{"in": "query", "name": name, "schema": {"type": "string"}} for name in "abcd"]
    document = openapi({"/a": {"get": {**OK, "parameters": parameters}}, "/b": {"get": OK}})
    changed = over(
        document,
        {"target": "$.paths['/b']", "remove": True},
        {"target": "$.paths['/a'].get.parameters[?@.name == 'a' || @.name == 'c']", "remove": True},
    )
    assert [p["name"] for p in changed.data["paths"]["/a"]["get"]["parameters"]] == ["b", "d"]
    assert [op.id for op in operations(changed)] == ["get_a"]


def test_one_target_may_match_many() -> None:
    changed = over(openapi(gets("/a", "/b")), {"target": "$.paths.*.get", "update": {"x-exposer-hide": True}})
    assert all(item["get"]["x-exposer-hide"] for item in changed.data["paths"].values())


def test_actions_are_applied_in_their_order() -> None:
    changed = over(
        openapi(gets("/a")),
        {"target": "$.paths", "update": {"/new": {"get": OK}}},
        {"target": "$.paths['/new'].get", "update": {"operationId": "fresh"}},
    )
    assert [op.id for op in operations(changed)] == ["get_a", "fresh"]


def test_the_document_before_it_stays_as_it_was() -> None:
    document = openapi(gets("/a", "/b"))
    before = json.dumps(document.data)
    changed = over(document, {"target": "$.paths['/a'].get", "update": {"summary": "new"}})
    assert json.dumps(document.data) == before
    assert changed.data["paths"]["/b"] is document.data["paths"]["/b"]
    assert changed.digest != document.digest


def test_an_overlay_may_move_the_base_path() -> None:
    document = openapi(gets("/a"), servers=[{"url": "/api"}])
    assert over(document, {"target": "$.paths['/a']", "update": {}}).base_path == "/api"
    changed = over(
        document, {"target": "$.servers", "remove": True}, {"target": "$", "update": {"servers": [{"url": "/v2"}]}}
    )
    assert out(changed)["servers"] == [{"url": "https://x.example/v2"}]


def test_an_action_that_matches_nothing_is_told() -> None:
    overlay = {"overlay": "1.0.0", "actions": [{"target": "$.paths['/gone']", "remove": True}]}
    changed, idle = overlaid(openapi(gets("/a")), overlay, "my.yaml")
    assert idle == ("my.yaml: action 1 ($.paths['/gone']) matches nothing",)
    assert list(changed.data["paths"]) == ["/a"]


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        (None, "not an OpenAPI Overlay"),
        ({"openapi": "3.1.0"}, "not an OpenAPI Overlay"),
        ({"overlay": "2.0.0"}, "not an OpenAPI Overlay"),
        ({"overlay": "1.0.0"}, "no list of actions"),
        ({"overlay": "1.0.0", "actions": ["x"]}, "action 1 has no target"),
        ({"overlay": "1.0.0", "actions": [{"target": "paths", "remove": True}]}, "action 1 has no target"),
        ({"overlay": "1.0.0", "actions": [{"target": "$.paths["}]}, "action 1 does nothing"),
        ({"overlay": "1.0.0", "actions": [{"target": "$.paths[", "remove": True}]}, "cannot be read as JSONPath"),
        ({"overlay": "1.1.0", "actions": [{"target": "$.a", "copy": "$.b"}]}, '"copy" is not supported'),
        (
            {"overlay": "1.0.0", "actions": [{"target": "$.openapi", "update": {"a": 1}}]},
            "not something that can be updated",
        ),
        ({"overlay": "1.0.0", "actions": [{"target": "$", "remove": True}]}, "leaves no paths"),
        ({"overlay": "1.0.0", "actions": [{"target": "$.paths", "remove": True}]}, "leaves no paths"),
    ],
)
def test_what_is_wrong_with_an_overlay_is_said_with_the_action(overlay: Any, said: str) -> None:
    with pytest.raises(DocumentError, match=said) as caught:
        overlaid(openapi(gets("/a")), overlay, "my.yaml")
    assert caught.value.message.startswith("my.yaml: ")
    assert caught.value.hint


def test_hints_give_names_and_descriptions() -> None:
    hints = {"x-exposer-name": "see_all", "x-exposer-description": "Everything there is."}
    document = hinted(openapi({"/a": {"get": {**OK, **hints}}, "/b": {"get": OK}}))
    assert [op.id for op in operations(document)] == ["see_all", "get_b"]
    assert out(document)["paths"]["/a"]["get"]["description"] == "Everything there is."


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, 7, None])
def test_a_hint_that_is_no_name_is_passed_over(name: Any) -> None:
    document = hinted(openapi({"/a": {"get": {**OK, "x-exposer-name": name}}}))
    assert [op.id for op in operations(document)] == ["get_a"]


def test_a_document_without_hints_is_not_made_anew() -> None:
    document = openapi(gets("/a"))
    assert hinted(document) is document
