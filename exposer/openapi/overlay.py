"""What a person wants changed in the backend's document: an OpenAPI Overlay, and hints in the document. Pure.

The document is never changed in place: what lies on the way to a change is made anew, the rest is shared.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from exposer.openapi.base import base_path
from exposer.openapi.model import Document, DocumentError

HINTS = {"x-exposer-name": "operationId", "x-exposer-description": "description"}
METHODS = ("get", "put", "post", "delete", "patch")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_VERSION = re.compile(r"1\.[0-9]+\.[0-9]+")
_SHOWN = 80

Change = Callable[[Any], Any]
_GONE = object()


@dataclass(frozen=True, slots=True)
class _Action:
    """One action: `target` is a JSONPath, `number` counts from 1."""

    number: int
    target: str
    update: Any
    remove: bool


def overlaid(document: Document, overlay: Any, source: str) -> tuple[Document, tuple[str, ...]]:
    """The document with an overlay's actions applied in order, and what a person should know: actions that matched
    nothing. Raises DocumentError for what is no OpenAPI Overlay 1.x."""
    actions = _actions(overlay, source)
    data: Any = document.data
    idle: list[str] = []
    for action in actions:
        places = _places(action, data, source)
        if not places:
            idle.append(f"{source}: action {action.number} ({action.target[:_SHOWN]}) matches nothing")
        for place in sorted(places, key=_from_the_end, reverse=True):
            data = _changed(data, place, _change(action, source))
    if not isinstance(data, Mapping) or not isinstance(data.get("paths"), Mapping):
        raise DocumentError(f"{source}: the overlay leaves no paths", "mend the targets of its actions")
    return _renewed(document, data, overlay), tuple(idle)


def hinted(document: Document) -> Document:
    """The document with the names and descriptions that `x-exposer-…` gives its operations.

    `x-exposer-hide` and `x-exposer-consequential` are heeded where operations are fitted to a client.
    """
    paths = document.data.get("paths")
    data: Any = document.data
    for path, item in paths.items() if isinstance(paths, Mapping) else ():
        for method in METHODS:
            raw = item.get(method) if isinstance(item, Mapping) else None
            said = _said(raw) if isinstance(raw, Mapping) else {}
            if said:
                data = _changed(data, ("paths", path, method), partial(_merged, update=said))
    return document if data is document.data else replace(document, data=data)


def _said(raw: Mapping[str, Any]) -> dict[str, str]:
    given = {key: raw[hint] for hint, key in HINTS.items() if isinstance(raw.get(hint), str) and raw[hint].strip()}
    if not _NAME.fullmatch(given.get("operationId", "x")):
        del given["operationId"]
    return given


def _actions(overlay: Any, source: str) -> list[_Action]:
    version = overlay.get("overlay") if isinstance(overlay, Mapping) else None
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise DocumentError(f"{source}: this is not an OpenAPI Overlay", 'it begins with "overlay: 1.0.0"')
    listed = overlay.get("actions")
    if not isinstance(listed, list):
        raise DocumentError(f"{source}: the overlay has no list of actions", "see the OpenAPI Overlay Specification")
    return [_action(number, raw, source) for number, raw in enumerate(listed, 1)]


def _action(number: int, raw: Any, source: str) -> _Action:
    target = raw.get("target") if isinstance(raw, Mapping) else None
    if not isinstance(target, str) or not target.startswith("$"):
        raise DocumentError(
            f"{source}: action {number} has no target", "a target is a JSONPath such as $.paths['/items'].get"
        )
    if "copy" in raw:
        raise DocumentError(f'{source}: action {number}: "copy" is not supported', 'write out the values with "update"')
    remove = raw.get("remove") is True
    if not remove and "update" not in raw:
        raise DocumentError(f"{source}: action {number} does nothing", 'give it "update" or "remove: true"')
    return _Action(number, target, raw.get("update"), remove)


def _places(action: _Action, data: Any, source: str) -> list[tuple[str | int, ...]]:
    """Where the target leads."""
    from jsonpath import JSONPathEnvironment, JSONPathError

    try:
        found = JSONPathEnvironment(strict=True).finditer(action.target, data)
        return list(dict.fromkeys(tuple(match.parts) for match in found))
    except JSONPathError as error:
        why = str(error).splitlines()[0][:_SHOWN]
        raise DocumentError(
            f"{source}: action {action.number}: its target cannot be read as JSONPath: {why}",
            "a target is a JSONPath by RFC 9535, such as $.paths['/items'].get",
        ) from None


def _from_the_end(place: tuple[str | int, ...]) -> tuple[tuple[int, int], ...]:
    """Later elements of a list first, so that removing one does not shift those that are still to go."""
    return tuple((1, part) if isinstance(part, int) else (0, 0) for part in place)


def _change(action: _Action, source: str) -> Change:
    if action.remove:
        return lambda node: _GONE

    def update(node: Any) -> Any:
        if isinstance(node, list):
            return [*node, *(action.update if isinstance(action.update, list) else [action.update])]
        if isinstance(node, Mapping) and isinstance(action.update, Mapping):
            return _merged(node, action.update)
        raise DocumentError(
            f"{source}: action {action.number}: {action.target[:_SHOWN]} is not something that can be updated so",
            "a target is an object, updated with an object, or a list",
        )

    return update


def _merged(node: Any, update: Any) -> Any:
    """Objects are merged, lists are joined, anything else is replaced."""
    if isinstance(node, Mapping) and isinstance(update, Mapping):
        return {**node, **{key: _merged(node[key], value) if key in node else value for key, value in update.items()}}
    if isinstance(node, list) and isinstance(update, list):
        return [*node, *update]
    return update


def _changed(node: Any, place: tuple[str | int, ...], change: Change) -> Any:
    """`node` with a change at one place. A place that an earlier change has taken away stays away."""
    if not place:
        return change(node)
    part, rest = place[0], place[1:]
    if isinstance(node, Mapping) and part in node:
        inner = _changed(node[part], rest, change)
        return {k: inner if k == part else v for k, v in node.items() if k != part or inner is not _GONE}
    if isinstance(node, list) and isinstance(part, int) and -len(node) <= part < len(node):
        inner = _changed(node[part], rest, change)
        return [*node[:part], *([] if inner is _GONE else [inner]), *node[part + 1 :]]
    return node


def _renewed(document: Document, data: Mapping[str, Any], overlay: Any) -> Document:
    """The changed document has a digest of its own, and maybe another base path."""
    said = json.dumps(overlay, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(f"{document.digest} {said}".encode()).hexdigest()
    same = data.get("servers") == document.data.get("servers")
    return replace(document, data=data, digest=digest, base_path=document.base_path if same else base_path(data))
