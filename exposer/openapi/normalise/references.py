"""References while a document is normalised: put on the places of 3.1, and told apart from those that lead nowhere."""

from typing import Any

from exposer.openapi import refs
from exposer.openapi.normalise.grammar import SECTIONS
from exposer.openapi.normalise.names import LEGAL, free_name, reference
from exposer.openapi.normalise.report import Report, Where, names_of, short

# Where things were in Swagger 2.0; many a document of today still says so.
_OLD = {
    "definitions": "schemas",
    "parameters": "parameters",
    "responses": "responses",
    "securityDefinitions": "securitySchemes",
}
_BESIDE = frozenset(("$ref", "summary", "description"))


class References:
    """Answers for each reference what it is called now. Bad names of components are replaced at the start."""

    def __init__(self, data: dict[str, Any], report: Report) -> None:
        self._data = data
        self._report = report
        self._known: dict[tuple[str, str], str] = {}
        self._found: dict[tuple[str, str], tuple[str, ...]] = {}
        self._renamed: dict[tuple[str, str], str] = {}
        self._local: dict[str, tuple[str, ...]] = {}
        components = data.get("components")
        for section, things in (components if isinstance(components, dict) else {}).items():
            if isinstance(things, dict):
                self._rename(section, things)

    def note_local(self, name: str, where: Where) -> None:
        """A schema under `$defs` of another: some documents refer to it as if it stood at the root."""
        self._local.setdefault(name, names_of(where))

    def settle(self, node: dict[str, Any], kind: str, where: Where) -> bool:
        """Mends the reference of a node; False when it leads nowhere."""
        ref = node["$ref"]
        found = self.named(ref, kind)
        if found is None:
            self._report.add(where, f"the reference {short(ref)} leads nowhere and was left out")
            return False
        node["$ref"] = found
        if kind != "schema":
            for key in [key for key in node if key not in _BESIDE]:
                del node[key]
        return True

    def named(self, ref: str, kind: str) -> str | None:
        """What a reference is called in 3.1; None when it leads nowhere, out of the document or in a circle."""
        known = self._known.get((ref, kind))
        if known is None:
            names = self._place(ref, kind)
            if names is None:
                return None
            known = self._known[ref, kind] = reference(names)
        return known

    def hold(self) -> bool:
        """Whether all references that were settled still lead somewhere; what does not is asked anew."""
        gone = [
            known
            for known, now in self._known.items()
            if refs.lookup(self._data, refs.tokens(now) or ()) is refs.MISSING
        ]
        for known in gone:
            del self._known[known]
            self._found.pop(known, None)
        return not gone

    def target(self, node: Any, kind: str) -> Any:
        """The node itself, or what it refers to in the end; MISSING where that is nothing."""
        for _ in range(refs.HOPS):
            ref = node.get("$ref") if isinstance(node, dict) else None
            if not isinstance(ref, str):
                return node
            names = self._where(ref, kind)
            node = refs.MISSING if names is None else refs.lookup(self._data, names)
        return refs.MISSING

    def _place(self, ref: str, kind: str) -> tuple[str, ...] | None:
        names = self._where(ref, kind)
        if names is None:
            return None
        if names[0] == "components" and len(names) == 3 and names[1] != SECTIONS.get(kind, names[1]):
            return None
        target = self.target({"$ref": ref}, kind)
        return names if isinstance(target, dict) or (kind == "schema" and isinstance(target, bool)) else None

    def _where(self, ref: str, kind: str) -> tuple[str, ...] | None:
        """The first place that a reference may mean and where something stands."""
        found = self._found.get((ref, kind))
        if found is None:
            guesses = self._guesses(ref, kind)
            found = next((names for names in guesses if refs.lookup(self._data, names) is not refs.MISSING), None)
            if found is not None:
                self._found[ref, kind] = found
        return found

    def _guesses(self, ref: str, kind: str) -> list[tuple[str, ...]]:
        names = refs.tokens(ref)
        section = SECTIONS.get(kind, kind)
        if names is None:  # "Pet" or "#Pet", for "#/components/schemas/Pet"
            name = ref.strip("#")
            return [("components", section, self._renamed.get((section, name), name))] if name else []
        if names[0] in _OLD and names[0] not in self._data:
            old = ("components", _OLD[names[0]], *names[1:])
            return [self._now(old), self._local.get(names[1], old) if len(names) == 2 else old]
        if names[0] == "$defs" and len(names) == 2:
            return [names, self._local.get(names[1], names), ("components", "schemas", names[1])]
        return [self._now(names)]

    def _now(self, names: tuple[str, ...]) -> tuple[str, ...]:
        if names[0] != "components" or len(names) < 3:
            return names
        return ("components", names[1], self._renamed.get((names[1], names[2]), names[2]), *names[3:])

    def _rename(self, section: str, things: dict[str, Any]) -> None:
        bad = [name for name in things if not LEGAL.fullmatch(name)]
        taken = set(things)
        for old in bad:
            new = self._renamed[section, old] = free_name(old, taken, old)
            taken.add(new)
            self._report.add((((None, "components"), section), new), f"was called {short(old)}, which is not allowed")
        if bad:
            ordered = {self._renamed.get((section, name), name): thing for name, thing in things.items()}
            things.clear()
            things.update(ordered)
