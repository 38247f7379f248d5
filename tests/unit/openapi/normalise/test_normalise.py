import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from exposer.openapi import normalise
from exposer.openapi.base import to_document
from exposer.openapi.model import DocumentError
from exposer.openapi.operations import operations
from exposer.openapi.text import parse
from tests.unit.openapi.small import OK, answering, gets, openapi, own, ref, swagger


@pytest.mark.parametrize("spec", ["3.0.0", "3.0.4", "3.1.0", "3.1.1", "3.2.0", "3.9.0-rc1"])
def test_whatever_the_version_was_it_is_3_1_now(spec: str) -> None:
    document = openapi(gets("/a"), openapi=spec)
    assert (document.spec, document.data["openapi"], document.repairs) == (spec, "3.1.0", ())
    validate(document.data)


def test_names_of_components_that_are_not_allowed_are_replaced_everywhere() -> None:
    schemas = {
        "Map«String,Pet»": {"type": "object"},
        "Map_String_Pet": {"type": "string"},
        "Kind": {"discriminator": {"propertyName": "kind", "mapping": {"map": "Map«String,Pet»", "no": "Nobody"}}},
    }
    document = openapi(
        {
            "/a": {"get": answering(ref("Map%C2%ABString%2CPet%C2%BB"))},
            "/b": {"get": answering(ref("Map«String,Pet»"))},
        },
        components={"schemas": schemas},
    )
    validate(document.data)
    assert list(document.data["components"]["schemas"]) == ["Map_String_Pet_2", "Map_String_Pet", "Kind"]
    for path in ("/a", "/b"):
        content = document.data["paths"][path]["get"]["responses"]["200"]["content"]
        assert content["application/json"]["schema"] == ref("Map_String_Pet_2")
    mapping = document.data["components"]["schemas"]["Kind"]["discriminator"]["mapping"]
    assert mapping == {"map": "#/components/schemas/Map_String_Pet_2"}
    assert [repair.what for repair in document.repairs] == ["was called Map«String,Pet», which is not allowed"]


def test_what_is_referred_to_deep_inside_another_call_gets_a_name_of_its_own() -> None:
    deep = "#/paths/~1a~1{id}/get"
    document = openapi(
        {
            "/a/{id}": {
                "get": {
                    "parameters": ["junk", {"name": "id", "in": "path", "required": True, "schema": {"type": "int"}}],
                    **answering({"type": "object", "properties": {"b": {"type": "string"}}}),
                }
            },
            "/b/{id}": {
                "get": {
                    "parameters": [{"$ref": f"{deep}/parameters/1"}],
                    **answering({"$ref": f"{deep}/responses/200/content/application~1json/schema/properties/b"}),
                }
            },
            "/c": {"get": answering({"$ref": f"{deep}/responses/200/content/application~1json/schema"})},
            "/d": {"get": {"responses": {"200": {"$ref": f"{deep}/responses/200"}}}},
        }
    )
    validate(document.data)
    paths, components = document.data["paths"], document.data["components"]
    assert paths["/a/{id}"]["get"]["parameters"] == paths["/b/{id}"]["get"]["parameters"]
    assert [p["schema"] for p in components["parameters"].values()] == [{"type": "integer"}]
    assert {"type": "string"} in components["schemas"].values()
    assert len(components["schemas"]) == 2
    assert list(components["responses"]) == ["a_id_get_200"]
    assert not any("paths" in text for text in json.dumps(document.data).split('"') if text.startswith("#/"))


def test_deep_references_of_swagger_are_found_before_anything_moves() -> None:
    document = swagger(
        {
            "/a": {"get": {"responses": {"200": {"description": "d", "schema": {"type": "object"}}}}},
            "/b": {
                "get": {
                    "responses": {
                        "200": {"description": "d", "schema": {"$ref": "#/paths/~1a/get/responses/200/schema"}}
                    }
                }
            },
        }
    )
    validate(document.data)
    first, second = (document.data["paths"][path]["get"]["responses"]["200"]["content"] for path in ("/a", "/b"))
    assert first == second
    assert list(document.data["components"]["schemas"].values()) == [{"type": "object"}]


