from typing import Any

import pytest
from openapi_spec_validator import validate

from exposer.openapi.model import Document
from tests.unit.openapi.small import OK, answering, openapi, ref, swagger


def normal(schema: Any, spec: str = "3.0.3") -> tuple[Any, Document]:
    """The schema after it was read, and the document around it."""
    schemas = {"It": schema, "Pet": {"type": "object"}}
    document = openapi({"/a": {"get": answering(ref("It"))}}, openapi=spec, components={"schemas": schemas})
    validate(document.data)
    return document.data["components"]["schemas"]["It"], document


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": False}, {"type": "string"}),
        ({"type": "string", "enum": ["a"], "nullable": True}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({**ref("Pet"), "nullable": True}, {"anyOf": [ref("Pet"), {"type": "null"}]}),
        ({"allOf": [ref("Pet")], "nullable": True}, {"anyOf": [{"allOf": [ref("Pet")]}, {"type": "null"}]}),
        ({"oneOf": [ref("Pet")], "nullable": True}, {"oneOf": [ref("Pet"), {"type": "null"}]}),
        ({"nullable": True, "description": "any"}, {"description": "any"}),
        ({"type": "integer", "minimum": 1, "exclusiveMinimum": True}, {"type": "integer", "exclusiveMinimum": 1}),
        ({"type": "integer", "maximum": 9, "exclusiveMaximum": False}, {"type": "integer", "maximum": 9}),
        ({"type": "integer", "exclusiveMinimum": True}, {"type": "integer"}),
        ({**ref("Pet"), "description": "mine", "type": "object"}, {**ref("Pet"), "description": "mine"}),
        ({"type": "object", "discriminator": "kind"}, {"type": "object", "discriminator": {"propertyName": "kind"}}),
        ({"type": "string", "$id": "User", "$schema": "http://json-schema.org/draft-07/schema#"}, {"type": "string"}),
        (
            {"type": "string", "format": "of-our-own", "example": 1},
            {"type": "string", "format": "of-our-own", "example": 1},
        ),
    ],
)
def test_what_was_right_in_3_0_says_the_same_in_3_1_and_needs_no_word(old: Any, new: Any) -> None:
    schema, document = normal(old)
    assert schema == new
    assert document.repairs == ()


def test_3_1_keeps_what_stands_beside_a_reference() -> None:
    schema, document = normal({**ref("Pet"), "properties": {"a": {"type": "int"}}}, "3.1.0")
    assert schema == {**ref("Pet"), "properties": {"a": {"type": "integer"}}}
    assert [repair.where for repair in document.repairs] == ["/components/schemas/It/properties/a"]


