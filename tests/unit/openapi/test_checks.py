"""The checker knows what importers refuse: each fault is put into a good document, and has to be found."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from exposer.openapi.checks import conforms
from tests.unit.openapi.small import OK, answering, openapi, published

CLIENTS = ("gpt-action", "mcp", "openapi", "copilot")
FIELDS = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
}
BODY = {"required": True, "content": {"application/json": {"schema": FIELDS}}}
PATH = {"in": "path", "name": "id", "required": True, "schema": {"type": "string"}, "description": "which one"}
PATHS = {
    "/items/{id}": {
        "get": {**answering(FIELDS), "parameters": [PATH], "operationId": "read", "summary": "Read"},
        "put": {**OK, "parameters": [PATH], "operationId": "write", "summary": "Write", "requestBody": BODY},
    }
}


def good(client: str) -> Any:
    return json.loads(published(openapi(PATHS), client=client).text)


def said(data: Any, client: str) -> list[str]:
    return conforms(json.dumps(data), client)


def read(data: Any) -> Any:
    return data["paths"]["/items/{id}"]["get"]


def write(data: Any) -> Any:
    return data["paths"]["/items/{id}"]["put"]


def sent(data: Any) -> Any:
    return write(data)["requestBody"]["content"]["application/json"]["schema"]


@pytest.mark.parametrize("client", CLIENTS)
def test_what_is_good_is_taken(client: str) -> None:
    assert said(good(client), client) == []


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_what_is_no_document_is_not(client: str, text: str) -> None:
    assert len(conforms(text, client)) == 1


ACTION: list[tuple[Callable[[Any], Any], str]] = [
    (lambda d: d.update(openapi="3.0.3"), "Input should be '3.1.1' or '3.1.0'"),
    (lambda d: d.update(openapi="3.2.0"), "Input should be '3.1.1' or '3.1.0'"),
    (lambda d: d["info"].pop("title"), "('info', 'title'): Field required"),
    (lambda d: d["info"].pop("version"), "('info', 'version'): Field required"),
    (lambda d: d.pop("servers"), "Could not find a valid URL in `servers`"),
    (lambda d: d.update(servers=[{"url": "/api"}]), "Could not find a valid URL in `servers`"),
    (lambda d: d["servers"].append({"url": "https://y.example"}), "Multiple servers found"),
    (lambda d: d.update(servers=[{"url": "http://x.example"}]), "None of the provided servers"),
    (lambda d: d.update(servers=[{"url": "https://x.example:8443"}]), "None of the provided servers"),
    (lambda d: d.update(servers=[{"url": "https://X.example"}]), "None of the provided servers"),
    (lambda d: d.update(servers=[{"url": "https://localhost"}]), "None of the provided servers"),
    (lambda d: d.pop("components"), "schemas subsection is not an object"),
    (lambda d: d["components"].pop("schemas"), "schemas subsection is not an object"),
    (lambda d: d["components"]["securitySchemes"].update(other={"type": "http"}), "Found multiple security schemes"),
    (
        lambda d: d["components"]["schemas"].update(A={"items": {"$ref": "#/components/schemas/A"}}),
        "circular dependency",
    ),
    (lambda d: sent(d).update({"$ref": "#/components/schemas/No"}), "reference to unknown component"),
    (lambda d: d.update(paths={}), "No paths found in the OpenAPI spec"),
    (lambda d: d["paths"].update({"items": {"get": read(d)}}), "does not start with a slash; skipping"),
    (lambda d: d["paths"]["/items/{id}"].update(head=read(d)), "unrecognized method head; skipping"),
    (lambda d: read(d).pop("operationId"), "is missing operationId; skipping"),
    (lambda d: read(d).update(operationId="write"), "is not unique"),
    (lambda d: read(d).update(operationId="a b"), "not a name that a function can have"),
    (lambda d: read(d).update(operationId="x" * 65), "not a name that a function can have"),
    (lambda d: read(d).pop("summary"), "neither a summary nor a description"),
    (lambda d: read(d).update(summary="x" * 300), "has length 300 exceeding limit of 300"),
    (lambda d: read(d).update(description="😀" * 150), "has length 300 exceeding limit of 300"),
    (lambda d: read(d)["parameters"][0].update(description="x" * 700), "has length 700 exceeding limit of 700"),
    (lambda d: read(d).update(parameters=[{"$ref": "#/x"}]), "has missing or non-string name; skipping"),
    (lambda d: read(d)["parameters"].append({**PATH, "in": "header", "name": "h"}), "has location header; ignoring"),
    (lambda d: read(d)["parameters"].append({**PATH, "in": "query"}), "is duplicated; skipping"),
    (lambda d: read(d)["parameters"].clear(), "not the ones that are declared"),
    (
        lambda d: read(d)["parameters"][0].update(schema={"type": "array", "items": {"type": "string"}}),
        "not sent right",
    ),
    (lambda d: read(d).update(security=[]), "a security of its own"),
    (lambda d: read(d).pop("x-openai-isConsequential"), "x-openai-isConsequential is not said"),
    (lambda d: read(d).update(requestBody=write(d)["requestBody"]), "a get request with a body"),
    (lambda d: write(d)["requestBody"].update(content={"text/plain": {"schema": FIELDS}}), "not application/json"),
    (lambda d: sent(d).update(type="array", items={"type": "string"}), "request body schema is not an object schema"),
    (lambda d: sent(d).pop("properties"), "object schema missing properties"),
    (lambda d: sent(d)["properties"].update(x={}), "a schema without one plain type"),
    (lambda d: sent(d)["properties"].update(x={"type": ["string", "null"]}), "a schema without one plain type"),
    (lambda d: sent(d)["properties"]["tags"].update(items={"type": "object"}), "object schema missing properties"),
    (lambda d: sent(d)["properties"]["text"].update(anyOf=[{}]), "anyOf in a schema"),
]


@pytest.mark.parametrize(("spoil", "message"), ACTION)
def test_a_fault_is_found_with_the_importers_own_words(spoil: Callable[[Any], Any], message: str) -> None:
    data = good("gpt-action")
    spoil(data)
    assert any(message in what for what in said(data, "gpt-action")), said(data, "gpt-action")


def test_more_than_thirty_operations_are_too_many_for_chatgpt() -> None:
    data = good("gpt-action")
    one = read(data) | {"parameters": []}
    data["paths"] = {f"/p{number}": {"get": one | {"operationId": f"p{number}"}} for number in range(31)}
    assert said(data, "gpt-action") == ["OpenAPI spec can have a maximum of 30 operations"]
    assert said(data, "openapi") == []


COPILOT: list[tuple[Callable[[Any], Any], str]] = [
    (lambda d: d.update(swagger="3.0"), "only Swagger 2.0"),
    (lambda d: d.pop("host"), "host or basePath"),
    (lambda d: d["schemes"].append("http"), "schemes must name one"),
    (lambda d: d["securityDefinitions"].update(x={"type": "basic"}), "multiple security schemes"),
    (lambda d: read(d)["parameters"][0].update({"in": "header"}), "has location header"),
    (lambda d: read(d)["parameters"][0].update(type=["string", "null"]), "no plain type"),
    (lambda d: write(d)["parameters"].append(write(d)["parameters"][-1]), "more than one body"),
    (lambda d: write(d)["parameters"][-1].update(schema={"type": "string"}), "not an object schema"),
    (lambda d: write(d)["parameters"][-1].update(schema={"type": "object"}), "missing properties"),
    (lambda d: read(d).update(operationId="write"), "is not unique"),
]


@pytest.mark.parametrize(("spoil", "message"), COPILOT)
def test_a_fault_that_copilot_would_stumble_over_is_found(spoil: Callable[[Any], Any], message: str) -> None:
    data = good("copilot")
    spoil(data)
    assert any(message in what for what in said(data, "copilot")), said(data, "copilot")


TOOLS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda d: d.update(tools=[]), "there are no tools"),
    (lambda d: d["tools"][0].update(name="a b"), "is no tool name"),
    (lambda d: d["tools"][0].update(description=""), "has no description"),
    (lambda d: d["tools"][0].update(inputSchema={"type": "string"}), "input is not an object"),
    (lambda d: d["tools"][0].pop("annotations"), "treated as a write"),
    (lambda d: d["tools"][0].update(name="write"), "is not unique"),
]


@pytest.mark.parametrize(("spoil", "message"), TOOLS)
def test_a_fault_in_a_list_of_tools_is_found(spoil: Callable[[Any], Any], message: str) -> None:
    data = good("mcp")
    spoil(data)
    assert any(message in what for what in said(data, "mcp")), said(data, "mcp")
