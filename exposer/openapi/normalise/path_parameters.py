"""The parameters of each call as a whole: each once, and those of the path just as the path has them. In place."""

import re
from typing import Any

from exposer.openapi.normalise.copying import Copier
from exposer.openapi.normalise.grammar import CALLS
from exposer.openapi.normalise.references import References
from exposer.openapi.normalise.report import Report, Where, short

MAX_TEMPLATE = 2000
_BRACES = re.compile(r"\{([^{}/]+)\}")


def names_in(path: str) -> list[str]:
    """The parameters of a template; `{id:[0-9]+}` is the parameter `id`."""
    return list(dict.fromkeys(re.split("[:!]", name)[0] for name in _BRACES.findall(path)))


class PathParameters:
    """Looks at one path after the other, when all else in it has been mended."""

    def __init__(self, references: References, copier: Copier, report: Report) -> None:
        self._references = references
        self._copier = copier
        self._report = report

    def fix(self, path: str, item: dict[str, Any], where: Where) -> None:
        if len(path) > MAX_TEMPLATE:
            return
        names = names_in(path)
        calls = [(method, item[method]) for method in CALLS if isinstance(item.get(method), dict)]
        for holder, place in [(item, where), *((call, (where, method)) for method, call in calls)]:
            if "parameters" in holder:
                kept = self._unique(holder["parameters"], place)
                holder["parameters"] = self._in_the_path(kept, names, place)
        shared = self._path_names(item)
        missing = [[name for name in names if name not in shared | self._path_names(call)] for _, call in calls]
        everywhere = [name for name in names if missing and all(name in some for some in missing)]
        self._add(item, everywhere, where)
        for (method, call), some in zip(calls, missing, strict=True):
            self._add(call, [name for name in some if name not in everywhere], (where, method))
        for holder in (item, *(call for _, call in calls)):
            if holder.get("parameters") == []:
                del holder["parameters"]

    def _target(self, parameter: Any) -> dict[str, Any]:
        found = self._references.target(parameter, "parameter")
        return found if isinstance(found, dict) else {}

    def _path_names(self, holder: dict[str, Any]) -> set[str]:
        targets = map(self._target, holder.get("parameters", ()))
        return {target["name"] for target in targets if target.get("in") == "path"}

    def _unique(self, parameters: list[Any], where: Where) -> list[Any]:
        found: dict[tuple[str, str], Any] = {}
        for parameter in parameters:
            target = self._target(parameter)
            name = str(target.get("name"))
            if found.setdefault((str(target.get("in")), name), parameter) is not parameter:
                self._report.add(where, f"parameter {short(name)} is there twice; the first is kept")
        return list(found.values())

    def _in_the_path(self, parameters: list[Any], names: list[str], where: Where) -> list[Any]:
        """Those that are not in the template get the name that is meant, or go."""
        here = {target["name"] for target in map(self._target, parameters) if target.get("in") == "path"}
        free = {_bare(name): name for name in names if name not in here}
        kept: list[Any] = []
        for parameter in parameters:
            target = self._target(parameter)
            if target.get("in") != "path" or target["name"] in names:
                kept.append(parameter)
                continue
            meant = free.pop(_bare(target["name"]), "")
            if meant:
                kept.append({**self._copier.copy(target), "name": meant})
                self._report.add(where, f"path parameter {short(target['name'])} is {{{meant}}} in the path")
            else:
                self._report.add(where, f"path parameter {short(target['name'])} is not in the path and was left out")
        return kept

    def _add(self, holder: dict[str, Any], names: list[str], where: Where) -> None:
        for name in names:
            made = {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            holder.setdefault("parameters", []).append(made)
            self._report.add(where, f"path parameter {{{name}}} was not described; it is text now")


def _bare(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()
