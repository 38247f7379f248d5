"""One schema in terms of JSON Schema 2020-12, which OpenAPI 3.1 uses: its own keywords, not what is below. In place."""

import re
import warnings
from typing import Any

from exposer.openapi.normalise import values
from exposer.openapi.normalise.report import Report, Where, short
from exposer.openapi.normalise.types import LEGAL, fits, fix_type, types_of

MAX_PATTERN = 4000
MAX_PATTERNS = 400_000

_KEYWORDS: dict[str, values.Reader] = {
    **dict.fromkeys(("title", "description", "format", "pattern", "contentMediaType"), values.text),
    **dict.fromkeys(("contentEncoding", "$comment", "$anchor", "$dynamicAnchor", "$dynamicRef"), values.text),
    **dict.fromkeys(("deprecated", "readOnly", "writeOnly", "uniqueItems"), values.truth),
    **dict.fromkeys(("minimum", "maximum", "multipleOf"), values.number),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minContains", "maxContains"), values.count),
    **dict.fromkeys(("minProperties", "maxProperties"), values.count),
    **dict.fromkeys(("xml", "discriminator", "dependentRequired"), values.mapping),
    "externalDocs": values.external_docs,
}
# These mean something else in 3.1, or nothing, or would change what references mean.
_GONE = (
    "$schema",
    "$id",
    "id",
    "collectionFormat",
    "allowEmptyValue",
    "$vocabulary",
    "$recursiveAnchor",
    "$recursiveRef",
)
# Beside a reference, versions before 3.1 have nothing; of what people write there, this is worth keeping.
_NOTES = frozenset(("$ref", "description", "title", "deprecated", "readOnly", "writeOnly", "example"))


class Patterns:
    """Knows a regular expression from junk; how many characters of them it will look at is bounded."""

    def __init__(self, left: int = MAX_PATTERNS) -> None:
        self._left = left
        self._known: dict[str, bool] = {}

    def good(self, pattern: str) -> bool:
        if pattern not in self._known:
            self._left -= len(pattern)
            self._known[pattern] = len(pattern) <= MAX_PATTERN and self._left >= 0 and _compiles(pattern)
        return self._known[pattern]


def fix_schema(node: dict[str, Any], where: Where, report: Report, patterns: Patterns, *, old: bool) -> None:
    """Mends what stands in this very schema. `old` is true for documents before OpenAPI 3.1."""
    if isinstance(node.get("$ref"), str) and len(node) == 1:
        return
    nullable = _take_nullable(node)
    if old and isinstance(node.get("$ref"), str):
        for key in [key for key in node if key not in _NOTES and not key.startswith("x-")]:
            del node[key]
    if "type" in node:
        fix_type(node, where, report)
    for key in list(node):
        _fix_keyword(node, key, where, report, patterns)
    _fix_bounds(node, where, report)
    _fix_items(node, where, report)
    _fix_required(node, where, report)
    _fix_lists(node, where, report)
    if nullable:
        _allow_null(node)


def _take_nullable(node: dict[str, Any]) -> bool:
    asked = [node.pop(key) for key in ("nullable", "x-nullable") if key in node]
    return any(values.truth(value) is True for value in asked)


def _fix_keyword(node: dict[str, Any], key: str, where: Where, report: Report, patterns: Patterns) -> None:
    read = _KEYWORDS.get(key)
    value = node[key]
    if read is None:
        if key in _GONE and not (key == "id" and isinstance(value, dict)):
            del node[key]
        return
    found = read(value)
    if key == "discriminator" and isinstance(value, str):
        found = {"propertyName": value}
    if key == "pattern" and isinstance(found, str) and not patterns.good(found):
        found = values.BAD
    if key == "discriminator" and isinstance(found, dict) and not isinstance(found.get("propertyName"), str):
        found = values.BAD
    if found is values.BAD:
        del node[key]
        report.add(where, f"{key} {short(value)} means nothing and was left out")
    elif found is not value:
        node[key] = found


