"""From bytes to plain values: JSON, or YAML without dates, custom tags, odd keys and alias bombs. Pure."""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import yaml

from exposer.openapi.model import DocumentError

MAX_DEPTH = 100
MAX_EXPANDED = 20_000_000
MAX_NODES = 1_000_000
NODE = 8  # what a value weighs beside its characters
MAX_GUESS = 1_000_000
CANDIDATES = (
    "/openapi.json",
    "/swagger.json",
    "/api/openapi.json",
    "/api/swagger.json",
    "/v3/api-docs",
    "/swagger/v1/swagger.json",
    "/openapi.yaml",
    "/swagger.yaml",
    "/v2/api-docs",
    "/api-docs",
    "/api-json",
    "/api/v1/openapi.json",
    "/api/spec.yaml",
    "/spec.json",
    "/docs/openapi.json",
    "/.well-known/openapi.yaml",
)

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE = "tag:yaml.org,2002:"
_CORE_TAGS = frozenset(_CORE + name for name in ("str", "int", "float", "bool", "null", "map", "seq", "timestamp"))
_CONSTANTS = (
    dict.fromkeys(("", "~", "null", "Null", "NULL"))
    | dict.fromkeys(("true", "True", "TRUE"), True)
    | dict.fromkeys(("false", "False", "FALSE"), False)
)
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_MERGE = object()


def parse(body: bytes, source: str) -> Any:
    """The value that the bytes stand for, whatever their media type said. Raises DocumentError."""
    try:
        text = body.decode(json.detect_encoding(body)).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise _unreadable(source, "it is not text") from error
    start = text.lstrip()[:1]
    if not start:
        raise DocumentError(f"{source}: the document is empty", _places())
    if start == "<" and not text.lstrip().startswith("<<"):  # "<<" begins a merge in YAML
        raise DocumentError(
            f"{source}: this is a web page, not a document",
            f"{_places()}; if the page asks for a login, set backend.auth",
        )
    if start not in "{[":
        return _from_yaml(text, source)
    try:
        return _from_json(text, source)
    except ValueError as error:
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "a number"
        not_json = _unreadable(source, f"{where} is not JSON")
    if len(text) > MAX_GUESS:
        raise not_json
    try:
        return _from_yaml(text, source)  # a mapping in flow style, or JSON with comments
    except DocumentError:
        raise not_json from None


def _places() -> str:
    return f"the document is often at {', '.join(CANDIDATES[:6])}"


def _unreadable(source: str, why: str) -> DocumentError:
    return DocumentError(
        f"{source}: this is neither JSON nor YAML ({why})",
        "backend.openapi must point to an OpenAPI or Swagger document",
    )


def _too_deep(source: str) -> DocumentError:
    return DocumentError(
        f"{source}: the document is nested more than {MAX_DEPTH} levels deep",
        "no real API needs that: check that backend.openapi points to the right document",
    )


def _too_many(source: str) -> DocumentError:
    return DocumentError(
        f"{source}: the document has more than {MAX_NODES:,} values",
        "make a smaller one with the calls you need and point backend.openapi to that file",
    )


def _from_json(text: str, source: str) -> Any:
    if text.count("{") + text.count("[") + text.count(",") > MAX_NODES:
        raise _too_many(source)
    try:
        value = json.loads(text, parse_constant=str, parse_float=_float)
    except RecursionError as error:
        raise _too_deep(source) from error
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node) if isinstance(child, dict | list)]
        if not level:
            return value
    raise _too_deep(source)


def _children(node: Any) -> Iterable[Any]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


def _float(text: str) -> Any:
    """A finite number; one that JSON could not write again stays text."""
    value = float(text)
    return value if math.isfinite(value) else text


def _from_yaml(text: str, source: str) -> Any:
    builder = _Builder(source)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark is not None else "a character"
        raise _unreadable(source, f"{where} is not YAML") from error
    return builder.result


@dataclass(slots=True)
class _Open:
    """A mapping or list that has begun and not ended."""

    value: dict[str, Any] | list[Any]
    anchor: str | None
    key: Any = None
    height: int = 0
    weight: int = NODE
    merged: list[Any] = field(default_factory=list)

    @property
    def wants_key(self) -> bool:
        return isinstance(self.value, dict) and self.key is None


