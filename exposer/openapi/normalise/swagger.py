"""From the shape of Swagger 2.0 to that of OpenAPI 3: where things stand, not whether they are right. In place."""

from collections.abc import Mapping
from typing import Any

from exposer.openapi import refs
from exposer.openapi.normalise.copying import Copier
from exposer.openapi.normalise.grammar import CALLS

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
BINARY = "application/octet-stream"

# What describes the value of a parameter or header there, and belongs into its schema.
_KEYWORDS = frozenset(
    ("type", "format", "items", "default", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength")
) | frozenset(("minLength", "pattern", "maxItems", "minItems", "uniqueItems", "enum", "multipleOf", "x-nullable"))
_STYLES = {
    "csv": ("form", False),
    "tsv": ("form", False),
    "ssv": ("spaceDelimited", False),
    "pipes": ("pipeDelimited", False),
    "multi": ("form", True),
}
_MOVED = (("definitions", "schemas"), ("responses", "responses"), ("parameters", "parameters"))
_FLOWS = {"application": "clientCredentials", "accessCode": "authorizationCode"}


def upgrade(data: dict[str, Any], copier: Copier) -> None:
    """Turns a whole Swagger 2.0 document; references to the old places are left for `references`."""
    inside = _Inside(data, copier)
    paths = data.get("paths")
    for item in paths.values() if isinstance(paths, dict) else ():
        if isinstance(item, dict):
            inside.turn_item(item)
    responses = data.get("responses")
    for response in responses.values() if isinstance(responses, dict) else ():
        inside.turn_response(response, inside.produces)
    if isinstance(data.get("parameters"), dict):
        data["parameters"] = {
            name: turn_parameter(parameter) if isinstance(parameter, dict) else parameter
            for name, parameter in data["parameters"].items()
            if not isinstance(parameter, dict) or parameter.get("in") not in ("body", "formData")
        }
    components: dict[str, Any] = {}
    for old, new in _MOVED:
        if isinstance(data.get(old), dict):
            components[new] = data[old]
        data.pop(old, None)
    components["securitySchemes"] = _schemes(data.pop("securityDefinitions", None))
    servers = _servers(data)
    for key in ("swagger", "host", "basePath", "schemes", "consumes", "produces", "components", "servers"):
        data.pop(key, None)
    data["components"] = components
    if servers:
        data["servers"] = servers


class _Inside:
    """What operations and responses need to know of the document around them."""

    def __init__(self, data: dict[str, Any], copier: Copier) -> None:
        self._data = data
        self._copier = copier
        self.consumes = media_types(data.get("consumes"))
        self.produces = media_types(data.get("produces"))

    def turn_item(self, item: dict[str, Any]) -> None:
        shared, bodies = self._split(item.get("parameters"))
        if "parameters" in item:
            item["parameters"] = shared
        for method in CALLS:
            if isinstance(item.get(method), dict):
                self._turn_operation(item[method], bodies)

    def _turn_operation(self, operation: dict[str, Any], shared: list[dict[str, Any]]) -> None:
        consumes = media_types(operation.pop("consumes", None)) or self.consumes
        produces = media_types(operation.pop("produces", None)) or self.produces
        operation.pop("schemes", None)
        if "parameters" in operation:
            operation["parameters"], bodies = self._split(operation["parameters"])
        else:
            bodies = []
        names = {str((part.get("in"), part.get("name"))) for part in bodies}
        left = [part for part in shared if str((part.get("in"), part.get("name"))) not in names]
        bodies += [self._copier.copy(part) for part in left]
        if bodies:
            operation["requestBody"] = body_of(bodies, consumes, self._copier)
        responses = operation.get("responses")
        for response in responses.values() if isinstance(responses, dict) else ():
            self.turn_response(response, produces)

    def _split(self, parameters: Any) -> tuple[list[Any], list[dict[str, Any]]]:
        """What stays a parameter, and what is a part of the body."""
        stay: list[Any] = []
        bodies: list[dict[str, Any]] = []
        for raw in parameters if isinstance(parameters, list) else ():
            target = refs.follow(self._data, raw)
            if isinstance(target, dict) and target.get("in") in ("body", "formData"):
                bodies.append(target if target is raw else self._copier.copy(target))
            else:
                stay.append(turn_parameter(raw) if isinstance(raw, dict) and "$ref" not in raw else raw)
        return stay, bodies

    def turn_response(self, response: Any, produces: list[str]) -> None:
        if not isinstance(response, dict) or isinstance(response.get("$ref"), str):
            return
        schema = response.pop("schema", None)
        examples = response.pop("examples", None)
        examples = examples if isinstance(examples, dict) else {}
        types = produces
        if isinstance(schema, dict):
            is_file = schema.get("type") == "file"
            types = types or [BINARY if is_file else next(iter(examples), JSON)]
            first, *rest = types
            response["content"] = {first: {"schema": schema}}
            response["content"] |= {name: {"schema": self._copier.copy(schema)} for name in rest}
        for name, example in examples.items():
            response.setdefault("content", {}).setdefault(name, {})["example"] = example
        headers = response.get("headers")
        for header in headers.values() if isinstance(headers, dict) else ():
            if isinstance(header, dict) and "schema" not in header:
                header["schema"] = take_schema(header)
                header.pop("collectionFormat", None)


def turn_parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    """A parameter with its schema in it, and its way to write lists in the words of OpenAPI 3."""
    way = parameter.pop("collectionFormat", None)
    schema = take_schema(parameter)
    if "schema" not in parameter and schema:
        parameter["schema"] = schema
    if schema.get("type") == "array" and parameter.get("in") == "query":
        parameter["style"], parameter["explode"] = _STYLES.get(way if isinstance(way, str) else "", _STYLES["csv"])
    return parameter


def take_schema(holder: dict[str, Any]) -> dict[str, Any]:
    """Takes the keywords that describe a value out of their holder."""
    return {key: holder.pop(key) for key in list(holder) if key in _KEYWORDS}


def body_of(parts: list[dict[str, Any]], consumes: list[str], copier: Copier) -> dict[str, Any]:
    """The request body that the `body` or `formData` parameters stand for."""
    for part in parts:
        if part.get("in") == "body":
            body = {"description": part["description"]} if isinstance(part.get("description"), str) else {}
            types = [name for name in consumes if name not in (FORM, MULTIPART)] or consumes or [JSON]
            schema = part.get("schema")
            content: dict[str, Any] = {types[0]: {"schema": schema if isinstance(schema, dict) else {}}}
            content |= {name: {"schema": copier.copy(content[types[0]]["schema"])} for name in types[1:]}
            return {**body, "content": content, **({"required": True} if part.get("required") is True else {})}
    return _form(parts, consumes)


def _form(parts: list[dict[str, Any]], consumes: list[str]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    has_file = False
    for part in parts:
        name = part.get("name")
        if not isinstance(name, str):
            continue
        schema = part["schema"] if isinstance(part.get("schema"), dict) else take_schema(part)
        has_file |= schema.get("type") == "file"
        if isinstance(part.get("description"), str):
            schema.setdefault("description", part["description"])
        properties[name] = schema
        if part.get("required") is True:
            required.append(name)
    wanted = (MULTIPART,) if has_file else (FORM, MULTIPART)
    kind = next((name for name in consumes if name in wanted), wanted[0])
    schema = {"type": "object", "properties": properties, **({"required": required} if required else {})}
    return {"content": {kind: {"schema": schema}}, **({"required": True} if required else {})}


def media_types(value: Any) -> list[str]:
    given = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return list(dict.fromkeys(name.strip() for name in given if isinstance(name, str) and name.strip()))


def _servers(data: Mapping[str, Any]) -> list[dict[str, str]]:
    host, base = data.get("host"), data.get("basePath")
    base = "/" + base.strip("/") if isinstance(base, str) else ""
    if not isinstance(host, str) or not host.strip():
        return [{"url": base}] if base else []
    schemes = media_types(data.get("schemes"))
    scheme = "https" if "https" in schemes else schemes[0] if schemes else "https"
    return [{"url": f"{scheme}://{host.strip()}{base}"}]


def _schemes(definitions: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, scheme in definitions.items() if isinstance(definitions, dict) else ():
        kind = scheme.get("type") if isinstance(scheme, dict) else None
        if kind == "basic":
            found[name] = {"type": "http", "scheme": "basic"}
        elif kind == "oauth2":
            flow = scheme.get("flow")
            way = _FLOWS.get(flow, flow) if isinstance(flow, str) else ""
            told = {key: scheme[key] for key in ("authorizationUrl", "tokenUrl", "scopes") if key in scheme}
            found[name] = {"type": "oauth2", "flows": {way: told}}
        else:
            found[name] = scheme
    return found
