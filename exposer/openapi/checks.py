"""Reads a finished document the way a client's importer does, and says what that would refuse or pass over.

Written from the facts about the importers, not from the code that fits documents to them: nothing is imported from it.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from exposer.openapi import check_calls, refs
from exposer.openapi.check_calls import NAME, Problems

METHODS = frozenset(("get", "post", "put", "patch", "delete"))
MOST_OPERATIONS = 30


def conforms(text: str, client: str) -> list[str]:
    """What this client's importer would say about the document; nothing when it would take it whole."""
    try:
        data = json.loads(text)
    except ValueError:
        return ["the document is not JSON"]
    if not isinstance(data, Mapping):
        return ["the document is not an object"]
    return list(_READERS[client](data))


def _action(data: Mapping[str, Any]) -> Problems:
    """ChatGPT's importer."""
    if data.get("openapi") not in ("3.1.0", "3.1.1"):
        yield "('openapi',): Input should be '3.1.1' or '3.1.0'"
    yield from _info(data)
    yield from _servers(data)
    yield from _components(data)
    calls = list(_calls(data))
    if len(calls) > MOST_OPERATIONS:
        yield "OpenAPI spec can have a maximum of 30 operations"
    for path, method, raw in calls:
        yield from check_calls.operation(data, path, method, raw, strict=True)
        yield from check_calls.lengths(raw)
        if not isinstance(raw.get("x-openai-isConsequential"), bool):
            yield f"{raw.get('operationId')}: x-openai-isConsequential is not said"
    yield from _names(raw.get("operationId") for _, _, raw in calls)
    yield from _paths(data)


def _openapi(data: Mapping[str, Any]) -> Problems:
    """Importers that read OpenAPI 3.1: LibreChat says the same as ChatGPT, others say less."""
    if not re.fullmatch(r"3\.[01]\.[0-9]+", str(data.get("openapi"))):
        yield "('openapi',): Input should be '3.1.1' or '3.1.0'"
    yield from _info(data)
    servers = data.get("servers")
    if not isinstance(servers, list) or len(servers) != 1 or not _address(servers[0].get("url")):
        yield "Could not find a valid URL in `servers`"
    yield from _components(data)
    for path, method, raw in _calls(data):
        yield from check_calls.operation(data, path, method, raw, strict=False)
    yield from _names(raw.get("operationId") for _, _, raw in _calls(data))
    yield from _paths(data)


def _copilot(data: Mapping[str, Any]) -> Problems:
    """Copilot Studio and custom connectors: Swagger 2.0."""
    if data.get("swagger") != "2.0":
        yield "only Swagger 2.0 is taken"
    yield from _info(data)
    if not isinstance(data.get("host"), str) or not str(data.get("basePath", "")).startswith("/"):
        yield "host or basePath is missing"
    if len(data.get("schemes", ())) != 1:
        yield "schemes must name one"
    if len(data.get("securityDefinitions", ())) != 1:
        yield "Found multiple security schemes, only 1 is supported"
    yield from _dangling(data)
    for path, method, raw in _calls(data):
        where = f"{method.upper()} {path}"
        yield from check_calls.operation_id(path, method, raw)
        bodies = [p for p in raw.get("parameters", ()) if p.get("in") == "body"]
        if len(bodies) > 1:
            yield f"{where}: more than one body"
        for parameter in raw.get("parameters", ()):
            yield from check_calls.parameter_2(where, parameter)
        for body in bodies:
            yield from check_calls.one_schema(data, body.get("schema"), where, root=True)
        yield from check_calls.declared(where, path, raw.get("parameters", ()))
    yield from _names(raw.get("operationId") for _, _, raw in _calls(data))
    yield from _paths(data)