@pytest.mark.parametrize(
    ("broken", "mended"),
    [
        ({"type": "int"}, {"type": "integer"}),
        ({"type": "str"}, {"type": "string"}),
        ({"type": "String"}, {"type": "string"}),
        ({"type": "float"}, {"type": "number", "format": "float"}),
        ({"type": "bool"}, {"type": "boolean"}),
        ({"type": "datetime"}, {"type": "string", "format": "date-time"}),
        ({"type": "dict"}, {"type": "object"}),
        ({"type": "list"}, {"type": "array", "items": {}}),
        ({"type": "Pony"}, {}),
        ({"type": None}, {}),
        ({"type": ["string", "Pony"]}, {}),
        ({"type": ["int", "null"]}, {"type": ["integer", "null"]}),
        ({"type": "array"}, {"type": "array", "items": {}}),
        ({"type": "array", "items": [{"type": "string"}]}, {"type": "array", "items": {"type": "string"}}),
        (
            {"type": "array", "items": [{"type": "string"}, ref("Pet")]},
            {"type": "array", "items": {"anyOf": [{"type": "string"}, ref("Pet")]}},
        ),
        ({"type": "array", "items": None}, {"type": "array", "items": {}}),
        ({"type": "string", "enum": ["a", "b", "a"]}, {"type": "string", "enum": ["a", "b"]}),
        ({"enum": [1, True, 1.0, 1]}, {"enum": [1, True, 1.0]}),
        ({"type": "string", "enum": "a"}, {"type": "string", "enum": ["a"]}),
        ({"type": "string", "enum": []}, {"type": "string"}),
        (
            {"type": "object", "properties": {"a": {"required": True}, "b": {"required": False}}},
            {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["a"]},
        ),
        ({"type": "object", "properties": {"a": None, "b": "x"}}, {"type": "object", "properties": {"a": {}, "b": {}}}),
        ({"type": "object", "properties": []}, {"type": "object"}),
        ({"type": "object", "required": True}, {"type": "object"}),
        ({"allOf": ref("Pet")}, {"allOf": [ref("Pet")]}),
        ({"anyOf": [ref("Pet"), None]}, {"anyOf": [ref("Pet")]}),
        ({"type": "string", "minLength": "3", "maxLength": -1}, {"type": "string", "minLength": 3}),
        ({"type": "string", "pattern": "(["}, {"type": "string"}),
        ({"type": "string", "deprecated": "true"}, {"type": "string", "deprecated": True}),
        ({"type": "array", "items": {}, "default": None}, {"type": "array", "items": {}}),
        ({"type": "integer", "default": "10"}, {"type": "integer", "default": 10}),
        ({"type": "string", "enum": ["a"], "default": "b"}, {"type": "string", "enum": ["a"]}),
        ({"type": "object", "additionalProperties": "true"}, {"type": "object", "additionalProperties": True}),
        (ref("Nobody"), {}),
        ({"$ref": "https://elsewhere.example/pet.json"}, {}),
        (ref("It"), {}),
        ({"$ref": "#/definitions/Pet"}, ref("Pet")),
        ({"$ref": "Pet"}, ref("Pet")),
    ],
)
def test_what_is_commonly_broken_is_mended(broken: Any, mended: Any) -> None:
    assert normal(broken)[0] == mended


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"type": "int"}, "there is no type int: it stands for integer"),
        ({"type": "Pony"}, "there is no type Pony: any will do"),
        ({"type": "array"}, "an array without items; they may be anything"),
        ({"enum": ["a", "a"]}, "enum has the same value twice"),
        (ref("Nobody"), "the reference #/components/schemas/Nobody leads nowhere and was left out"),
        (
            {"type": "string", "default": 5.5, "enum": ["a"]},
            "default 5.5 is none of the allowed values and was left out",
        ),
    ],
)
def test_a_repair_says_where_and_what(broken: Any, said: str) -> None:
    (repair,) = normal(broken)[1].repairs
    assert (repair.where, repair.what) == ("/components/schemas/It", said)


def test_a_property_may_be_called_like_a_keyword() -> None:
    names = ("$ref", "type", "items", "required", "properties", "nullable", "example", "enum", "x-y", "default")
    given = {"type": "object", "properties": {name: {"type": "int"} for name in names}}
    schema, document = normal(given)
    assert schema == {"type": "object", "properties": {name: {"type": "integer"} for name in names}}
    assert len(document.repairs) == len(names)


def test_what_is_data_is_left_alone() -> None:
    data = {"type": "int", "nullable": True, "$ref": "nowhere.yaml", "items": [1]}
    given = {"type": "object", "example": data, "x-note": {**data}}
    assert normal(given)[0] == given


def test_x_nullable_of_swagger_is_understood() -> None:
    document = swagger({"/a": {"get": OK}}, definitions={"It": {"type": "string", "x-nullable": True}})
    assert document.data["components"]["schemas"]["It"] == {"type": ["string", "null"]}


def test_a_thousand_repairs_are_enough_to_read() -> None:
    schema = {"type": "object", "properties": {f"p{number}": {"type": "int"} for number in range(1500)}}
    repairs = normal(schema)[1].repairs
    assert len(repairs) == 1001
    assert repairs[-1].what == "500 more repairs are not listed"
