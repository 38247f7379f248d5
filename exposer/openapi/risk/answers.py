"""What an operation answers with: files, streams, secrets, lists without an end. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from exposer.openapi import refs
from exposer.openapi.model import Level
from exposer.openapi.risk import words as table
from exposer.openapi.risk.asked import is_health
from exposer.openapi.risk.view import View, is_json, joined

Found = Iterator[tuple[Level, str]]
STREAMS = (
    "event-stream",
    "ndjson",
    "jsonl",
    "json-seq",
    "x-mixed-replace",
    "raw-stream",
    "multiplexed-stream",
    "mpegurl",
)
BINARY = ("image/", "video/", "audio/", "font/", "model/")
BINARY_TYPES = frozenset(
    ("application/octet-stream", "application/zip", "application/pdf", "application/gzip", "application/x-tar")
)
TEXTS = ("text/", "xml", "yaml", "html", "javascript")
MAX_PROPERTIES = 200
MAX_LEVELS = 3
MAX_SCHEMAS = 24
FEW = 12  # an object with more properties is no mere wrapper of a list


def files(view: View) -> Found:
    """A file or a picture: an assistant cannot use it, and it may be large."""
    binary = [name for name in view.media if _is_binary(name)]
    readable = any(is_json(name) for name in view.media)
    if binary and not readable:
        yield Level.DANGER, f"it answers with a file ({min(binary)})"
    elif binary:
        yield Level.CAUTION, f"it may answer with a file ({min(binary)})"
    elif "text/csv" in view.media and not readable:
        yield Level.DANGER, "it answers with a file (text/csv)"
    elif view.media and not readable:
        yield Level.CAUTION, f"it does not answer with JSON ({min(view.media)})"
    if any(schema.get("format") in ("binary", "byte") or schema.get("type") == "file" for schema in view.answers):
        yield Level.DANGER, "it answers with a file"
    yield from _by_name(view)


def _by_name(view: View) -> Found:
    """What the path says of the answer, where the document says nothing better."""
    name = view.path.rstrip("/").rpartition("/")[2].lower()
    stem, dot, ending = name.rpartition(".")
    if ending in table.FILE_ENDINGS and dot:
        yield Level.DANGER, f"it answers with a file (.{ending})"
    elif ending.startswith("{") and dot and (ending == "{extension}" or stem in table.FILE_SEGMENTS):
        yield Level.DANGER, f"it answers with a file ({name})"
    elif ending.strip("{}") in table.TEXT_ENDINGS and dot:
        yield Level.CAUTION, f"it answers with a text file (.{ending})"
    elif is_health(view):
        return
    elif formats := table.FILE_FORMATS & frozenset((*view.static, *view.last[-1:])):
        yield Level.DANGER, f'it answers with a file ("{min(formats)}" in its path)'
    elif view.describes_an_object or not view.last or view.ends_in_parameter:
        return
    elif len(view.last) == 1 and view.last[0] in table.FILE_SEGMENTS:
        yield Level.DANGER, f'it answers with a file ("{view.last[0]}" in its path)'


def _is_binary(media: str) -> bool:
    special = "vnd." in media and not media.endswith(("+json", "+xml", "+yaml")) and "json" not in media
    return media in BINARY_TYPES or media.startswith(BINARY) or "zip" in media or (special and "text/" not in media)


def streams(view: View) -> Found:
    """Answers that do not end."""
    endless = [name for name in view.media if any(part in name for part in STREAMS)]
    if endless and len(endless) == len(view.media):
        yield Level.DANGER, f"it streams ({min(endless)})"
    elif endless:
        yield Level.CAUTION, f"it may stream ({min(endless)})"
    if view.streams:
        yield Level.DANGER, "it streams"


def secrets(view: View) -> Found:
    """An answer with a property that is a secret by its name, at its top or in the items of its list."""
    level = list(view.answers)
    for _ in range(MAX_LEVELS):
        below: list[Any] = []
        for schema in level[:MAX_SCHEMAS]:
            properties = _properties(schema)
            for name, raw in properties:
                part = refs.follow(view.data, raw)
                if _is_secret(joined(name)) and _is_text(part):
                    yield Level.DANGER, f"its answer holds a secret ({name})"
                    return
                if isinstance(part, Mapping) and "items" in part and len(properties) <= FEW:
                    below.append(part)  # lists often stand in a property such as `items` or `data`
            below += _parts(schema)
        level = [found for part in below if isinstance(found := refs.follow(view.data, part), Mapping)]


def _properties(schema: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found = schema.get("properties")
    return [(str(name), raw) for name, raw in found.items()][:MAX_PROPERTIES] if isinstance(found, Mapping) else []


def _parts(schema: Mapping[str, Any]) -> Iterator[Any]:
    """What an answer is made of, or lists."""
    for key in ("allOf", "anyOf", "oneOf"):
        parts = schema.get(key)
        yield from parts if isinstance(parts, list) else ()
    yield schema.get("items")


def _is_secret(name: str) -> bool:
    if name in table.SECRET_PROPERTIES:
        return True
    harmless = name.startswith(table.HARMLESS_STARTS) or any(part in name for part in table.HARMLESS)
    return name.endswith(table.SECRET_ENDINGS) and not harmless


def _is_text(schema: Any) -> bool:
    if not isinstance(schema, Mapping) or schema.get("writeOnly") is True:
        return False
    kind = schema.get("type")
    return kind == "string" or (isinstance(kind, list) and "string" in kind) or "anyOf" in schema


def long_lists(view: View) -> Found:
    """A list that has no parameter to cut it."""
    if any(schema.get("type") == "array" for schema in view.answers) and not (
        table.PAGE_NAMES & frozenset(parameter.name for parameter in view.parameters)
    ):
        yield Level.CAUTION, "its list has no limit"
