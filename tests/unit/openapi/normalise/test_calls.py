from typing import Any

import pytest
from openapi_spec_validator import validate

from exposer.openapi.model import Document
from tests.unit.openapi.small import OK, openapi

TEXT = {"schema": {"type": "string"}}
PATH = {"in": "path", "required": True, **TEXT}


def parameters(given: Any, path: str = "/a", **more: Any) -> tuple[list[Any], Document]:
    document = openapi({path: {"get": {**OK, "parameters": given}}}, **more)
    validate(document.data)
    return document.data["paths"][path]["get"].get("parameters", []), document


def names(found: list[Any]) -> list[str]:
    return [f"{parameter['in']} {parameter['name']}" for parameter in found]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"name": "q", "in": "Query", **TEXT}, {"name": "q", "in": "query", **TEXT}),
        ({"name": 5, "in": "query", **TEXT}, {"name": "5", "in": "query", **TEXT}),
        ({"name": "q", "in": "query", "type": "int"}, {"name": "q", "in": "query", "schema": {"type": "integer"}}),
        ({"name": "q", "in": "query"}, {"name": "q", "in": "query", **TEXT}),
        ({"name": "q", "in": "query", "schema": None}, {"name": "q", "in": "query", **TEXT}),
        (
            {"name": "q", "in": "query", **TEXT, "required": "true"},
            {"name": "q", "in": "query", **TEXT, "required": True},
        ),
        ({"name": "q", "in": "header", **TEXT, "style": "form"}, {"name": "q", "in": "header", **TEXT}),
        (
            {"name": "q", "in": "query", **TEXT, "made-up": 1, "x-own": 1},
            {"name": "q", "in": "query", **TEXT, "x-own": 1},
        ),
        (
            {"name": "q", "in": "query", "content": {"a/b": TEXT, "c/d": {}}, **TEXT},
            {"name": "q", "in": "query", "content": {"a/b": TEXT}},
        ),
        (
            {"name": "q", "in": "query", **TEXT, "examples": [1]},
            {"name": "q", "in": "query", **TEXT, "examples": {"1": {"value": 1}}},
        ),
    ],
)
def test_a_parameter_is_mended(given: Any, found: Any) -> None:
    got, document = parameters([given])
    assert got == [found]
    assert document.repairs or "x-own" not in given


@pytest.mark.parametrize(
    "junk", [None, 5, "q", [], {}, {"name": "q"}, {"in": "query"}, {"name": "q", "in": "moon"}, {"$ref": "#/nowhere"}]
)
def test_what_is_no_parameter_is_left_out(junk: Any) -> None:
    assert parameters([junk, {"name": "q", "in": "query", **TEXT}])[0] == [{"name": "q", "in": "query", **TEXT}]


def test_parameters_that_are_no_list_are_taken_from_the_object() -> None:
    assert names(parameters({"a": {"name": "q", "in": "query", **TEXT}})[0]) == ["query q"]
    assert parameters("x")[0] == []


def test_a_parameter_that_is_there_twice_is_there_once() -> None:
    first = {"name": "q", "in": "query", "schema": {"type": "integer"}}
    got, document = parameters([first, {"name": "q", "in": "query", **TEXT}, {"name": "q", "in": "header", **TEXT}])
    assert got == [first, {"name": "q", "in": "header", **TEXT}]
    assert [repair.what for repair in document.repairs] == ["parameter q is there twice; the first is kept"]


def test_a_parameter_that_the_path_has_and_nobody_described_is_added() -> None:
    got, document = parameters([], "/a/{id}/b/{n:[0-9]+}")
    assert document.data["paths"]["/a/{id}/b/{n:[0-9]+}"]["parameters"] == [
        {"name": "id", **PATH},
        {"name": "n", **PATH},
    ]
    assert got == []
    assert len(document.repairs) == 2


def test_it_is_added_only_where_it_is_missing() -> None:
    document = openapi({"/a/{id}": {"get": {**OK, "parameters": [{"name": "id", **PATH}]}, "put": OK}})
    validate(document.data)
    item = document.data["paths"]["/a/{id}"]
    assert ("parameters" in item, names(item["put"]["parameters"])) == (False, ["path id"])


def test_a_parameter_that_the_path_does_not_have_is_left_out() -> None:
    got, document = parameters([{"name": "id", **PATH}, {"name": "q", "in": "query", **TEXT}])
    assert names(got) == ["query q"]
    assert document.repairs[0].what == "path parameter id is not in the path and was left out"


@pytest.mark.parametrize("written", ["userID", "user_id", "USERID", "user-id"])
def test_a_name_that_differs_in_case_or_hyphens_is_the_same(written: str) -> None:
    integer = {"name": written, "in": "path", "required": True, "schema": {"type": "integer"}}
    got, document = parameters([integer], "/a/{userId}")
    assert got == [{**integer, "name": "userId"}]
    assert "{userId}" in document.repairs[0].what