def _mcp(data: Mapping[str, Any]) -> Problems:
    """An MCP client: a list of tools."""
    tools = data.get("tools")
    if not isinstance(tools, list) or not tools:
        yield "there are no tools"
        return
    for tool in tools:
        name = tool.get("name")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            yield f"{name!r} is no tool name"
        if not tool.get("description"):
            yield f"{name}: it has no description"
        schema = tool.get("inputSchema")
        if not isinstance(schema, Mapping) or schema.get("type") != "object":
            yield f"{name}: its input is not an object"
        yield from check_calls.one_schema(data, schema, str(name), root=True)
        if not isinstance(tool.get("annotations", {}).get("readOnlyHint"), bool):
            yield f"{name}: without readOnlyHint it is treated as a write"
    yield from _names(tool.get("name") for tool in tools)


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Problems]] = {
    "gpt-action": _action,
    "openapi": _openapi,
    "copilot": _copilot,
    "mcp": _mcp,
}


def _info(data: Mapping[str, Any]) -> Problems:
    info = data.get("info")
    for key in ("title", "version"):
        if not isinstance(info, Mapping) or not isinstance(info.get(key), str) or not info[key]:
            yield f"('info', '{key}'): Field required"


def _servers(data: Mapping[str, Any]) -> Problems:
    servers = data.get("servers")
    if not isinstance(servers, list) or not servers or not _address(servers[0].get("url")):
        yield "Could not find a valid URL in `servers`"
        return
    if len(servers) > 1:
        yield f"Multiple servers found, using {servers[0]['url']}"
    url = servers[0]["url"]
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.netloc != (parts.hostname or "") or parts.hostname == "localhost":
        yield f"None of the provided servers is under the root origin https://{parts.hostname}: {url}"


def _address(url: Any) -> bool:
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
    except ValueError:
        return False
    return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)


def _components(data: Mapping[str, Any]) -> Problems:
    components = data.get("components")
    if not isinstance(components, Mapping) or not isinstance(components.get("schemas"), Mapping):
        yield "In components section, schemas subsection is not an object"
        return
    if len(components.get("securitySchemes", ())) != 1 or len(data.get("security", ())) != 1:
        yield "Found multiple security schemes, only 1 is supported"
    if any(_circular(data, name) for name in components["schemas"]):
        yield "Components section contains a circular dependency"
    yield from _dangling(data)


def _circular(data: Mapping[str, Any], name: str) -> bool:
    start = f"#/components/schemas/{name}"
    seen: set[str] = set()
    queue = [data["components"]["schemas"][name]]
    while queue:
        for ref in _references(queue.pop()):
            if ref == start:
                return True
            if ref not in seen:
                seen.add(ref)
                queue.append(refs.lookup(data, refs.tokens(ref) or ()))
    return False


def _dangling(data: Mapping[str, Any]) -> Problems:
    for ref in sorted(set(_references(data))):
        names = refs.tokens(ref)
        if names is None or refs.lookup(data, names) is refs.MISSING:
            yield f"reference to unknown component {ref}; using empty schema"


def _references(node: Any) -> Iterator[str]:
    queue = [node]
    while queue:
        node = queue.pop()
        if isinstance(node, Mapping):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            queue.extend(node.values())
        elif isinstance(node, list):
            queue.extend(node)


def _paths(data: Mapping[str, Any]) -> Problems:
    paths = data.get("paths")
    if not isinstance(paths, Mapping) or not paths:
        yield "No paths found in the OpenAPI spec"
        return
    for path, item in paths.items():
        if not path.startswith("/"):
            yield f"Path {path} does not start with a slash; skipping"
        for method in item:
            if method not in METHODS:
                yield f"Path {path} has unrecognized method {method}; skipping"


def _calls(data: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    paths = data.get("paths")
    for path, item in paths.items() if isinstance(paths, Mapping) else ():
        for method, raw in item.items():
            if method in METHODS and isinstance(raw, Mapping):
                yield path, method, raw


def _names(ids: Iterator[Any]) -> Problems:
    seen: set[Any] = set()
    for name in ids:
        if name in seen:
            yield f"operationId {name} is not unique"
        seen.add(name)