class _Builder:
    """Makes values of YAML events, one by one: no recursion, and the cost of every alias is counted.

    An alias is a copy of its target, so that no value stands in two places. `weight` is what the text would be
    if it were written out, `height` how deep it goes; an anchor counts from its end on, so nothing can hold itself.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.result: Any = None
        self._documents = 0
        self._expanded = 0
        self._nodes = 0
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int, int]] = {}

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event.anchor or "")
        elif isinstance(event, yaml.MappingStartEvent):
            self._begin({}, event)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._begin([], event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise self._refused("it holds more than one YAML document")

    def _scalar(self, event: Any) -> None:
        self._check_tag(event.tag)
        text = str(event.value)
        plain = event.implicit[0] or event.tag not in (None, "!", f"{_CORE}str")
        if self._stack and self._stack[-1].wants_key:
            top = self._stack[-1]
            top.key = _MERGE if text == "<<" and event.implicit[0] else text
            top.weight += len(text)
            if event.anchor:
                self._anchors[event.anchor] = (text, len(text), 0)
            return
        self._put(_plain(text) if plain else text, NODE + len(text), 0, event.anchor)

    def _alias(self, anchor: str) -> None:
        if anchor not in self._anchors:
            raise self._refused("an alias names an anchor that is not there, or that it is part of")
        value, weight, height = self._anchors[anchor]
        if self._stack and self._stack[-1].wants_key:
            if not isinstance(value, str):
                raise self._refused("a key is not simple text")
            self._stack[-1].key = value
            self._stack[-1].weight += weight
            return
        self._expanded += weight
        if self._expanded > MAX_EXPANDED:
            raise self._too_much()
        self._put(_copy(value), weight, height, None)

    def _begin(self, value: dict[str, Any] | list[Any], event: Any) -> None:
        self._check_tag(event.tag)
        if self._stack and self._stack[-1].wants_key:
            raise self._refused("a key is not simple text")
        self._stack.append(_Open(value, event.anchor))
        if len(self._stack) > MAX_DEPTH:
            raise _too_deep(self.source)

    def _end(self) -> None:
        done = self._stack.pop()
        if isinstance(done.value, dict):
            for mapping in done.merged:
                done.value |= {key: item for key, item in mapping.items() if key not in done.value}
        self._put(done.value, done.weight, done.height + 1, done.anchor)

    def _put(self, value: Any, weight: int, height: int, anchor: str | None) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _too_many(self.source)
        if anchor:
            self._anchors[anchor] = (value, weight, height)
        if not self._stack:
            self.result = value
            return
        top = self._stack[-1]
        top.weight += weight
        top.height = max(top.height, height)
        if len(self._stack) + height > MAX_DEPTH:
            raise _too_deep(self.source)
        if top.weight > MAX_EXPANDED:
            raise self._too_much()
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is _MERGE:
            top.merged += self._mappings(value)
        else:
            top.value[top.key] = value
        top.key = None

    def _mappings(self, value: Any) -> list[Any]:
        mappings = value if isinstance(value, list) else [value]
        if not all(isinstance(mapping, dict) for mapping in mappings):
            raise self._refused('a "<<" merges something that is not a mapping')
        return mappings

    def _check_tag(self, tag: str | None) -> None:
        if tag not in (None, "!") and tag not in _CORE_TAGS:
            raise self._refused("it uses a YAML tag of its own")

    def _too_much(self) -> DocumentError:
        return self._refused(f"with its aliases written out it is larger than {MAX_EXPANDED:,} characters")

    def _refused(self, why: str) -> DocumentError:
        return DocumentError(
            f"{self.source}: this YAML is not accepted: {why}",
            "convert the document to JSON and point backend.openapi to that file",
        )


def _copy(value: Any) -> Any:
    """Plain values, no deeper than `MAX_DEPTH`: recursion is fine."""
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _plain(text: str) -> Any:
    """What an unquoted word means in YAML 1.2: dates, `yes` and `12:30` are text there."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    try:
        if _INT.fullmatch(text):
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    except ValueError:  # thousands of digits
        return text
    return _float(text) if _FLOAT.fullmatch(text) else text