def test_a_shared_parameter_is_not_renamed_for_all() -> None:
    shared = {"parameters": {"Id": {"name": "ID", **PATH}}}
    reference = {"$ref": "#/components/parameters/Id"}
    document = openapi(
        {"/a/{id}": {"get": {**OK, "parameters": [reference]}}, "/b/{ID}": {"get": {**OK, "parameters": [reference]}}},
        components=shared,
    )
    validate(document.data)
    assert document.data["paths"]["/a/{id}"]["get"]["parameters"] == [{"name": "id", **PATH}]
    assert document.data["paths"]["/b/{ID}"]["get"]["parameters"] == [reference]


def test_a_path_parameter_is_always_required() -> None:
    got, _ = parameters([{"name": "id", "in": "path", **TEXT}], "/{id}")
    assert got == [{"name": "id", **PATH}]


def test_a_path_parameter_that_may_have_slashes_says_so_in_a_way_that_3_1_allows() -> None:
    got, _ = parameters([{"name": "id", **PATH, "allowReserved": True}], "/x/{id}", openapi="3.2.0")
    assert got == [{"name": "id", **PATH, "x-exposer-multi-segment": True}]


def test_a_body_among_the_parameters_of_openapi_3_is_a_request_body() -> None:
    body = {"in": "body", "name": "b", "required": True, "schema": {"type": "object"}}
    got, document = parameters([body, {"name": "q", "in": "query", **TEXT}])
    assert names(got) == ["query q"]
    body = document.data["paths"]["/a"]["get"]["requestBody"]
    assert body == {"content": {"application/json": {"schema": {"type": "object"}}}, "required": True}
    assert document.repairs[0].what == "its body stood among the parameters, as in Swagger 2.0"


def test_answers_are_mended() -> None:
    given = {
        "200": None,
        "2xx": {"description": "fine"},
        "404 Not Found": {"description": "gone"},
        "moon": {"description": "?"},
        "500": "broken",
        "501": {"schema": {"type": "string"}},
        "502": {"$ref": "#/components/responses/Nobody"},
        "default": {"description": None, "content": {"application/json": None}, "links": {"x": {}}},
    }
    document = openapi({"/a": {"get": {"responses": given}}})
    validate(document.data)
    assert document.data["paths"]["/a"]["get"]["responses"] == {
        "200": {"description": "OK"},
        "2XX": {"description": "fine"},
        "404": {"description": "gone"},
        "500": {"description": "broken"},
        "501": {"description": "Not Implemented", "content": {"application/json": {"schema": {"type": "string"}}}},
        "502": {"description": "Bad Gateway"},
        "default": {"description": "", "content": {"application/json": {}}},
    }


@pytest.mark.parametrize("responses", [{}, [], "x", {"moon": {"description": "?"}}])
def test_a_call_without_answers_gets_one(responses: Any) -> None:
    document = openapi({"/a": {"get": {"responses": responses}}})
    validate(document.data)
    assert document.data["paths"]["/a"]["get"]["responses"] == {"default": {"description": "the answer"}}


def test_a_call_without_a_word_is_a_call() -> None:
    document = openapi({"/a": {"get": {}, "POST": OK, "moon": OK, "summary": None, "put": "x"}, "/b": None})
    validate(document.data)
    assert document.data["paths"] == {"/a": {"get": {}, "post": OK}}


def test_schema_null_is_no_schema() -> None:
    given = {"200": {"description": "d", "content": {"application/json": {"schema": None}}}}
    document = openapi({"/a": {"get": {"responses": given}}})
    assert document.data["paths"]["/a"]["get"]["responses"]["200"]["content"] == {"application/json": {}}
    assert [repair.what for repair in document.repairs] == ["schema is null and was left out"]


def test_what_openapi_3_2_has_more_is_lowered() -> None:
    stream = {"text/event-stream": {"itemSchema": {"type": "object"}}, "a/b": {"$ref": "#/components/mediaTypes/M"}}
    example = {"application/json": {"examples": {"e": {"dataValue": 5, "serializedValue": "5"}}}}
    document = openapi(
        {
            "/a": {
                "query": OK,
                "additionalOperations": {"LINK": OK},
                "get": {
                    "parameters": [{"name": "all", "in": "querystring", "content": {"a/b": {}}}],
                    "responses": {
                        "200": {"summary": "fine", "content": stream},
                        "201": {"description": "", "content": example},
                    },
                },
            }
        },
        openapi="3.2.0",
        tags=[{"name": "t", "summary": "s", "parent": "p", "kind": "nav"}],
        servers=[{"url": "/x", "name": "here"}],
        components={"mediaTypes": {"M": {"schema": {"type": "string"}}}},
        **{"$self": "https://x.example/openapi"},
    )
    validate(document.data)
    assert (document.spec, document.data["openapi"], document.base_path) == ("3.2.0", "3.1.0", "/x")
    responses = document.data["paths"]["/a"]["get"]["responses"]
    assert responses["200"] == {
        "description": "fine",
        "content": {
            "text/event-stream": {"schema": {"type": "array", "items": {"type": "object"}}},
            "a/b": {"schema": {"type": "string"}},
        },
    }
    assert responses["201"]["content"]["application/json"] == {"examples": {"e": {"value": 5}}}
    assert list(document.data["paths"]["/a"]) == ["get"]
    assert document.data["tags"] == [{"name": "t"}]
