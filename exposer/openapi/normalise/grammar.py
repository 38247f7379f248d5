"""Which kind of thing stands where in a description, for Swagger 2.0 and OpenAPI 3 in one table. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from exposer.openapi.normalise.report import Where

CALLS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def _one(kind: str) -> tuple[str, bool]:
    return kind, False


def _named(kind: str) -> tuple[str, bool]:
    return kind, True


_SCHEMA = {
    **dict.fromkeys(("properties", "patternProperties", "dependentSchemas", "$defs", "definitions"), _named("schema")),
    **dict.fromkeys(("items", "additionalProperties", "not", "if", "then", "else", "contains"), _one("schema")),
    **dict.fromkeys(("propertyNames", "unevaluatedItems", "unevaluatedProperties"), _one("schema")),
    **dict.fromkeys(("contentSchema", "additionalItems"), _one("schema")),
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), _one("schema")),
}
_DESCRIBED = {"schema": _one("schema"), "content": _named("media"), "examples": _named("example")}

# By kind: what stands under each key, and whether these are named things. A list has one in each element.
GRAMMAR: dict[str, dict[str, tuple[str, bool]]] = {
    "root": {
        "paths": _named("pathItem"),
        "webhooks": _named("pathItem"),
        "components": _one("components"),
        "definitions": _named("schema"),
        "parameters": _named("parameter"),
        "responses": _named("response"),
    },
    "components": {
        "schemas": _named("schema"),
        "parameters": _named("parameter"),
        "headers": _named("header"),
        "examples": _named("example"),
        "requestBodies": _named("requestBody"),
        "responses": _named("response"),
        "pathItems": _named("pathItem"),
        "callbacks": _named("callback"),
        "mediaTypes": _named("media"),
    },
    "pathItem": {"parameters": _one("parameter"), **dict.fromkeys((*CALLS, "query"), _one("operation"))},
    "operation": {
        "parameters": _one("parameter"),
        "requestBody": _one("requestBody"),
        "responses": _named("response"),
        "callbacks": _named("callback"),
    },
    "callback": {},
    "parameter": {**_DESCRIBED, "items": _one("schema")},
    "header": {**_DESCRIBED, "items": _one("schema")},
    "response": {"headers": _named("header"), "content": _named("media"), "schema": _one("schema")},
    "requestBody": {"content": _named("media"), "schema": _one("schema")},
    "media": {
        "schema": _one("schema"),
        "itemSchema": _one("schema"),
        "examples": _named("example"),
        "encoding": _named("encoding"),
    },
    "encoding": {"headers": _named("header")},
    "schema": _SCHEMA,
    "example": {},
}

# Where the shared things of a kind live, in OpenAPI 3 and in Swagger 2.0.
SECTIONS = {
    "schema": "schemas",
    "parameter": "parameters",
    "header": "headers",
    "example": "examples",
    "requestBody": "requestBodies",
    "response": "responses",
    "pathItem": "pathItems",
    "callback": "callbacks",
    "media": "mediaTypes",
}
SECTIONS_2 = {"schema": "definitions", "parameter": "parameters", "response": "responses"}

# In these maps a key that begins with "x-" is a note, not a name.
_NOTED = frozenset(("pathItem", "response", "callback"))

Spot = tuple[Any, Any, Any, str, Where]


def spots(kind: str, node: Mapping[str, Any], where: Where) -> Iterator[Spot]:
    """The places below a node where something of a known kind stands: (holder, key, value, its kind, where)."""
    if kind == "callback":
        for key in [key for key in node if not key.startswith("x-") and key != "$ref"]:
            yield node, key, node[key], "pathItem", (where, key)
        return
    grammar = GRAMMAR[kind]
    for key in [key for key in node if key in grammar]:
        child, named = grammar[key]
        value = node[key]
        if isinstance(value, list):
            for number, item in enumerate(value):
                yield value, number, item, child, ((where, key), number)
        elif not named or not isinstance(value, dict):
            yield node, key, value, child, (where, key)
        else:
            for name, item in list(value.items()):
                if child not in _NOTED or not name.startswith("x-"):
                    yield value, name, item, child, ((where, key), name)


def walk(kind: str, root: dict[str, Any], where: Where = None) -> Iterator[Spot]:
    """Every spot below a node, from the top down and in the order of the document.

    A spot's value may be replaced in its holder while walking: what stands there then is gone into.
    """
    stack = [spots(kind, root, where)]
    while stack:
        spot = next(stack[-1], None)
        if spot is None:
            stack.pop()
            continue
        yield spot
        holder, key, _, child, below = spot
        value = holder.get(key) if isinstance(holder, dict) else holder[key]
        if isinstance(value, dict):
            stack.append(spots(child, value, below))
