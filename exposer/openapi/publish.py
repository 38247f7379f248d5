"""The document that goes out: the chosen operations only, at the public address, behind one key. Pure."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from exposer.openapi import refs
from exposer.openapi.model import Document, DocumentError, Operation, Publication
from exposer.openapi.operations import METHODS, operations, path_item
from exposer.openapi.prune import SECTIONS_2, SECTIONS_3, Harvest

SCHEME = "key"
NO_DOCUMENT_VERSION = "3.1.0"

# What of an operation goes out. Servers, security, callbacks and extensions speak of the inside.
_TEXTS = ("tags", "summary", "description", "externalDocs", "deprecated")
_OPERATION = (*_TEXTS, "consumes", "produces", "parameters", "requestBody", "responses")
_ROOT = ("externalDocs", "jsonSchemaDialect", "consumes", "produces")
_PARAMETER = re.compile(r"\{([^{}/]+)\}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def publish(
    document: Document | None,
    chosen: tuple[Operation, ...],
    *,
    public_url: str,
    auth_methods: tuple[str, ...],
    header: str,
    title: str,
) -> Publication:
    """The document's text for a public address. `title` is used when the document has none.

    Equal input gives equal bytes. Without a document a small OpenAPI 3.1 one is made of the operations.
    Raises DocumentError.
    """
    known = chosen if document is None else operations(document)
    wanted = set(chosen)
    if strange := wanted - set(known):
        raise DocumentError(
            f"{min(op.id for op in strange)} is not an operation of this document",
            "choose again from the document as it is now",
        )
    picked = tuple(dict.fromkeys(op for op in known if op in wanted))
    url = _public(public_url)
    try:
        data = _rewritten(document, picked, header) if document else _made_up(picked)
        data = _ordered(data | _front(document, url, title) | _security(document, auth_methods, header))
        text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except RecursionError as error:
        raise DocumentError("the document is nested too deep", "point backend.openapi elsewhere") from error
    except (ValueError, TypeError) as error:
        raise DocumentError("the document holds something that JSON cannot say") from error
    raw = text.encode(errors="replace")  # half a surrogate pair is not text
    return Publication(raw.decode(), hashlib.sha256(raw).hexdigest(), picked, len(known))


def public_base(document: Document | None, public_url: str) -> str:
    """Where the published calls live: the public address plus the document's base path."""
    return _public(public_url).geturl() + (document.base_path if document else "")


def _public(public_url: str) -> SplitResult:
    try:
        url = urlsplit(public_url.rstrip("/"))
        good = url.scheme in ("http", "https") and bool(url.hostname) and (url.port or 1) > 0
    except ValueError:
        good = False
    if not good or "@" in url.netloc or url.query or url.fragment:
        raise DocumentError("the public address is not a plain http(s) URL")
    return url


def _is_2(document: Document | None) -> bool:
    return document is not None and document.spec.startswith("2")


def _front(document: Document | None, url: SplitResult, title: str) -> dict[str, Any]:
    """Version, title and address."""
    info = document.data.get("info") if document else None
    head = {"info": _info(info, title)}
    if not _is_2(document):
        version = document.spec if document else NO_DOCUMENT_VERSION
        return {"openapi": version, **head, "servers": [{"url": public_base(document, url.geturl())}]}
    base = url.path + (document.base_path if document else "")
    return {"swagger": "2.0", **head, "host": url.netloc, "basePath": base or "/", "schemes": [url.scheme]}


def _info(info: Any, title: str) -> dict[str, Any]:
    given = {key: value for key, value in _without_extensions(info).items() if value is not None}
    version = given.get("version")
    if isinstance(version, int | float) and not isinstance(version, bool):
        version = str(version)
    name = given.get("title")
    return given | {
        "title": name if isinstance(name, str) and name.strip() else title or "API",
        "version": version if isinstance(version, str) and version else "1",
    }


def _security(document: Document | None, methods: tuple[str, ...], header: str) -> dict[str, Any]:
    """The gateway's one scheme, required everywhere."""
    scheme = _scheme(methods[0] if methods else "", header, old=_is_2(document))
    return {"security": [{SCHEME: []}], "scheme": scheme}


