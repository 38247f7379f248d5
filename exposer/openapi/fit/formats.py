"""Puts calls into the three formats: OpenAPI 3.1, Swagger 2.0, a list of MCP tools. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from exposer.openapi.fit.clients import Client
from exposer.openapi.fit.front import SCHEME, Front, scheme
from exposer.openapi.fit.parts import Parts, Said
from exposer.openapi.fit.texts import cut

PROBLEM = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "status": {"type": "integer"}, "detail": {"type": "string"}},
}
REFUSALS = {"401": "no valid key", "404": "not published", "429": "too many calls: wait, then try again"}
IS_PROBLEM = "application/problem+json"
MOST_ANSWER = 100

Format = Callable[[Front, Client, Iterable[Parts]], dict[str, Any]]


def openapi(front: Front, client: Client, calls: Iterable[Parts]) -> dict[str, Any]:
    """OpenAPI 3.1, everything written out but the gateway's own refusals."""
    paths: dict[str, Any] = {}
    for found in calls:
        operation = found.call.operation
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(found, client)
    return {
        "openapi": "3.1.0",
        "info": _info(front),
        "servers": [{"url": front.server}],
        "security": [{SCHEME: []}],
        "paths": paths,
        "components": {"schemas": {"Problem": PROBLEM}, "securitySchemes": {SCHEME: scheme(front)}},
    }


def swagger(front: Front, client: Client, calls: Iterable[Parts]) -> dict[str, Any]:
    """Swagger 2.0: single types, no null, no references but the gateway's own refusals."""
    paths: dict[str, Any] = {}
    for found in calls:
        operation = found.call.operation
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation_2(found)
    return {
        "swagger": "2.0",
        "info": _info(front),
        "host": front.host,
        "basePath": front.url.path + front.base or "/",
        "schemes": [front.url.scheme],
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "security": [{SCHEME: []}],
        "paths": paths,
        "definitions": {"Problem": PROBLEM},
        "securityDefinitions": {SCHEME: scheme(front, old=True)},
    }


def tools(front: Front, client: Client, calls: Iterable[Parts]) -> dict[str, Any]:
    """A list of MCP tools. Under `_meta` stands how each call is made: the client passes that over."""
    return {"tools": [_tool(found) for found in calls], "_meta": {"io.exposer/server": front.server}}


def _info(front: Front) -> dict[str, str]:
    about = {"description": front.about} if front.about else {}
    return {"title": front.title, "version": front.version, **about}


def _head(found: Parts) -> dict[str, Any]:
    texts = {"summary": found.summary, "description": found.text}
    deprecated = {"deprecated": True} if found.call.deprecated else {}
    return {"operationId": found.call.id, **{k: v for k, v in texts.items() if v}, **deprecated}


def _operation(found: Parts, client: Client) -> dict[str, Any]:
    call = found.call
    made = _head(found)
    if call.operation.tags and not client.operations:
        made["tags"] = list(dict.fromkeys(call.operation.tags))
    if found.parameters:
        made["parameters"] = [_parameter(said) for said in found.parameters]
    if call.body is not None:
        required = {"required": True} if call.body.required else {}
        made["requestBody"] = {**required, "content": {call.body.media: {"schema": found.body}}}
    content = {} if found.answer is None else {"content": {call.answer.media: {"schema": found.answer}}}
    made["responses"] = {
        call.answer.status: {"description": cut(call.answer.text, MOST_ANSWER), **content},
        **_refusals(),
    }
    if client.name == "gpt-action":
        made["x-openai-isConsequential"] = call.consequential
    return made


def _refusals() -> dict[str, Any]:
    content = {IS_PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": text, "content": content} for status, text in REFUSALS.items()}


def _parameter(said: Said) -> dict[str, Any]:
    made: dict[str, Any] = {"name": said.parameter.name, "in": said.parameter.place}
    made |= {"required": True} if said.parameter.required else {}
    made |= {"description": said.text} if said.text else {}
    made |= {"explode": False} if said.schema["type"] == "array" and not said.parameter.explode else {}
    return {**made, "schema": said.schema}


def _operation_2(found: Parts) -> dict[str, Any]:
    call = found.call
    made = _head(found)
    if call.operation.tags:
        made["tags"] = list(dict.fromkeys(call.operation.tags))
    parameters = [_parameter_2(said) for said in found.parameters]
    if call.body is not None:
        parameters.append({"name": "body", "in": "body", "required": call.body.required, "schema": found.body})
    if parameters:
        made["parameters"] = parameters
    schema = {} if found.answer is None else {"schema": found.answer}
    refused = {"schema": {"$ref": "#/definitions/Problem"}}
    refusals = {status: {"description": text, **refused} for status, text in REFUSALS.items()}
    made["responses"] = {call.answer.status: {"description": cut(call.answer.text, MOST_ANSWER), **schema}, **refusals}
    return made


def _parameter_2(said: Said) -> dict[str, Any]:
    made: dict[str, Any] = {"name": said.parameter.name, "in": said.parameter.place}
    made["required"] = said.parameter.required
    made |= {"description": said.text} if said.text else {}
    if said.schema["type"] == "array":
        made["collectionFormat"] = "multi" if said.parameter.explode else "csv"
    return {**made, **said.schema}


def _tool(found: Parts) -> dict[str, Any]:
    call = found.call
    title = {"title": found.summary} if found.summary else {}
    reads = call.reads
    hints = {
        "readOnlyHint": reads,
        "destructiveHint": not reads,
        "idempotentHint": call.operation.method != "POST" and call.operation.method != "PATCH",
        "openWorldHint": False,
    }
    schema, how = _input(found)
    return {
        "name": call.id,
        **title,
        "description": found.text or found.summary,
        "inputSchema": schema,
        "annotations": hints,
        "_meta": {"io.exposer/call": {"method": call.operation.method, "path": call.operation.path, **how}},
    }


def _input(found: Parts) -> tuple[dict[str, Any], dict[str, Any]]:
    """The tool's one argument object: the parameters by name, the body under a name of its own."""
    properties: dict[str, Any] = {}
    required = [said.parameter.name for said in found.parameters if said.parameter.required]
    how: dict[str, Any] = {}
    for said in found.parameters:
        text = {"description": said.text} if said.text else {}
        properties[said.parameter.name] = {**said.schema, **text}
        place: Mapping[str, Any] = {"in": said.parameter.place}
        explode = {"explode": said.parameter.explode} if said.schema["type"] == "array" else {}
        how.setdefault("parameters", {})[said.parameter.name] = {**place, **explode}
    if found.call.body is not None:
        name = next(
            name for name in ("body", "request_body", *map("body_{}".format, range(99))) if name not in properties
        )
        properties[name] = found.body
        required += [name] if found.call.body.required else []
        how["body"] = {"argument": name, "media": found.call.body.media}
    needs = {"required": required} if required else {}
    return {"type": "object", "properties": properties, **needs, "additionalProperties": False}, how


FORMATS: Mapping[str, Format] = {"gpt-action": openapi, "openapi": openapi, "copilot": swagger, "mcp": tools}
