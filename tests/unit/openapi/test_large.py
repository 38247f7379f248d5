"""Which answers may be of any size, by the document."""

from typing import Any

import pytest

from exposer.openapi.large import large
from exposer.openapi.model import Document, Operation

ONE = Operation("getIt", "GET", "/it", "/it")
ITEM = {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}


def document(responses: Any, parameters: Any = ()) -> Document:
    get = {"responses": responses, "parameters": [{"in": "query", "name": name} for name in parameters]}
    schemas = {"Item": ITEM, "Loop": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Loop"}}}}
    data = {"openapi": "3.1.0", "paths": {"/it": {"get": get}}, "components": {"schemas": schemas}}
    return Document(data, "here", "d", "", "3.1.0")


def answer(schema: Any, status: str = "200") -> dict[str, Any]:
    return {status: {"description": "", "content": {"application/json": {"schema": schema}}}}


@pytest.mark.parametrize(
    ("responses", "any_size"),
    [
        (answer(ITEM), False),
        (answer({"$ref": "#/components/schemas/Item"}), False),
        (answer({"type": "array", "items": ITEM}), True),
        (answer({"type": ["array", "null"]}), True),
        (answer({"type": "object", "properties": {"items": {"type": "array"}}}), True),
        (
            answer({"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "array"}}}}}),
            True,
        ),
        (answer({"allOf": [ITEM, {"properties": {"list": {"type": "array"}}}]}), True),
        (answer({"type": "object", "additionalProperties": ITEM}), True),
        (answer({"type": "object"}), True),
        (answer({}), True),
        (answer(True), True),
        (answer({"type": "boolean"}), False),
        (answer({"type": "string"}), False),
        (answer({"type": "string", "format": "binary"}), True),
        (answer({"$ref": "#/components/schemas/Loop"}), True),
        (answer({"$ref": "#/nowhere"}), True),
        ({"200": {"description": "something"}}, True),
        ({"204": {"description": "nothing"}}, False),
        ({"404": {"description": "missing"}}, True),
        ({}, True),
        (None, True),
        (answer({"type": "array"}, "default"), True),
    ],
)
def test_a_list_or_what_is_not_described_may_be_of_any_size(responses: Any, any_size: bool) -> None:
    assert ("getIt" in large(document(responses), (ONE,))) is any_size


def test_the_parameters_that_ask_for_less_are_named_as_they_are_written() -> None:
    names = ["pageSize", "per-page", "$top", "limit", "sort", "id", "Filter", "q"]
    found = large(document(answer({"type": "array"}), names), (ONE,))
    assert found == {"getIt": ("pageSize", "per-page", "$top", "limit", "Filter")}


def test_without_a_document_everything_may_be_of_any_size() -> None:
    assert large(None, (ONE,)) == {"getIt": ()}
