"""Single values of a description: is it what belongs there, or can it be read as that? Pure."""

import math
from collections.abc import Callable
from typing import Any

BAD = object()
BITS = {"int32": 31, "int64": 63}


def text(value: Any) -> Any:
    """Text; a number or a truth value as it was written."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else BAD


def word(value: Any) -> Any:
    """Text that must have been meant as text: a name that others use."""
    return value if isinstance(value, str) else BAD


def truth(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(value.lower(), BAD)
    return bool(value) if value in (0, 1) else BAD


def number(value: Any) -> Any:
    if isinstance(value, bool):
        return BAD
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str) or len(value) > 40:
        return BAD
    try:
        found = float(value)
        return int(value) if value.strip().lstrip("+-").isdigit() else found if math.isfinite(found) else BAD
    except ValueError:
        return BAD


def count(value: Any) -> Any:
    found = number(value)
    if found is BAD or found < 0 or found != int(found):
        return BAD
    return int(found)


def in_format(form: Any, value: Any) -> bool:
    """Whether a whole number has room in its format."""
    bits = BITS.get(form) if isinstance(form, str) else None
    return bits is None or isinstance(value, bool) or not isinstance(value, int) or -(1 << bits) <= value < 1 << bits


def texts(value: Any) -> Any:
    """A list of texts, each once; a single text is a list of one."""
    found = [text(item) for item in (value if isinstance(value, list) else [value])]
    return list(dict.fromkeys(item for item in found if item is not BAD)) if any(i is not BAD for i in found) else BAD


def anything(value: Any) -> Any:
    return value


def mapping(value: Any) -> Any:
    return value if isinstance(value, dict) else BAD


def listing(value: Any) -> Any:
    return value if isinstance(value, list) else BAD


def texts_by_name(value: Any) -> Any:
    if not isinstance(value, dict):
        return BAD
    found = {name: text(item) for name, item in value.items()}
    return {name: item for name, item in found.items() if item is not BAD}


def external_docs(value: Any) -> Any:
    if not isinstance(value, dict) or not isinstance(value.get("url"), str):
        return BAD
    known = {key: value[key] for key in ("description", "url") if isinstance(value.get(key), str)}
    return known if known != value else value


Reader = Callable[[Any], Any]
