"""Known backends: how each is recognised, and which of its operations an assistant should have, as data files."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from exposer.openapi.model import Document, DocumentError, Operation
from exposer.render import templates_dir

AUTO, NONE = "auto", "none"
_PARAMETER = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation of a profile: which call it is, and what to say of it."""

    method: str
    path: str
    id: str
    summary: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """A known backend. It is recognised by its document's title and by paths that it must have, all of them."""

    name: str
    title: re.Pattern[str]
    paths: tuple[str, ...]
    entries: tuple[Entry, ...]


@cache
def load_profiles() -> tuple[Profile, ...]:
    """The profiles that come with exposer. Reads files; everything else here is pure."""
    return tuple(parse(path) for path in sorted(Path(templates_dir(), "profiles").glob("*.toml")))


def parse(path: Path) -> Profile:
    """One profile's file."""
    with path.open("rb") as file:
        data = tomllib.load(file)
    return Profile(
        name=path.stem,
        title=re.compile(data["title"], re.IGNORECASE),
        paths=tuple(data["paths"]),
        entries=tuple(_entry(each) for each in data["operation"]),
    )


def _entry(data: Mapping[str, Any]) -> Entry:
    method, _, path = data["call"].partition(" ")
    return Entry(method, path.strip(), data["id"], data["summary"], data.get("description", ""))


def find(
    profiles: tuple[Profile, ...], wanted: str, document: Document | None, ops: tuple[Operation, ...]
) -> Profile | None:
    """The profile that is named, or with "auto" the one that the document is recognised by."""
    if wanted == NONE or document is None:
        return None
    if wanted != AUTO:
        named = next((profile for profile in profiles if profile.name == wanted), None)
        if named is None:
            known = ", ".join((AUTO, NONE, *(profile.name for profile in profiles)))
            raise DocumentError(f'schema.profile: there is no profile "{wanted}"', f"there are: {known}")
        return named
    return next((profile for profile in profiles if _recognised(profile, document, ops)), None)


def _recognised(profile: Profile, document: Document, ops: tuple[Operation, ...]) -> bool:
    info = document.data.get("info")
    title = info.get("title") if isinstance(info, Mapping) else None
    if not isinstance(title, str) or not profile.title.search(title[:200]):
        return False
    there = {_shape(path) for operation in ops for path in (operation.path, operation.full_path)}
    return all(_shape(path) in there for path in profile.paths)


def apply(profile: Profile, ops: tuple[Operation, ...]) -> tuple[tuple[Operation, ...], Mapping[tuple[str, str], int]]:
    """The operations with the profile's ids and texts, and the place in the profile of each that is in it.

    An id that another operation of the document has already is not taken over.
    """
    entries = {(entry.method, _shape(entry.path)): place for place, entry in enumerate(profile.entries)}
    found = [_place(entries, operation) for operation in ops]
    reserved = {operation.id for operation in ops}
    named: list[Operation] = []
    for operation, place in zip(ops, found, strict=True):
        named.append(operation if place is None else _named(operation, profile.entries[place], reserved))
        reserved.add(named[-1].id)
    places = {
        (operation.method, operation.path): place
        for operation, place in zip(ops, found, strict=True)
        if place is not None
    }
    return tuple(named), places


def _place(entries: Mapping[tuple[str, str], int], operation: Operation) -> int | None:
    shapes = (_shape(operation.path), _shape(operation.full_path))
    return next((entries[operation.method, shape] for shape in shapes if (operation.method, shape) in entries), None)


def _named(operation: Operation, entry: Entry, reserved: set[str]) -> Operation:
    id_ = operation.id if entry.id in reserved else entry.id
    return replace(operation, id=id_, summary=entry.summary, description=entry.description)


def _shape(path: str) -> str:
    """A template without the names of its parameters, which change between versions."""
    return _PARAMETER.sub("{}", path)
