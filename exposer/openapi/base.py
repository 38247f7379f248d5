"""From plain values to a Document: is it OpenAPI at all, and under which path do its calls live? Pure."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from exposer.openapi.model import Document, DocumentError, Repair
from exposer.openapi.normalise import normalise
from exposer.openapi.normalise.lift import is_deep

_SAFE = re.compile(r"(/[A-Za-z0-9._~@:+,=!-]+)*")
_ODD = re.compile(r"[\x00-\x20\x7f\\]")
_VARIABLE = re.compile(r"\{([^{}]*)\}")
_HOST_AND_PORT = re.compile(r"[A-Za-z0-9.-]+:[0-9]+(/|$)")
_SUPPORTED = re.compile(r"2(\.0)*|3\.[0-9]+(\.[0-9A-Za-z.-]+)?")


def to_document(data: Any, source: str, location: str = "", repairs: tuple[Repair, ...] = ()) -> Document:
    """The document that `data` stands for; `location` is its own path on the backend, where it has one.

    It takes `data` over and changes it; no value in it may stand in two places. `repairs` were made before.
    """
    if not isinstance(data, dict):
        raise _not_openapi(source, "it is not an object")
    name = "swagger" if "swagger" in data and not _version(data.get("openapi")) else "openapi"
    version = _version(data.get(name))
    if not version:
        raise _not_openapi(source, 'it has neither an "openapi" nor a "swagger" version')
    if not _SUPPORTED.fullmatch(version) or (name == "swagger") != version.startswith("2"):
        raise DocumentError(
            f"{source}: {name} {version[:20]!r} is not supported",
            "Swagger 2.0 and OpenAPI 3 are: ask the backend for one of them, or convert the document",
        )
    if not isinstance(data.get("paths"), dict):
        raise _not_openapi(source, 'it has no "paths" object')
    data[name] = version
    try:
        text = _canonical(data)
        base = base_path(data, location)
        found = normalise(data, version, deep=is_deep(text))
    except DocumentError as error:
        raise DocumentError(f"{source}: {error.message}", error.hint) from error
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Document(data, source, digest, base, version, repairs + found)


def base_path(data: Mapping[str, Any], location: str = "") -> str:
    """The path part of the document's servers: "" or "/api". Raises DocumentError when it is no plain path.

    A relative address like "api" is resolved against `location`; when that is not known it counts as none.
    """
    if "swagger" in data and not _version(data.get("openapi")):
        found = data.get("basePath")
        return _clean(_path_of(found, "/") or "") if isinstance(found, str) else ""
    servers = data.get("servers")
    for server in servers if isinstance(servers, list) else ():
        path = _path_of(_filled(server), location)
        if path is not None:
            return _clean(path)
    return ""


def _not_openapi(source: str, why: str) -> DocumentError:
    return DocumentError(
        f"{source}: this is not an OpenAPI document: {why}",
        "backend.openapi must point to the root document of an OpenAPI or Swagger description",
    )


def _version(value: Any) -> str:
    """The version as text: YAML reads an unquoted `swagger: 2.0` as a number; "3.1" stands for "3.1.0"."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return ""
    value = value.strip()
    return {"2": "2.0"}.get(value, f"{value}.0" if re.fullmatch(r"3\.[0-9]+", value) else value)


def _canonical(data: Mapping[str, Any]) -> str:
    try:
        return json.dumps(data, sort_keys=True, separators=(",", ":"))
    except (ValueError, TypeError, RecursionError) as error:
        raise DocumentError("the document holds something that JSON cannot say") from error


def _filled(server: Any) -> str | None:
    """The server's address with its variables filled in; None when it has none, or one stays open."""
    if not isinstance(server, Mapping) or not isinstance(server.get("url", ""), str):
        return None
    variables = server.get("variables")
    known = variables if isinstance(variables, Mapping) else {}
    url = _VARIABLE.sub(lambda found: _default(known.get(found[1]), found[0]), server.get("url", ""))
    return None if "{" in url or "}" in url else url.strip()


def _default(variable: Any, otherwise: str) -> str:
    if not isinstance(variable, Mapping):
        return otherwise
    choices = variable.get("enum")
    first = choices[0] if isinstance(choices, list) and choices else otherwise
    value = variable.get("default", first)
    return str(value) if isinstance(value, str | int) else otherwise


def _path_of(url: str | None, location: str) -> str | None:
    """The path part of an address; None when it is junk, or relative to nobody knows what."""
    if url is None or (url and set(url.lower()) == {"x"}):  # a placeholder that nobody filled in
        return None
    if _ODD.search(url):  # urlsplit would quietly drop some of these
        return url
    if _HOST_AND_PORT.match(url):
        return url.partition("/")[2]
    try:
        parts = urlsplit(url)
        if parts.scheme or parts.netloc:
            return parts.path if parts.scheme in ("http", "https", "") else None
        if not parts.path or parts.path.startswith("/"):
            return parts.path
        return urlsplit(urljoin(location, url)).path if location.startswith("/") else None
    except ValueError:
        return None


def _clean(path: str) -> str:
    path = re.sub("/+", "/", f"/{path}").rstrip("/")
    if not _SAFE.fullmatch(path) or ".." in path or "/./" in f"{path}/":
        raise DocumentError(
            f"the server's path {path[:80]!r} has characters that do not belong there",
            'mend "servers" (or "basePath") in the document',
        )
    return path