def test_an_id_that_two_calls_have_is_nobodys() -> None:
    twice = {**OK, "operationId": "it"}
    document = openapi({"/a": {"get": twice}, "/b": {"get": twice}, "/c": {"get": {**OK, "operationId": "other"}}})
    assert [op.id for op in operations(document)] == ["get_a", "get_b", "other"]
    assert [repair.what for repair in document.repairs] == ["the operationId it is there 2 times and was left out"] * 2
    validate(document.data)


def test_what_stands_where_swagger_had_it_is_found_in_openapi_3_too() -> None:
    document = openapi(
        {"/a": {"get": answering({"$ref": "#/definitions/Pet"})}}, definitions={"Pet": {"type": "object"}}
    )
    validate(document.data)
    assert document.data["components"] == {"schemas": {"Pet": {"type": "object"}}}
    assert document.repairs[0].where == "/definitions"


def test_definitions_inside_a_schema_are_found_from_the_root() -> None:
    schema = {"type": "object", "properties": {"b": {"$ref": "#/$defs/B"}}, "$defs": {"B": {"type": "str"}}}
    document = openapi({"/a": {"get": answering(ref("A"))}}, components={"schemas": {"A": schema}}, openapi="3.1.0")
    validate(document.data)
    found = document.data["components"]["schemas"]["A"]
    assert found["properties"]["b"] == {"$ref": "#/components/schemas/A/$defs/B"}
    assert found["$defs"]["B"] == {"type": "string"}


def test_a_reference_to_something_that_turns_out_to_be_nothing_goes_with_it() -> None:
    document = openapi(
        {"/a": {"get": {**OK, "parameters": [{"$ref": "#/components/parameters/Bad"}]}}},
        components={"parameters": {"Bad": {"name": "x", "in": "moon"}}, "schemas": {"A": {"properties": 5}}},
    )
    validate(document.data)
    assert document.data["paths"]["/a"]["get"] == OK


def test_a_path_described_elsewhere_in_the_document_is_copied_to_its_place() -> None:
    document = openapi(
        {"/a": {"$ref": "#/components/pathItems/A", "summary": "mine"}, "/b": {"$ref": "#/components/pathItems/A"}},
        components={"pathItems": {"A": {"summary": "its", "get": OK}}},
    )
    validate(document.data)
    assert document.data["paths"] == {"/a": {"summary": "mine", "get": OK}, "/b": {"summary": "its", "get": OK}}
    assert document.data["paths"]["/a"]["get"] is not document.data["paths"]["/b"]["get"]


@pytest.mark.parametrize("info", [None, {}, {"title": None, "version": None}, [], "x"])
def test_a_missing_title_and_version_are_reported(info: Any) -> None:
    document = openapi(gets("/a"), info=info)
    validate(document.data)
    assert document.data["info"] == {"title": "", "version": "1"}
    assert [repair.what for repair in document.repairs if repair.where == "/info"][-2:] == [
        "title is missing",
        "version is missing",
    ]


def test_the_head_of_a_document_is_mended() -> None:
    document = openapi(
        gets("/a"),
        info={"title": "T", "version": 1.5, "contact": "me", "license": {"url": "x"}, "made-up": 1},
        tags=["one", {"name": "two", "made-up": 1}, {"name": "two"}, {"description": "no name"}, 5],
        servers=["?", {"url": "/{v}", "variables": {"v": {"enum": [1, 2]}, "w": "x"}}],
        security=["?", {"k": None}],
        externalDocs={"description": "nowhere"},
        components={
            "securitySchemes": {"a": {"type": "moon"}, "b": {"type": "http", "scheme": "basic", "in": "header"}}
        },
    )
    validate(document.data)
    assert document.data["info"] == {"title": "T", "version": "1.5"}
    assert document.data["tags"] == [{"name": "one"}, {"name": "two"}]
    assert document.data["servers"][0]["variables"] == {"v": {"enum": ["1", "2"], "default": "1"}}
    assert document.data["components"]["securitySchemes"] == {"b": {"type": "http", "scheme": "basic"}}
    assert document.data["security"] == [{"k": []}]


