"""Swagger 2.0 and OpenAPI 3.0, 3.1 and 3.2 become one model, OpenAPI 3.1, repaired on the way. All in place.

By hand, because no package does it: what there is in Python sends the document to a web service (prance, funapi), has
a model of its own with no way back to a document (openapi-normalizer), or starts a program of Node's (jentic, redocly).
"""

from typing import Any

from exposer.openapi import refs
from exposer.openapi.model import DocumentError, Repair
from exposer.openapi.normalise import swagger
from exposer.openapi.normalise.copying import Copier
from exposer.openapi.normalise.grammar import CALLS
from exposer.openapi.normalise.head import fix_head
from exposer.openapi.normalise.inside import Inside
from exposer.openapi.normalise.lift import lift
from exposer.openapi.normalise.path_parameters import PathParameters
from exposer.openapi.normalise.references import References
from exposer.openapi.normalise.report import Report, Where, short

__all__ = ["VERSION", "normalise"]

VERSION = "3.1.0"
MAX_PATHS = 25_000
MAX_ROUNDS = 4

# What others refer to comes first: when it turns out to be nothing, it is gone before anything asks for it.
_ORDER = ("schemas", "parameters", "headers", "examples", "requestBodies", "responses", "mediaTypes", "pathItems")
_FIRST = ("info", "servers", "security", "tags", "components", "paths")


def normalise(data: dict[str, Any], spec: str, *, deep: bool = True) -> tuple[Repair, ...]:
    """Makes an OpenAPI 3.1 document of `data` itself; no value in it may stand in two places.

    `spec` is the version that it was written in. `deep` is false when it is known to have no references deep into
    other things. Raises DocumentError where it is larger than any real one.
    """
    if len(data["paths"]) > MAX_PATHS:
        raise DocumentError(
            f"the document has {len(data['paths']):,} paths, more than {MAX_PATHS:,} are not read",
            "make a smaller one with the calls you need and point backend.openapi to that file",
        )
    for note in [path for path in data["paths"] if path.startswith("x-")]:
        del data["paths"][note]
    report, copier = Report(), Copier()
    if deep:
        lift(data)
    if spec.startswith("2"):
        for item in data["paths"].values():
            _resolve_item(data, item, copier)
        swagger.upgrade(data, copier)
    else:
        _move_old_places(data, report)
    _put_in_order(data)
    fix_head(data, report)
    references = References(data, report)
    inside = Inside(references, copier, report, old=spec.startswith(("2", "3.0")))
    for _ in range(MAX_ROUNDS):  # what was taken out may have been what something else refers to
        inside.fix("root", data, None)
        if references.hold():
            break
    if "components" in data:
        data["components"].pop("mediaTypes", None)  # since 3.2; each stands now where it is used
    _fix_paths(data, PathParameters(references, copier, report), report)
    _drop_double_ids(data, report)
    return report.repairs()


def _resolve_item(data: dict[str, Any], item: Any, copier: Copier) -> None:
    """Swagger's body parameters have to be seen, so a path that is described elsewhere is copied here first."""
    target = refs.follow(data, item)
    if isinstance(item, dict) and isinstance(target, dict) and target is not item:
        del item["$ref"]
        item.update({key: value for key, value in copier.copy(target).items() if key not in item})


def _move_old_places(data: dict[str, Any], report: Report) -> None:
    """What stands where Swagger 2.0 had it, in a document that says it is of OpenAPI 3."""
    for old, new in (("definitions", "schemas"), ("parameters", "parameters"), ("responses", "responses")):
        things = data.pop(old, None)
        if not isinstance(things, dict):
            continue
        report.add((None, old), f"belongs to components/{new} in OpenAPI 3")
        home = data
        for name in ("components", new):
            if not isinstance(home.get(name), dict):
                home[name] = {}
            home = home[name]
        home.update({name: thing for name, thing in things.items() if name not in home})


def _put_in_order(data: dict[str, Any]) -> None:
    """The version first; what others refer to before them, so that what is nothing is gone before anyone asks."""
    components = data.get("components")
    if isinstance(components, dict):
        ordered = {key: components[key] for key in (*_ORDER, *components) if key in components}
        components.clear()
        components.update(ordered)
    ordered = {"openapi": VERSION} | {key: data[key] for key in (*_FIRST, *data) if key in data and key != "openapi"}
    data.clear()
    data.update(ordered)


def _fix_paths(data: dict[str, Any], parameters: PathParameters, report: Report) -> None:
    for path, item in list(data["paths"].items()):
        if not path.startswith("/") and not any(method in item for method in CALLS):
            del data["paths"][path]
            report.add(((None, "paths"), path), "is no path and was left out")
        else:
            parameters.fix(path, item, ((None, "paths"), path))


def _drop_double_ids(data: dict[str, Any], report: Report) -> None:
    """An id that two calls have is nobody's; such calls get ids of their own (see `operations`)."""
    seen: dict[str, list[tuple[dict[str, Any], Where]]] = {}
    for path, item in data["paths"].items():
        for method in CALLS if isinstance(item, dict) else ():
            call = item.get(method)
            if isinstance(call, dict) and isinstance(call.get("operationId"), str):
                where: Where = (((None, "paths"), path), method)
                seen.setdefault(call["operationId"], []).append((call, where))
    for name, places in seen.items():
        for call, where in places if len(places) > 1 else ():
            del call["operationId"]
            report.add(where, f"the operationId {short(name)} is there {len(places)} times and was left out")
