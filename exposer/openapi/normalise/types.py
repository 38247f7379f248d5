"""The types of a schema: the seven that there are, and what people write instead. Pure."""

from typing import Any

from exposer.openapi.normalise.report import Report, Where, short

LEGAL = ("string", "number", "integer", "boolean", "array", "object", "null")

# What is written, what is meant, and the format that goes with it.
_MEANT: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("str", "text", "char", "character", "varchar", "strings", "enum"), ("string", "")),
    **dict.fromkeys(
        ("int", "integers", "short", "byte int", "bigint", "biginteger", "uint", "timestamp"), ("integer", "")
    ),
    **dict.fromkeys(("long", "int64", "uint64"), ("integer", "int64")),
    **dict.fromkeys(("int32", "uint32", "int16", "uint16", "int8", "uint8"), ("integer", "int32")),
    **dict.fromkeys(("decimal", "numeric", "num", "bigdecimal", "real"), ("number", "")),
    **dict.fromkeys(("float", "float32"), ("number", "float")),
    **dict.fromkeys(("double", "float64"), ("number", "double")),
    **dict.fromkeys(("bool", "flag"), ("boolean", "")),
    **dict.fromkeys(("list", "tuple", "set", "vector", "collection", "[]"), ("array", "")),
    **dict.fromkeys(("dict", "map", "hash", "hashmap", "json", "struct", "dictionary", "record"), ("object", "")),
    **dict.fromkeys(("none", "nil", "void", "nonetype"), ("null", "")),
    **dict.fromkeys(("file", "binary", "bytes", "blob"), ("string", "binary")),
    **dict.fromkeys(("datetime", "date-time", "datetimeoffset"), ("string", "date-time")),
    **{name: ("string", name) for name in ("date", "time", "uuid", "email", "uri", "byte", "password")},
    **dict.fromkeys(("guid",), ("string", "uuid")),
    **dict.fromkeys(("url",), ("string", "uri")),
    **dict.fromkeys(("any", "mixed", "unknown", "undefined", "interface{}", "*", "", "variant"), ("", "")),
}
_PYTHON: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}


def types_of(node: dict[str, Any]) -> list[str]:
    """The types that a schema names, as a list."""
    value = node.get("type")
    if isinstance(value, str):
        return [value]
    return value if isinstance(value, list) else []


def fits(value: Any, types: list[str]) -> bool:
    if isinstance(value, bool):
        return "boolean" in types
    if isinstance(value, float) and value.is_integer() and "integer" in types:
        return True
    return any(isinstance(value, _PYTHON[name]) for name in types if name in _PYTHON and name != "boolean")


def fix_type(node: dict[str, Any], where: Where, report: Report) -> None:
    """Makes `type` one of the seven, or several, or takes it away. The format follows."""
    value = node["type"]
    if isinstance(value, str) and value in LEGAL:
        return
    given = value if isinstance(value, list) else [value]
    found: list[str] = []
    for item in given:
        name, form = _meant(item)
        if not name and not (isinstance(value, list) and item is None):
            found = []
            break
        found.append(name or "null")
        if form and not isinstance(node.get("format"), str):
            node["format"] = form
    found = list(dict.fromkeys(found))
    if not found:
        del node["type"]
    else:
        node["type"] = found[0] if len(found) == 1 else found
    if value != "file" and found != value and [value] != found:  # a file is what Swagger 2.0 calls binary text
        meaning = f"it stands for {', '.join(found)}" if found else "any will do"
        report.add(where, f"there is no type {short(value)}: {meaning}")


def _meant(value: Any) -> tuple[str, str]:
    if not isinstance(value, str):
        return "", ""
    name = value.strip().lower()
    return (name, "") if name in LEGAL else _MEANT.get(name, ("", ""))
