"""What an importer would say about single operations and schemas of a finished document; the rest is in `checks`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from exposer.openapi import refs

IN_ADDRESS = ("string", "integer", "number", "boolean", "array")
TYPES = (*IN_ADDRESS, "object")
OPERATION_TEXT, PARAMETER_TEXT = 300, 700
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_IN_PATH = re.compile(r"\{([^{}/]+)\}")

Problems = Iterator[str]


def operation_id(path: str, method: str, raw: Mapping[str, Any]) -> Problems:
    name = raw.get("operationId")
    if not isinstance(name, str) or not name:
        yield f"In path {path}, method {method} is missing operationId; skipping"
    elif not NAME.fullmatch(name):
        yield f"{name}: not a name that a function can have"
    if not raw.get("summary") and not raw.get("description"):
        yield f"{name}: it has neither a summary nor a description"


def operation(data: Mapping[str, Any], path: str, method: str, raw: Mapping[str, Any], *, strict: bool) -> Problems:
    """`strict` is ChatGPT."""
    yield from operation_id(path, method, raw)
    where = str(raw.get("operationId"))
    if "security" in raw:
        yield f"{where}: a security of its own, so the wrong key or none is sent"
    parameters = raw.get("parameters", [])
    names: set[Any] = set()
    for parameter in parameters:
        name = parameter.get("name")
        if not isinstance(name, str):
            yield f"parameter {parameter} has missing or non-string name; skipping"
        if parameter.get("in") not in ("path", "query"):
            yield f"parameter {name} has location {parameter.get('in')}; ignoring"
        if name in names:
            yield f"parameter {name} is duplicated; skipping function due to errors"
        names.add(name)
        kind = parameter.get("schema", {}).get("type")
        if kind == "object" or (strict and kind == "array"):
            yield f"{where}: parameter {name} is of type {kind}, which is not sent right"
        yield from one_schema(data, parameter.get("schema"), where)
    yield from declared(where, path, parameters)
    yield from _body(data, where, method, raw.get("requestBody"), strict)


def declared(where: str, path: str, parameters: Any) -> Problems:
    said = {parameter.get("name") for parameter in parameters if parameter.get("in") == "path"}
    if said != set(_IN_PATH.findall(path)):
        yield f"{where}: the parameters in the path are not the ones that are declared"


def _body(data: Mapping[str, Any], where: str, method: str, body: Any, strict: bool) -> Problems:
    if body is None:
        return
    if method in ("get", "delete"):
        yield f"{where}: a {method} request with a body"
    content = body.get("content", {})
    allowed = {"application/json"} if strict else {"application/json", "application/x-www-form-urlencoded"}
    if len(content) != 1 or not set(content) <= allowed:
        yield f"{where}: the body is not application/json"
    for held in content.values():
        yield from one_schema(data, held.get("schema"), where, root=True)


def one_schema(data: Mapping[str, Any], schema: Any, where: str, root: bool = False) -> Problems:
    """What is sent in: plain, typed, and an object where it is a body."""
    if isinstance(schema, Mapping) and "$ref" in schema:
        schema = refs.follow(data, schema)
    if not isinstance(schema, Mapping) or schema.get("type") not in TYPES:
        yield f"{where}: a schema without one plain type"
        return
    if union := sorted({"oneOf", "anyOf", "allOf", "not", "nullable"} & set(schema)):
        yield f"{where}: {', '.join(union)} in a schema"
    if root and schema["type"] != "object":
        yield f"{where}: request body schema is not an object schema; skipping"
    if schema["type"] == "object" and not isinstance(schema.get("properties"), Mapping):
        yield f"{where}: object schema missing properties"
    for child in schema.get("properties", {}).values():
        yield from one_schema(data, child, where)
    if schema["type"] == "array":
        yield from one_schema(data, schema.get("items"), where)


def parameter_2(where: str, parameter: Mapping[str, Any]) -> Problems:
    if parameter.get("in") not in ("path", "query", "body"):
        yield f"{where}: parameter {parameter.get('name')} has location {parameter.get('in')}"
    if parameter.get("in") != "body" and parameter.get("type") not in IN_ADDRESS:
        yield f"{where}: parameter {parameter.get('name')} has no plain type"


def lengths(raw: Mapping[str, Any]) -> Problems:
    where = raw.get("operationId")
    for key in ("summary", "description"):
        if (size := _length(raw.get(key, ""))) >= OPERATION_TEXT:
            yield f"{where}.{key} has length {size} exceeding limit of {OPERATION_TEXT}"
    for parameter in raw.get("parameters", ()):
        if (size := _length(parameter.get("description", ""))) >= PARAMETER_TEXT:
            name = parameter.get("name")
            yield f"{where}: parameter {name} description has length {size} exceeding limit of {PARAMETER_TEXT}"


def _length(text: str) -> int:
    return len(text.encode("utf-16-le", errors="replace")) // 2
