from typing import Any

import pytest
from openapi_spec_validator import validate

from tests.unit.openapi.small import OK, swagger


def call(operation: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The operation after a Swagger 2.0 document with it was read."""
    document = swagger({"/a": {"post": {**OK, **operation}}}, **more)
    validate(document.data)
    found: dict[str, Any] = document.data["paths"]["/a"]["post"]
    return found


def test_the_whole_document_is_openapi_3_1_afterwards_and_the_version_is_remembered() -> None:
    document = swagger(
        {"/a": {"get": OK}},
        host="api.example",
        basePath="/v1/",
        schemes=["http", "https"],
        consumes=["application/json"],
        securityDefinitions={
            "b": {"type": "basic"},
            "k": {"type": "apiKey", "name": "X-Key", "in": "header"},
            "o": {"type": "oauth2", "flow": "accessCode", "authorizationUrl": "https://a", "tokenUrl": "https://t"},
            "bad": {"type": "oauth2"},
        },
    )
    validate(document.data)
    assert (document.spec, document.data["openapi"], document.base_path) == ("2.0", "3.1.0", "/v1")
    assert document.data["servers"] == [{"url": "https://api.example/v1"}]
    assert set(document.data) == {"openapi", "info", "servers", "components", "paths"}
    schemes = document.data["components"]["securitySchemes"]
    assert schemes["b"] == {"type": "http", "scheme": "basic"}
    assert schemes["o"]["flows"]["authorizationCode"]["tokenUrl"] == "https://t"
    assert set(schemes) == {"b", "k", "o"}
    assert [repair.where for repair in document.repairs] == ["/components/securitySchemes/bad"]


def test_a_body_becomes_a_request_body_in_each_media_type() -> None:
    body = {"in": "body", "name": "it", "required": True, "description": "what", "schema": {"$ref": "#/definitions/P"}}
    found = call(
        {"parameters": [body], "consumes": ["application/json", "text/xml"]}, definitions={"P": {"type": "object"}}
    )
    schema = {"$ref": "#/components/schemas/P"}
    assert found["requestBody"] == {
        "description": "what",
        "required": True,
        "content": {"application/json": {"schema": schema}, "text/xml": {"schema": schema}},
    }
    assert "parameters" not in found


def test_a_body_without_a_media_type_is_json_and_the_documents_own_counts_first() -> None:
    body = {"in": "body", "name": "it", "schema": {}}
    assert list(call({"parameters": [body]})["requestBody"]["content"]) == ["application/json"]
    assert list(call({"parameters": [body]}, consumes=["a/b"])["requestBody"]["content"]) == ["a/b"]


def test_form_fields_become_one_object() -> None:
    fields = [
        {"in": "formData", "name": "n", "type": "int", "required": True, "description": "how many"},
        {"in": "formData", "name": "l", "type": "array", "items": {"type": "string"}, "collectionFormat": "multi"},
    ]
    content = call({"parameters": fields})["requestBody"]["content"]
    assert content == {
        "application/x-www-form-urlencoded": {
            "schema": {
                "type": "object",
                "properties": {
                    "n": {"type": "integer", "description": "how many"},
                    "l": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["n"],
            }
        }
    }


def test_a_file_makes_the_form_multipart_and_is_binary() -> None:
    found = call({"parameters": [{"in": "formData", "name": "f", "type": "file"}]})
    schema = found["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert schema["properties"] == {"f": {"type": "string", "format": "binary"}}


def test_shared_bodies_and_fields_are_found() -> None:
    body = {"in": "body", "name": "b", "schema": {"type": "object"}}
    query = {"in": "query", "name": "q", "type": "string"}
    document = swagger(
        {
            "/a": {"parameters": [{"$ref": "#/parameters/B"}], "put": OK, "post": OK},
            "/b": {"get": {**OK, "parameters": [{"$ref": "#/parameters/Q"}]}},
        },
        parameters={"B": body, "Q": query},
    )
    validate(document.data)
    item = document.data["paths"]["/a"]
    assert "parameters" not in item
    assert item["put"]["requestBody"] == item["post"]["requestBody"]
    assert item["put"]["requestBody"] is not item["post"]["requestBody"]
    assert document.data["paths"]["/b"]["get"]["parameters"] == [{"$ref": "#/components/parameters/Q"}]
    assert set(document.data["components"]["parameters"]) == {"Q"}


@pytest.mark.parametrize(
    ("way", "style", "explode"),
    [
        ("csv", "form", False),
        (None, "form", False),
        ("multi", "form", True),
        ("ssv", "spaceDelimited", False),
        ("pipes", "pipeDelimited", False),
        (["?"], "form", False),
    ],
)
def test_lists_in_a_query_are_written_as_before(way: Any, style: str, explode: bool) -> None:
    given = {"in": "query", "name": "q", "type": "array", "items": {"type": "string"}}
    (found,) = call({"parameters": [{**given, **({"collectionFormat": way} if way else {})}]})["parameters"]
    assert (found["style"], found["explode"]) == (style, explode)
    assert found["schema"] == {"type": "array", "items": {"type": "string"}}


def test_what_describes_a_value_moves_into_the_schema() -> None:
    given = {
        "in": "query",
        "name": "q",
        "type": "integer",
        "minimum": 1,
        "exclusiveMinimum": True,
        "default": 5,
        "enum": [5],
    }
    (found,) = call({"parameters": [given]})["parameters"]
    assert found == {
        "in": "query",
        "name": "q",
        "schema": {"type": "integer", "exclusiveMinimum": 1, "default": 5, "enum": [5]},
    }


def test_answers_get_their_media_types() -> None:
    answers = {
        "200": {"description": "d", "schema": {"type": "string"}, "examples": {"text/plain": "hello"}},
        "201": {"description": "d", "schema": {"type": "file"}, "headers": {"X-N": {"type": "integer"}}},
        "204": {"description": "nothing"},
        "404": {"$ref": "#/responses/Gone"},
    }
    found = call(
        {"responses": answers, "produces": ["text/plain", "a/b"]},
        responses={"Gone": {"description": "gone", "schema": {}}},
    )["responses"]
    assert found["200"]["content"] == {
        "text/plain": {"schema": {"type": "string"}, "example": "hello"},
        "a/b": {"schema": {"type": "string"}},
    }
    assert found["201"]["content"]["a/b"] == {"schema": {"type": "string", "format": "binary"}}
    assert found["201"]["headers"] == {"X-N": {"schema": {"type": "integer"}}}
    assert found["204"] == {"description": "nothing"}
    assert found["404"] == {"$ref": "#/components/responses/Gone"}


def test_a_file_as_an_answer_without_a_media_type_is_just_bytes() -> None:
    found = call({"responses": {"200": {"description": "d", "schema": {"type": "file"}}}})["responses"]["200"]
    assert list(found["content"]) == ["application/octet-stream"]
