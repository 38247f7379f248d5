"""What a call takes and gives: parameters, bodies, responses, media types, each on its own. In place."""

import re
from http.client import responses as PHRASES
from typing import Any

from exposer.openapi.normalise import swagger, values
from exposer.openapi.normalise.copying import Copier
from exposer.openapi.normalise.fields import fix_fields
from exposer.openapi.normalise.grammar import CALLS
from exposer.openapi.normalise.head import fix_servers
from exposer.openapi.normalise.report import Report, Where, short

PLACES = ("query", "header", "path", "cookie")
_STYLES = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
}
_CODE = re.compile(r"[1-5]([0-9][0-9]|XX)")
_CODE_INSIDE = re.compile(r"[1-5]([0-9][0-9]|[xX][xX])(?![0-9])")


def fix_parameter(node: dict[str, Any], where: Where, report: Report) -> None:
    """A parameter that `is_parameter`; its schema is there afterwards."""
    place = node["in"]
    _fix_described(node, where, report)
    fix_fields("parameter", node, where, report)
    if "style" in node and (node["style"] not in _STYLES[place] or "content" in node):
        report.add(where, f"style {node.pop('style')} is not for a {place} parameter and was left out")
    if place == "path" and node.get("allowReserved") is True:  # since 3.2: slashes are for it as well
        node["x-exposer-multi-segment"] = True
    if place != "query":
        for key in ("allowReserved", "allowEmptyValue"):
            node.pop(key, None)
    if place == "path" and node.get("required") is not True:
        report.add(where, "a path parameter is always required")
        node["required"] = True


def is_parameter(node: dict[str, Any], where: Where, report: Report) -> bool:
    """Whether it has a name and a place; what can be read as one is."""
    if not isinstance(node.get("name"), str) and isinstance(node.get("name"), int | float | bool):
        node["name"] = values.text(node["name"])
    place = node.get("in")
    if isinstance(place, str):
        node["in"] = place = place.strip().lower()
    if isinstance(node.get("name"), str) and node["name"] and place in PLACES:
        return True
    report.add(where, f"parameter {short(node.get('name'))} in {short(place)} is none and was left out")
    return False


def fix_header(node: dict[str, Any], where: Where, report: Report) -> None:
    _fix_described(node, where, report)
    for key in ("name", "in"):
        node.pop(key, None)
    fix_fields("header", node, where, report)
    if node.get("style", "simple") != "simple":
        del node["style"]


def _fix_described(node: dict[str, Any], where: Where, report: Report) -> None:
    """A schema or one media type, not both, and not the loose keywords of Swagger 2.0."""
    content = node.get("content")
    if isinstance(content, dict) and content:
        if len(content) > 1:
            report.add(where, "content has more than one media type; the first is kept")
            node["content"] = dict([next(iter(content.items()))])
        for key in ("schema", "items"):
            node.pop(key, None)
        return
    node.pop("content", None)
    if isinstance(node.get("schema"), dict | bool):
        node.pop("items", None)
        return
    loose = swagger.take_schema(node)
    report.add(where, "the type stood beside the schema" if loose else "it has no schema; it is text now")
    node["schema"] = loose or {"type": "string"}


def fix_request_body(node: dict[str, Any], where: Where, report: Report) -> None:
    _wrap_schema(node, where, report)
    fix_fields("requestBody", node, where, report)
    if not isinstance(node.get("content"), dict):
        node["content"] = {}


def fix_response(node: dict[str, Any], where: Where, report: Report) -> None:
    summary = node.pop("summary", None)  # since 3.2
    if not isinstance(node.get("description"), str):
        given = values.text(node.get("description", summary))
        code = str(where[1]) if where else ""
        node["description"] = PHRASES.get(int(code), "") if code.isdigit() else ""
        if given is not values.BAD:
            node["description"] = given
        elif "summary" not in node:
            report.add(where, "a response needs a description")
    _wrap_schema(node, where, report)
    fix_fields("response", node, where, report)


def _wrap_schema(node: dict[str, Any], where: Where, report: Report) -> None:
    """A schema without its media type, as in Swagger 2.0."""
    schema = node.pop("schema", None)
    if schema is None:
        return
    report.add(where, "schema stood without its media type; it is taken for JSON")
    if not node.get("content"):
        node["content"] = {"application/json": {"schema": schema}}


def fix_media(node: dict[str, Any], where: Where, report: Report) -> None:
    items = node.pop("itemSchema", None)  # since 3.2: a stream of these
    if "schema" not in node and isinstance(items, dict | bool):
        node["schema"] = {"type": "array", "items": items}
    if "schema" in node and node["schema"] is None:
        report.add(where, "schema is null and was left out")
        del node["schema"]
    fix_fields("media", node, where, report)


def fix_encoding(node: dict[str, Any], where: Where, report: Report) -> None:
    fix_fields("encoding", node, where, report)
    if node.get("style", "form") not in _STYLES["query"]:
        del node["style"]


def fix_example(node: dict[str, Any], where: Where, report: Report) -> None:
    if "value" not in node and "dataValue" in node:  # since 3.2
        node["value"] = node["dataValue"]
    for key in ("dataValue", "serializedValue"):
        node.pop(key, None)
    known = {"summary", "description", "value", "externalValue"}
    if node and not any(key in known or key.startswith("x-") for key in node):
        report.add(where, "the example stood without its value")
        node["value"] = {key: node.pop(key) for key in list(node)}
    fix_fields("example", node, where, report)
    if "value" in node:
        node.pop("externalValue", None)


def fix_path_item(node: dict[str, Any], where: Where, report: Report) -> None:
    for key in ("query", "additionalOperations"):  # since 3.2
        if key in node:
            del node[key]
            report.add(where, f"{key} is of OpenAPI 3.2: no client can call it yet")
    for key in [key for key in node if key not in CALLS and key.lower() in CALLS and key.lower() not in node]:
        report.add(where, f"the method {key} is written in capitals")
        node[key.lower()] = node.pop(key)
    fix_fields("pathItem", node, where, report)
    fix_servers(node, where, report)


def fix_operation(node: dict[str, Any], where: Where, report: Report) -> None:
    parameters = node.get("parameters")
    if isinstance(parameters, list):
        old = [p for p in parameters if isinstance(p, dict) and p.get("in") in ("body", "formData")]
        if old:
            report.add(where, "its body stood among the parameters, as in Swagger 2.0")
            gone = {id(parameter) for parameter in old}
            node["parameters"] = [parameter for parameter in parameters if id(parameter) not in gone]
            kinds = swagger.media_types(node.get("consumes"))[:1]
            node.setdefault("requestBody", swagger.body_of(old, kinds, Copier()))
    fix_fields("operation", node, where, report)
    fix_servers(node, where, report)
    if "responses" in node:
        _fix_codes(node, where, report)


def _fix_codes(node: dict[str, Any], where: Where, report: Report) -> None:
    codes = node["responses"]
    if isinstance(codes, dict):
        found: dict[str, Any] = {}
        for code, response in codes.items():
            if _CODE.fullmatch(code) or code == "default" or code.startswith("x-"):
                found[code] = response
                continue
            inside = _CODE_INSIDE.search(code)
            if inside and inside[0].upper() not in codes:
                found[inside[0].upper()] = response
            report.add(where, f"{short(code)} is not a status code" + (f", but {inside[0]} is" if inside else ""))
        node["responses"] = found
    if not isinstance(codes, dict) or not any(not code.startswith("x-") for code in node["responses"]):
        node["responses"] = {"default": {"description": "the answer"}}
