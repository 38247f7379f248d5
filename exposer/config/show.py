"""Shows a Config the way the file would say it, defaults filled in, and tells two wishes apart by digest."""

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from exposer.config import units
from exposer.config.model import DERIVED, Config, Rate, SecretRef

# Fields that are plain numbers in the model and have a unit in the file.
FORMATS: Mapping[str, Callable[[Any], str]] = {
    "lease": units.format_duration,
    "start_timeout": units.format_duration,
    "grace": units.format_duration,
    "max_wait": units.format_duration,
    "rotate_every": units.format_duration,
    "timeout": units.format_duration,
    "dns_wait": units.format_duration,
    "retain": units.format_duration,
    "after": units.format_duration,
    "back": lambda seconds: units.format_duration(seconds) if seconds else "never",
    "memory": units.format_size,
    "body": units.format_size,
    "max_size": units.format_size,
    "response": units.format_size,
    "egress": units.format_egress,
}
# Numbers that mean "not given" when they are zero, and that the file does not accept.
UNSET_AT_ZERO = frozenset({"backend.port", "tunnel.remote_port", "standby.remote_port"})


def as_dict(config: Config) -> dict[str, Any]:
    """The whole config as JSON-able values in the file's own words: `"90s"`, `"1MB"`, `"env:NAME"`."""
    return _table(config)


def as_toml(config: Config) -> str:
    """The same as TOML that `load` reads; what is not given is left out."""
    top: list[str] = []
    tables: list[str] = []
    for name, value in as_dict(config).items():
        if isinstance(value, dict):
            lines = [_line(key, item) for key, item in value.items() if _given(f"{name}.{key}", item)]
            tables += ["", f"[{name}]", *lines]
        elif _given(name, value):
            top.append(_line(name, value))
    return "\n".join((*top, *tables, ""))


def digest(value: object) -> str:
    """The same hex sha256 for the same meaning, whatever the order of a mapping; for values of the models."""
    text = json.dumps(_canonical(value), ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _table(value: Any) -> dict[str, Any]:
    names = [field.name for field in fields(value) if field.name not in DERIVED]
    return {name: _plain(name, getattr(value, name)) for name in names}


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, SecretRef):
        return str(value)
    if isinstance(value, Rate):
        return units.format_rate(value)
    if is_dataclass(value):
        return _table(value)
    if isinstance(value, Mapping):
        return {key: _plain("", item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_masked(item) if name == "webhook" and isinstance(item, str) else _plain("", item) for item in value]
    return FORMATS[name](value) if name in FORMATS and value is not None else value


def _masked(url: str) -> str:
    """A webhook's address without its path: whoever knows that may post there."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{'/…' if parts.path.strip('/') or parts.query else ''}"


def _given(path: str, value: Any) -> bool:
    absent = value is None or value == "" or (path in UNSET_AT_ZERO and value == 0)
    return not absent and not (path in ("backend.command", "hooks.address_changed", "tunnel.dns_hook") and value == [])


def _line(key: str, value: Any) -> str:
    return f"{_key(key)} = {_toml(value)}"


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml(key)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(_line(key, item) for key, item in value.items())} }}" if value else "{}"
    return str(value)


def _canonical(value: Any) -> Any:
    """Plain lists in which no two different values look the same: every kind has its mark."""
    if isinstance(value, Enum):
        return ["enum", type(value).__name__, _canonical(value.value)]
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float) and math.isfinite(value):
        return ["number", repr(int(value) if float(value).is_integer() else value)]
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    if isinstance(value, PurePath):
        return ["path", str(value)]
    if is_dataclass(value) and not isinstance(value, type):
        inner = [[field.name, _canonical(getattr(value, field.name))] for field in fields(value)]
        return ["values", type(value).__name__, inner]
    if isinstance(value, Mapping):
        pairs = [[_canonical(key), _canonical(item)] for key, item in value.items()]
        return ["mapping", sorted(pairs, key=lambda pair: json.dumps(pair[0]))]
    if isinstance(value, list | tuple):
        return ["list", [_canonical(item) for item in value]]
    if isinstance(value, set | frozenset):
        return ["set", sorted((_canonical(item) for item in value), key=json.dumps)]
    raise TypeError(f"a {type(value).__name__} has no digest")
