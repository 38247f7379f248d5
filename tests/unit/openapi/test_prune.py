import json

import pytest
from openapi_spec_validator import validate

from tests.unit.openapi.small import OK, answering, openapi, out, ref, swagger


def test_components_go_out_only_when_something_leads_to_them() -> None:
    schemas = {
        "Used": {"type": "object", "properties": {"next": ref("Circle")}},
        "Circle": {"type": "object", "properties": {"back": ref("Used"), "self": ref("Circle")}},
        "Pet": {
            "discriminator": {
                "propertyName": "kind",
                "mapping": {"cat": "#/components/schemas/Cat", "dog": "Dog", "x": "No"},
            }
        },
        "Cat": {"type": "object"},
        "Dog": {"type": "object"},
        "Unused": ref("Used"),
    }
    paths = {
        "/a": {"get": answering({"allOf": [ref("Used"), ref("Pet")]})},
        "/b": {"get": answering(ref("Unused"))},
    }
    data = out(openapi(paths, components={"schemas": schemas}), "get_a")
    assert list(data["components"]["schemas"]) == ["Used", "Circle", "Pet", "Cat", "Dog"]
    assert data["components"]["schemas"]["Pet"]["discriminator"]["mapping"] == {
        "cat": "#/components/schemas/Cat",
        "dog": "Dog",
    }
    validate(data)


def test_swagger_components_are_pruned_in_their_own_places() -> None:
    document = swagger(
        {
            "/a": {
                "get": {
                    "parameters": [{"$ref": "#/parameters/P"}],
                    "responses": {"200": {"$ref": "#/responses/R"}},
                }
            }
        },
        parameters={
            "P": {"in": "query", "name": "p", "type": "string"},
            "Q": {"in": "query", "name": "q", "type": "string"},
        },
        responses={
            "R": {"description": "r", "schema": {"$ref": "#/definitions/D"}},
            "S": {"description": "s"},
        },
        definitions={"D": {"type": "object"}, "E": {"type": "object"}},
    )
    data = out(document)
    assert (list(data["parameters"]), list(data["responses"]), list(data["definitions"])) == (
        ["P"],
        ["R"],
        ["D"],
    )
    validate(data)


def test_a_property_may_be_called_ref() -> None:
    schema = {
        "type": "object",
        "properties": {"$ref": {"type": "string"}, "example": ref("A"), "default": ref("B")},
    }
    schemas = {"Json": schema, "A": {"type": "string"}, "B": {"type": "string"}}
    data = out(openapi({"/a": {"get": answering(ref("Json"))}}, components={"schemas": schemas}))
    assert data["components"]["schemas"] == schemas
    validate(data)


def test_references_in_examples_are_just_data_but_do_not_dangle() -> None:
    schema = {
        "example": {"$ref": "#/components/examples/E"},
        "default": [{"$ref": "#/components/examples/Gone", "a": 1}],
    }
    data = out(openapi({"/a": {"get": answering(schema)}}, components={"examples": {"E": {"value": 1}, "F": {}}}))
    sent = data["paths"]["/a"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert sent == {"example": {"$ref": "#/components/examples/E"}, "default": [{"a": 1}]}
    assert data["components"]["examples"] == {"E": {"value": 1}}


def test_data_is_left_as_it_is() -> None:
    example = {
        "links": 1,
        "x-y": 2,
        "discriminator": {"mapping": {"a": "b"}},
        "parameters": [{"in": "cookie"}],
    }
    schema = {"type": "object", "example": example, "default": example, "enum": [example], "x-note": example}
    assert out(openapi({"/a": {"get": answering(schema)}}))["paths"]["/a"]["get"]["responses"]["200"]["content"] == {
        "application/json": {"schema": schema}
    }


def test_references_deep_into_a_hidden_path_get_a_component_of_their_own() -> None:
    deep = "#/paths/~1hidden/get/responses/200/content/application~1json/schema"
    hidden = answering({"type": "object", "properties": {"again": {"$ref": deep}, "x": ref("A")}})
    hidden["parameters"] = [{"in": "query", "name": "q", "schema": {"type": "string"}}]
    shown = answering({"type": "array", "items": {"$ref": deep}})
    shown["parameters"] = [{"$ref": "#/paths/~1hidden/get/parameters/0"}]
    document = openapi({"/hidden": {"get": hidden}, "/a": {"get": shown}}, components={"schemas": {"A": {}}})
    data = out(document, "get_a")
    (name,) = set(data["components"]["schemas"]) - {"A"}
    (parameter,) = data["components"]["parameters"].values()
    assert data["components"]["schemas"][name]["properties"] == {"again": ref(name), "x": ref("A")}
    assert parameter["name"] == "q"
    assert "hidden" not in json.dumps(data)
    validate(data)


@pytest.mark.parametrize(
    "target",
    [
        "#",
        "#/",
        "#/paths",
        "#/paths/~1hidden",
        "#/paths/~1hidden/post",
        "#/components",
        "#/components/schemas",
        "#/components/securitySchemes/S",
        "#/components/pathItems/hidden",
        "#/components/schemas/None",
        "#/info",
        "#anchor",
        "other.yaml#/A",
        "http://inside.example/a.json",
        "#/components/schemas/Circle",
        "#/definitions",
    ],
)
def test_a_reference_to_nowhere_to_outside_or_to_too_much_is_taken_out(target: str) -> None:
    document = openapi(
        {
            "/hidden": {"post": {**OK, "summary": "hidden"}},
            "/a": {
                "get": {
                    "parameters": [{"$ref": target}],
                    "requestBody": {"$ref": target},
                    "responses": {
                        "200": {
                            "description": "fine",
                            "headers": {"H": {"$ref": target}},
                            "content": {
                                "application/json": {
                                    "schema": {"$ref": target, "description": "d"},
                                    "examples": {"e": {"$ref": target}},
                                }
                            },
                        },
                        "400": {"$ref": target},
                    },
                }
            },
        },
        components={
            "schemas": {"Circle": ref("Circle")},
            "securitySchemes": {"S": {"type": "http", "scheme": "basic", "description": "hidden"}},
            "pathItems": {"hidden": {"get": {**OK, "summary": "hidden"}}},
        },
        definitions={"hidden": {}},
    )
    data = out(document, "get_a")
    assert "hidden" not in json.dumps(data)
    assert data["paths"]["/a"]["get"] == {
        "operationId": "get_a",
        "parameters": [],
        "responses": {
            "200": {
                "description": "fine",
                "headers": {},
                "content": {"application/json": {"schema": {"description": "d"}, "examples": {}}},
            },
            "400": {"description": "not described"},
        },
    }
    validate(data)


def test_references_across_versions_find_a_home() -> None:
    document = openapi(
        {"/a": {"get": answering({"$ref": "#/definitions/Old"})}}, definitions={"Old": {"type": "string"}}
    )
    data = out(document)
    assert list(data["components"]["schemas"].values()) == [{"type": "string"}]
    assert "definitions" not in data
    validate(data)


def test_a_path_item_that_stands_elsewhere_is_written_out() -> None:
    document = openapi({"/a": {"$ref": "#/components/pathItems/A"}}, components={"pathItems": {"A": {"get": OK}}})
    assert out(document)["paths"] == {"/a": {"get": {"operationId": "get_a", **OK}}}
