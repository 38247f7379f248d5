"""The head of a document: info, servers, tags, ways to log in. In place."""

from typing import Any

from exposer.openapi.normalise import values
from exposer.openapi.normalise.fields import fix_fields
from exposer.openapi.normalise.report import Report, Where, short

_SCHEMES = {
    "apiKey": ("name", "in"),
    "http": ("scheme", "bearerFormat"),
    "mutualTLS": (),
    "oauth2": ("flows",),
    "openIdConnect": ("openIdConnectUrl",),
}
_FLOWS = {
    "implicit": ("authorizationUrl",),
    "password": ("tokenUrl",),
    "clientCredentials": ("tokenUrl",),
    "authorizationCode": ("authorizationUrl", "tokenUrl"),
}


def fix_head(data: dict[str, Any], report: Report) -> None:
    fix_fields("root", data, None, report)
    _fix_info(data, report)
    fix_servers(data, None, report)
    _fix_tags(data, report)
    components = data.get("components")
    if isinstance(components, dict) and isinstance(components.get("securitySchemes"), dict):
        where: Where = ((None, "components"), "securitySchemes")
        schemes = components["securitySchemes"]
        for name in list(schemes):
            if not _is_scheme(schemes[name]):
                del schemes[name]
                report.add((where, name), "is no way to log in that OpenAPI 3.1 knows and was left out")


def _fix_info(data: dict[str, Any], report: Report) -> None:
    """A title of nothing is valid, and leaves room for the name that the exposure has."""
    info = data.setdefault("info", {})
    where: Where = (None, "info")
    for key, otherwise in (("title", ""), ("version", "1")):
        found = values.text(info.get(key))
        if found == otherwise:
            continue
        if found is values.BAD or not found.strip():
            report.add(where, f"{key} is missing")
            info[key] = otherwise
    fix_fields("info", info, where, report)
    for key in ("contact", "license"):
        if key in info:
            fix_fields(key, info[key], (where, key), report)
    licence = info.get("license", {})
    if "license" in info and "name" not in licence:
        del info["license"]
    if "identifier" in licence:
        licence.pop("url", None)


def fix_servers(holder: dict[str, Any], where: Where, report: Report) -> None:
    """Servers and their variables; how they are used has been settled before (see `base`)."""
    if "servers" not in holder:
        return
    servers = [server for server in holder["servers"] if isinstance(server, dict)]
    for number, server in enumerate(servers):
        place: Where = ((where, "servers"), number)
        fix_fields("server", server, place, report)
        server.setdefault("url", "/")
        variables = server.get("variables", {})
        for name in [name for name, value in variables.items() if not isinstance(value, dict)]:
            del variables[name]
        for name, variable in variables.items():
            fix_fields("variable", variable, ((place, "variables"), name), report)
            variable.setdefault("default", (variable.get("enum") or [""])[0])
    holder["servers"] = servers
    if not servers:
        del holder["servers"]


def _fix_tags(data: dict[str, Any], report: Report) -> None:
    if "tags" not in data:
        return
    found: dict[str, dict[str, Any]] = {}
    for number, tag in enumerate(data["tags"]):
        where: Where = ((None, "tags"), number)
        made = {"name": tag} if isinstance(tag, str) else tag
        if not isinstance(made, dict) or not isinstance(made.get("name"), str) or made["name"] in found:
            report.add(where, f"tag {short(tag)} has no name, or one that was there before, and was left out")
            continue
        fix_fields("tag", made, where, report)
        found[made["name"]] = made
    data["tags"] = list(found.values())


def _is_scheme(scheme: Any) -> bool:
    """Whether this is a way to log in; what does not belong to its kind is taken out on the way."""
    kind = scheme.get("type") if isinstance(scheme, dict) else None
    if not isinstance(kind, str) or kind not in _SCHEMES:
        return False
    wanted = _SCHEMES[kind]
    for key in [key for key in scheme if key not in ("type", "description", *wanted) and not key.startswith("x-")]:
        del scheme[key]
    if not isinstance(scheme.get("description", ""), str):
        del scheme["description"]
    if kind == "oauth2":
        return _are_flows(scheme.get("flows"))
    if str(scheme.get("scheme", "")).lower() != "bearer" or not isinstance(scheme.get("bearerFormat"), str):
        scheme.pop("bearerFormat", None)
    if kind == "apiKey" and scheme.get("in") not in ("query", "header", "cookie"):
        return False
    return all(isinstance(scheme.get(key), str) for key in wanted if key != "bearerFormat")


def _are_flows(flows: Any) -> bool:
    if not isinstance(flows, dict):
        return False
    for name in [name for name in flows if not name.startswith("x-")]:
        flow = flows[name]
        if (
            name not in _FLOWS
            or not isinstance(flow, dict)
            or not all(isinstance(flow.get(k), str) for k in _FLOWS[name])
        ):
            del flows[name]
            continue
        scopes = values.texts_by_name(flow.get("scopes"))
        kept = {key: flow[key] for key in (*_FLOWS[name], "refreshUrl") if isinstance(flow.get(key), str)}
        flows[name] = kept | {"scopes": {} if scopes is values.BAD else scopes}
    return bool(flows)