def test_a_document_that_is_right_stays_as_it_is() -> None:
    data = {
        "openapi": "3.1.0",
        "info": {"title": "T", "version": "1"},
        "paths": {"/a": {"get": {**OK, "operationId": "a"}}},
        "x-note": {"anything": None},
    }
    document = to_document(own(data), "test")
    assert (document.data, document.repairs) == (data, ())


def test_too_many_paths_are_a_clear_error() -> None:
    with pytest.raises(DocumentError, match="test: the document has 25,001 paths") as caught:
        openapi({f"/{number}": {} for number in range(normalise.MAX_PATHS + 1)})
    assert caught.value.hint


def test_copies_that_multiply_are_stopped() -> None:
    item = {"get": {**OK, "tags": [f"t{number}" for number in range(1000)]}}
    with pytest.raises(DocumentError, match="too large when its references are followed"):
        openapi({f"/{number}": {"$ref": "#/x-item"} for number in range(3000)}, **{"x-item": item})


def test_callbacks_that_go_in_a_circle_are_stopped() -> None:
    call = {**OK, "callbacks": {"on": {"{$url}": {"$ref": "#/components/pathItems/A"}}}}
    with pytest.raises(DocumentError, match="goes in a circle"):
        openapi({"/a": {"$ref": "#/components/pathItems/A"}}, components={"pathItems": {"A": {"post": call}}})


def test_a_schema_of_two_hundred_levels_is_a_clear_error() -> None:
    nested = '{"items":' * 200 + "{}" + "}" * 200
    with pytest.raises(DocumentError, match="more than 100 levels deep"):
        parse(('{"openapi": "3.0.0", "paths": {}, "x": ' + nested + "}").encode(), "test")


WORDS = [
    "$ref",
    "type",
    "items",
    "properties",
    "required",
    "enum",
    "default",
    "nullable",
    "schema",
    "parameters",
    "in",
    "name",
    "content",
    "responses",
    "200",
    "get",
    "requestBody",
    "examples",
    "example",
    "allOf",
    "anyOf",
    "discriminator",
    "mapping",
    "headers",
    "description",
    "tags",
    "operationId",
    "callbacks",
    "links",
    "additionalProperties",
    "title",
    "format",
    "security",
    "servers",
    "url",
    "summary",
    "body",
]
REFERENCES = (
    "#/paths/~1a/get/responses/200",
    "#/definitions/A",
    "#/components/schemas/A",
    "#/components/parameters/A",
    "x.yaml",
)
VALUES = st.sampled_from([None, True, 0, -1, 1.5, "", "x", "string", "int", "array", "object", "path", "query", "body"])
VALUES |= st.sampled_from(REFERENCES)
THINGS = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(
    calls=st.dictionaries(st.sampled_from(["get", "put", "parameters", "$ref", "summary"]), THINGS, max_size=3),
    components=st.dictionaries(
        st.sampled_from(["schemas", "parameters", "responses", "headers", "requestBodies", "examples"]),
        st.dictionaries(st.sampled_from(["A", "B b"]), THINGS, max_size=2),
        max_size=3,
    ),
    head=st.dictionaries(st.sampled_from(["info", "tags", "security", "x-a", "externalDocs"]), THINGS, max_size=2),
    version=st.sampled_from([{"swagger": "2.0"}, {"openapi": "3.0.3"}, {"openapi": "3.1.0"}, {"openapi": "3.2.0"}]),
)
def test_whatever_comes_in_a_valid_document_comes_out_and_stays_the_same(
    calls: Any, components: Any, head: Any, version: Any
) -> None:
    shared = components if "swagger" in version else {"components": components}
    data = {**version, **head, **shared, "paths": {"/a/{id}": calls, "/a": {"get": OK}}}
    document = to_document(json.loads(json.dumps(data)), "test")
    # A default that its schema does not allow, where that cannot be told without going through references, may stay.
    if '"default"' not in json.dumps(document.data):
        assert [error.message for error in OpenAPIV31SpecValidator(document.data).iter_errors()] == []
    again = to_document(json.loads(json.dumps(document.data)), "test")
    assert again.data == document.data