def _scheme(method: str, header: str, old: bool) -> dict[str, Any]:
    if method == "api-key" and _HEADER.fullmatch(header):
        return {"type": "apiKey", "name": header, "in": "header"}
    if method == "basic":
        return {"type": "basic"} if old else {"type": "http", "scheme": "basic"}
    if method in ("bearer", "oauth"):
        if old:
            return {"type": "apiKey", "name": "Authorization", "in": "header"}
        return {"type": "http", "scheme": "bearer"}
    raise DocumentError(
        "no way to show a key can be put into the document",
        'set auth.methods to "api-key", "bearer" or "basic", and auth.header to the name of a header',
    )


def _ordered(data: dict[str, Any]) -> dict[str, Any]:
    """Puts the scheme where the version wants it, and everything into the usual order."""
    scheme = {SCHEME: data.pop("scheme")}
    if "swagger" in data:
        data["securityDefinitions"] = scheme
    else:
        data["components"] = {**data.get("components", {}), "securitySchemes": scheme}
    first = (
        "swagger",
        "openapi",
        "info",
        "host",
        "basePath",
        "schemes",
        "servers",
        "security",
        "tags",
        "paths",
    )
    return {key: data[key] for key in (*first, *data) if key in data}


def _rewritten(document: Document, picked: tuple[Operation, ...], header: str) -> dict[str, Any]:
    data = document.data
    harvest = Harvest(data, SECTIONS_2 if _is_2(document) else SECTIONS_3)
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in picked:
        by_path.setdefault(operation.path, {})[operation.method.lower()] = operation
    paths = {path: harvest.copy(_item(document, path, ops, header)) for path, ops in by_path.items()}
    used = {tag for operation in picked for tag in operation.tags}
    raw_tags = data.get("tags")
    tags = [
        _without_extensions(tag)
        for tag in (raw_tags if isinstance(raw_tags, list) else ())
        if isinstance(tag, Mapping) and isinstance(tag.get("name"), str) and tag["name"] in used
    ]
    rest = {key: data[key] for key in _ROOT if data.get(key) is not None}
    return {"paths": paths, **({"tags": tags} if tags else {}), **harvest.components(), **rest}


def _item(document: Document, path: str, ops: Mapping[str, Operation], header: str) -> dict[str, Any]:
    """A path item that has only the chosen operations and what they share."""
    item = path_item(document, path)
    result: dict[str, Any] = {}
    for key, value in item.items():
        if key == "parameters":
            result[key] = _parameters(document, value, header)
        elif key in ("summary", "description") and not _is_2(document):
            result[key] = value
        elif key in METHODS and key in ops:
            result[key] = _operation(document, value, ops[key], header)
    return {key: value for key, value in result.items() if value is not None and value != []}


def _operation(document: Document, raw: Mapping[str, Any], operation: Operation, header: str) -> dict[str, Any]:
    kept = {
        key: value
        for key, value in raw.items()
        if (key in _OPERATION or key.startswith("x-openai-")) and value is not None
    }
    if "parameters" in kept:
        kept["parameters"] = _parameters(document, kept["parameters"], header)
    return {"operationId": operation.id, **kept}


def _parameters(document: Document, value: Any, header: str) -> list[Any]:
    """The parameters without cookies and without headers that carry a login: the gateway sees to these."""
    logins = {"authorization", "proxy-authorization", "cookie", header.lower()}

    def of_the_inside(raw: Any) -> bool:
        parameter = refs.follow(document.data, raw)
        if not isinstance(parameter, Mapping):
            return False
        name = parameter.get("name")
        place = parameter.get("in")
        return place == "cookie" or (place == "header" and isinstance(name, str) and name.lower() in logins)

    return [raw for raw in value if not of_the_inside(raw)] if isinstance(value, list) else []


def _without_extensions(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {}
    return {key: item for key, item in value.items() if not key.startswith("x-")}


def _made_up(picked: tuple[Operation, ...]) -> dict[str, Any]:
    """Paths for operations that nobody described: their path parameters, any JSON in and out."""
    paths: dict[str, Any] = {}
    for operation in picked:
        names = dict.fromkeys(_PARAMETER.findall(operation.path))
        made: dict[str, Any] = {"operationId": operation.id}
        if names:
            made["parameters"] = [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
            ]
        if operation.method in ("POST", "PUT", "PATCH"):
            made["requestBody"] = {"content": {"application/json": {"schema": {"type": "object"}}}}
        made["responses"] = {"200": {"description": "the answer"}}
        paths.setdefault(operation.path, {})[operation.method.lower()] = made
    return {"paths": paths}
