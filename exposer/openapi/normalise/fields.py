"""Which fields each kind of thing has in OpenAPI 3.1, and how each is read; all others go. In place."""

from typing import Any

from exposer.openapi.normalise import values
from exposer.openapi.normalise.grammar import GRAMMAR
from exposer.openapi.normalise.report import Report, Where, short

_SUMMED = dict.fromkeys(("summary", "description"), values.text)


def _security(value: Any) -> Any:
    """Each way in is an object of scheme names, each with its list of scopes."""
    if not isinstance(value, list):
        return values.BAD
    found = []
    for way in value:
        if isinstance(way, dict):
            scopes = {
                name: [s for s in given if isinstance(s, str)] for name, given in way.items() if isinstance(given, list)
            }
            found.append(scopes | {name: [] for name, given in way.items() if not isinstance(given, list)})
    return found


FIELDS: dict[str, dict[str, values.Reader]] = {
    "root": {
        "openapi": values.text,
        "info": values.mapping,
        "servers": values.listing,
        "tags": values.listing,
        "security": _security,
        "externalDocs": values.external_docs,
    },
    "info": {
        **dict.fromkeys(("title", "version", "summary", "description", "termsOfService"), values.text),
        **dict.fromkeys(("contact", "license"), values.mapping),
    },
    "contact": dict.fromkeys(("name", "url", "email"), values.text),
    "license": dict.fromkeys(("name", "url", "identifier"), values.text),
    "externalDocs": dict.fromkeys(("description", "url"), values.text),
    "server": {"url": values.text, "description": values.text, "variables": values.mapping},
    "variable": {"enum": values.texts, "default": values.text, "description": values.text},
    "tag": {"name": values.text, "description": values.text, "externalDocs": values.external_docs},
    "components": {"securitySchemes": values.mapping},
    "pathItem": {**_SUMMED, "servers": values.listing},
    "operation": {
        **_SUMMED,
        "operationId": values.word,
        "tags": values.texts,
        "deprecated": values.truth,
        "externalDocs": values.external_docs,
        "security": _security,
        "servers": values.listing,
    },
    "callback": {},
    "parameter": {
        **dict.fromkeys(("name", "in", "description", "style"), values.text),
        **dict.fromkeys(("required", "deprecated", "explode", "allowReserved", "allowEmptyValue"), values.truth),
        "example": values.anything,
    },
    "header": {
        **dict.fromkeys(("description", "style"), values.text),
        **dict.fromkeys(("required", "deprecated", "explode"), values.truth),
        "example": values.anything,
    },
    "requestBody": {"description": values.text, "required": values.truth},
    "response": {"description": values.text},
    "media": {"example": values.anything},
    "encoding": {
        **dict.fromkeys(("contentType", "style"), values.text),
        **dict.fromkeys(("explode", "allowReserved"), values.truth),
    },
    "example": {**_SUMMED, "externalValue": values.text, "value": values.anything},
}
# Known, but never of use to a caller through the gateway: gone without a word.
_QUIET = frozenset(("links", "jsonSchemaDialect", "$self", "$schema", "id"))


def fix_fields(kind: str, node: dict[str, Any], where: Where, report: Report) -> None:
    """Keeps what this kind of thing may have, each value read as what it should be."""
    grammar = GRAMMAR.get(kind, {})
    fields = FIELDS[kind]
    for key in list(node):
        if key in grammar or key.startswith("x-") or kind == "callback":
            continue
        value = node[key]
        read = fields.get(key)
        found = values.BAD if read is None or (value is None and key not in ("example", "value")) else read(value)
        if found is values.BAD:
            del node[key]
            if value is not None and key not in _QUIET:
                said = f"{key} is not known in OpenAPI 3.1" if read is None else f"{key} {short(value)} means nothing"
                report.add(where, f"{said} and was left out")
        elif found is not value:
            node[key] = found
            if not isinstance(value, list):
                report.add(where, f"{key} was {short(value)}, which is read as {short(found)}")