def _compiles(pattern: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _fix_bounds(node: dict[str, Any], where: Where, report: Report) -> None:
    """`exclusiveMinimum: true` of old, beside the minimum, is a number of its own now."""
    for exclusive, plain in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive not in node:
            continue
        value = node.pop(exclusive)
        if value is True and plain in node:
            node[exclusive] = node.pop(plain)
        elif (found := values.number(value)) is not values.BAD:
            node[exclusive] = found
        elif not isinstance(value, bool):
            report.add(where, f"{exclusive} {short(value)} means nothing and was left out")
    if node.get("multipleOf", 1) <= 0:
        report.add(where, f"multipleOf {node.pop('multipleOf')} means nothing and was left out")


def _fix_items(node: dict[str, Any], where: Where, report: Report) -> None:
    items = node.get("items")
    if isinstance(items, list):
        choices = [item for item in items if isinstance(item, dict)]
        node["items"] = choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {}
        report.add(where, "items was a list; each element may be any of what it had")
    elif "items" not in node and "array" in types_of(node) and "prefixItems" not in node:
        node["items"] = {}
        report.add(where, "an array without items; they may be anything")


def _fix_required(node: dict[str, Any], where: Where, report: Report) -> None:
    """`required` is a list of names; people write it on the property itself."""
    wanted = node.get("required")
    properties = node.get("properties")
    names = [item for item in wanted if isinstance(item, str)] if isinstance(wanted, list) else []
    if isinstance(wanted, str) and isinstance(properties, dict) and wanted in properties:
        names = [wanted]
    if isinstance(wanted, str | dict | bool | int) and not isinstance(properties, dict):
        report.add(where, "required is not a list of names and was left out")
    for name, schema in properties.items() if isinstance(properties, dict) else ():
        if isinstance(schema, dict) and isinstance(schema.get("required"), bool | str):
            if isinstance(schema["required"], str) and values.truth(schema["required"]) is values.BAD:
                continue
            if values.truth(schema.pop("required")) is True:
                names.append(name)
            report.add(((where, "properties"), name), "required stood on the property instead of above it")
    names = list(dict.fromkeys(names))
    if names:
        if names != wanted:
            node["required"] = names
    elif "required" in node:
        del node["required"]


def _fix_lists(node: dict[str, Any], where: Where, report: Report) -> None:
    for key in ("allOf", "anyOf", "oneOf", "prefixItems"):
        if key in node:
            value = node[key]
            choices = value if isinstance(value, list) else [value]
            node[key] = [choice for choice in choices if isinstance(choice, dict | bool)]
            if not node[key]:
                del node[key]
            if choices != node.get(key):
                report.add(where, f"{key} had something in it that is no schema")
    if "enum" in node:
        _fix_enum(node, where, report)
    examples = node.get("examples")
    if isinstance(examples, dict):  # as parameters have them
        wrapped = all(isinstance(item, dict) and "value" in item for item in examples.values())
        node["examples"] = [item["value"] for item in examples.values()] if wrapped else [examples]
    elif "examples" in node and not isinstance(examples, list):
        node["examples"] = [examples]
    depends = node.get("dependentRequired")
    if isinstance(depends, dict):
        node["dependentRequired"] = {
            name: [item for item in names if isinstance(item, str)]
            for name, names in depends.items()
            if isinstance(names, list)
        }


def _fix_enum(node: dict[str, Any], where: Where, report: Report) -> None:
    value = node["enum"]
    given = value if isinstance(value, list) else [value]
    once = {(type(item).__name__, repr(item)): item for item in given}
    if len(once) < len(given):
        report.add(where, "enum has the same value twice")
        node["enum"] = list(once.values())
    elif given is not value:
        report.add(where, "enum is a single value instead of a list")
        node["enum"] = given
    if not given:
        report.add(where, "enum is empty and was left out")
        del node["enum"]


def _allow_null(node: dict[str, Any]) -> None:
    if "type" in node:
        types = types_of(node)
        if "null" not in types:
            node["type"] = [*types, "null"]
        if isinstance(node.get("enum"), list) and None not in node["enum"]:
            node["enum"].append(None)
        return
    for key in ("anyOf", "oneOf"):
        if key in node and "$ref" not in node and "allOf" not in node:
            if not any(isinstance(choice, dict) and "null" in types_of(choice) for choice in node[key]):
                node[key].append({"type": "null"})
            return
    core = {key: node.pop(key) for key in ("$ref", "allOf", "anyOf", "oneOf") if key in node}
    if core:
        node["anyOf"] = [core, {"type": "null"}]


def _all_types(node: dict[str, Any]) -> list[str]:
    """The types that a value may have, also where they are choices; none where that cannot be told from here."""
    if "type" in node:
        return types_of(node)
    for key in ("anyOf", "oneOf"):
        choices = [types_of(choice) if isinstance(choice, dict) else [] for choice in node.get(key, ())]
        names = [name for found in choices for name in found]
        if all(choices) and all(isinstance(name, str) and name in LEGAL for name in names):
            return list(dict.fromkeys(names))
    return []


def fix_default(node: dict[str, Any], where: Where, report: Report) -> None:
    """A default that its own schema does not allow; read anew where it is just written wrong.

    What is below the schema has to be mended before.
    """
    if "default" not in node:
        return
    value = node["default"]
    if isinstance(value, dict) and "$ref" in value:
        report.add(where, "default is a reference, which means nothing there, and was left out")
        del node["default"]
        return
    types = _all_types(node)
    if types and not fits(value, types):
        for read, kinds in (
            (values.number, ("integer", "number")),
            (values.truth, ("boolean",)),
            (values.text, ("string",)),
        ):
            found = read(value)
            if found is not values.BAD and value is not None and fits(found, [t for t in types if t in kinds]):
                node["default"] = found
                break
        else:
            report.add(where, f"default {short(value)} is not of type {', '.join(types)} and was left out")
            del node["default"]
            return
    choices = node.get("enum")
    lacking = [name for name in node.get("required", ()) if isinstance(value, dict) and name not in value]
    if lacking:
        report.add(where, f"default has no {short(lacking[0])}, which is required, and was left out")
        del node["default"]
    elif isinstance(choices, list) and node["default"] not in choices:
        report.add(where, f"default {short(node.pop('default'))} is none of the allowed values and was left out")
    elif not values.in_format(node.get("format"), node["default"]):
        report.add(where, f"default {short(node.pop('default'))} has no room in {node['format']} and was left out")
