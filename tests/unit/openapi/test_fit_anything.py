"""Whatever a document says, every client gets something that its importer takes, or a clear error."""

import json
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate

from exposer.openapi.checks import conforms
from exposer.openapi.fit import fit, offered
from exposer.openapi.model import Document, DocumentError
from exposer.openapi.normalise.values import in_format
from exposer.openapi.operations import operations

CLIENTS = ("gpt-action", "mcp", "openapi", "copilot")
NAMES = ("A", "B", "C")
WISHES: dict[str, Any] = {"public_url": "https://x.example", "auth_methods": ("api-key",), "header": "X-API-Key"}

TEXTS = ["", "id", "name", "a b", "$ref", "x" * 900, "中文" * 200, "😀" * 200, "\x00", "\ud800", "q"]
KINDS = ["string", "integer", "number", "boolean", "array", "object", "null", "file"]
REFS = [*(f"#/components/schemas/{name}" for name in NAMES), "#/components/schemas/No", "other.yaml", "", "#/"]
MEDIA = [
    "application/json",
    "text/json; charset=utf-8",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "*/*",
]


class Anything:
    """Makes documents out of one seed: quicker than strategies for values this deep, and a seed is short to print."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def maybe(self, **makers: Callable[[], Any]) -> dict[str, Any]:
        share = self.random.choice((0.2, 0.5, 0.9))
        return {name.strip("_"): make() for name, make in makers.items() if self.random.random() < share}

    def one(self, *makers: Callable[[], Any]) -> Any:
        return self.random.choice(makers)()

    def text(self) -> str:
        return self.random.choice(TEXTS)

    def some(self, make: Callable[[], Any]) -> list[Any]:
        return [make() for _ in range(self.random.randrange(4))]

    def named(self, names: list[str], make: Callable[[], Any]) -> dict[str, Any]:
        return {self.random.choice(names): make() for _ in range(self.random.randrange(4))}

    def junk(self, deep: int = 2) -> Any:
        scalar = self.random.choice((None, True, False, 0, -1, 3, 2**70, 1.5, "", "id", "x" * 50, "\ud800"))
        if deep and self.random.random() < 0.3:
            inner = partial(self.junk, deep - 1)
            return self.one(partial(self.some, inner), partial(self.named, TEXTS, inner))
        return scalar

    def mostly(self, make: Callable[[], Any]) -> Any:
        return self.junk() if self.random.random() < 0.1 else make()

    def schema(self, deep: int = 3) -> Any:
        inner = partial(self.mostly, partial(self.schema, deep - 1)) if deep else self.junk
        kind = partial(self.random.choice, KINDS)
        made = self.maybe(
            type=partial(self.mostly, lambda: self.one(kind, kind, lambda: self.some(kind))),
            properties=partial(self.mostly, partial(self.named, TEXTS, inner)),
            required=partial(self.mostly, partial(self.some, self.text)),
            items=inner,
            enum=partial(self.mostly, partial(self.some, self.junk)),
            default=self.junk,
            format=partial(self.mostly, partial(self.random.choice, ["date", "int32", "uuid", "byte", "x"])),
            description=partial(self.mostly, self.text),
            minimum=self.junk,
            maximum=self.junk,
            maxLength=self.junk,
            minItems=self.junk,
            additionalProperties=lambda: self.one(inner, lambda: True, lambda: False),
        )
        rare = self.random.random()
        if rare < 0.25:
            made["$ref"] = self.random.choice(REFS)
        elif rare < 0.5:
            made[self.random.choice(("oneOf", "anyOf", "allOf"))] = self.mostly(partial(self.some, inner))
        elif rare < 0.65:
            made[self.random.choice(("readOnly", "writeOnly", "nullable"))] = True
        elif rare < 0.7:
            made["const"] = self.junk()
        return made

    def parameter(self) -> Any:
        return self.maybe(
            required=partial(self.random.choice, (True, False, None)),
            schema=self.schema,
            description=self.text,
            style=partial(self.random.choice, ["deepObject", "pipeDelimited", "form", ""]),
            explode=partial(self.random.choice, (True, False)),
            content=partial(self.random.choice, [{"application/json": {}}, None]),
        ) | {
            "in": self.random.choice(("path", "query", "query", "header", "cookie", "body")),
            "name": self.random.choice(("id", "q", "X-One", "Accept", "filter[a]", "")),
        }

    def content(self) -> Any:
        return self.named(MEDIA, partial(self.mostly, partial(self.maybe, schema=self.schema)))

    def operation(self) -> Any:
        statuses = ["200", "201", "2XX", "default", "404", "x"]
        answer = partial(self.mostly, partial(self.maybe, description=self.text, content=self.content))
        return self.maybe(
            operationId=self.text,
            summary=partial(self.mostly, self.text),
            description=partial(self.mostly, self.text),
            tags=partial(self.mostly, partial(self.some, self.text)),
            parameters=partial(self.mostly, partial(self.some, partial(self.mostly, self.parameter))),
            requestBody=partial(
                self.mostly,
                partial(self.maybe, required=partial(self.random.choice, (True, False)), content=self.content),
            ),
            responses=partial(self.mostly, partial(self.named, statuses, answer)),
            deprecated=self.junk,
            **{"x-exposer-hide": self.junk},
        )

    def document(self) -> dict[str, Any]:
        places = ["/", "/a", "/a/{id}", "/a/{id}.{q}", "/b/"]
        methods = ["get", "post", "put", "delete", "patch", "head"]
        item = partial(self.named, methods, partial(self.mostly, self.operation))
        schemas = {name: self.mostly(self.schema) for name in NAMES}
        return {"info": self.junk(), "paths": self.named(places, item), "components": {"schemas": schemas}}


@pytest.mark.parametrize("client", CLIENTS)
@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**40))
def test_what_goes_out_conforms_whatever_came_in(client: str, seed: int) -> None:
    document = Document(Anything(seed).document(), "test", "", "/api", "3.1.0")
    chosen = operations(document)
    try:
        fitted = fit(document, chosen, client=client, title="T", **WISHES)
    except DocumentError:
        return
    for pack in fitted.packs:
        said = conforms(pack.text, client)
        assert said == ([] if pack.operations else ["there are no tools" if client == "mcp" else NO_PATHS])
        if client != "mcp":
            validate(json.loads(pack.text))
    there = [operation for pack in fitted.packs for operation in pack.operations]
    assert len(there) + len(fitted.dropped) == len(chosen)
    assert fit(document, chosen, client=client, title="T", **WISHES) == fitted
    offer = offered(document, chosen, client=client, header="X-API-Key")
    assert (offer.kept, offer.dropped, offer.inject) == (tuple(there), fitted.dropped, fitted.inject)


NO_PATHS = "No paths found in the OpenAPI spec"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_schema_nested_very_deep_is_cut_or_a_clear_error(client: str) -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(5000):
        deep = {"allOf": [deep]}
    chain = {f"S{n}": {"allOf": [{"$ref": f"#/components/schemas/S{n + 1}"}]} for n in range(3000)}
    for held in (deep, {"$ref": "#/components/schemas/S0"}):
        content = {"application/json": {"schema": held}}
        operation = {"responses": {"200": {"description": "x", "content": content}}, "summary": "s"}
        document = Document(
            {"paths": {"/a": {"get": operation}}, "components": {"schemas": chain}}, "", "", "", "3.1.0"
        )
        try:
            fitted = fit(document, operations(document), client=client, title="T", **WISHES)
        except DocumentError:
            continue
        assert conforms(fitted.packs[0].text, client) == []


def test_schemas_that_all_hold_each_other_cost_no_more_than_they_are_long() -> None:
    """Written out, this would be 60 to the power of 8 objects."""
    names = [f"S{number}" for number in range(60)]
    held = {name: {"$ref": f"#/components/schemas/{name}"} for name in names}
    data = {
        "paths": {
            f"/{name}": {
                "get": {"responses": {"200": {"content": {"application/json": {"schema": ref}}}}, "summary": "s"}
            }
            for name, ref in held.items()
        },
        "components": {"schemas": {name: {"type": "object", "properties": held} for name in names}},
    }
    document = Document(data, "", "", "", "3.1.0")
    for client in CLIENTS:
        fitted = fit(document, operations(document), client=client, title="T", **WISHES)
        assert all(conforms(pack.text, client) == [] for pack in fitted.packs)
        assert len(fitted.packs[0].text) < 500_000


def test_a_default_without_room_in_its_format_is_left_out() -> None:
    assert in_format("int32", 2**31 - 1)
    assert in_format("int32", -(2**31))
    assert not in_format("int32", 2**31)
    assert not in_format("int64", -(2**63) - 1)
    assert in_format("float", 2**80)
    assert in_format([], 2**80)
    assert in_format("int32", 2.5)
    test_what_goes_out_conforms_whatever_came_in.hypothesis.inner_test("copilot", seed=6827733)
