"""Writes schemas out, plain and without references, as deep as a budget of bytes allows. Pure.

A schema is written once for each depth and remembered with its size, so a document of thousands of schemas that hold
each other costs no more than it is long, however large they would be written out.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from exposer.openapi.fit.flat import SCALARS, Flat, Flattener, type_of
from exposer.openapi.fit.texts import cut
from exposer.openapi.normalise.values import in_format

DEEPEST = 8
FITTING = ("int32", "int64", "float", "double")  # formats that any number of the type has
MOST_VALUES = 1000  # characters of an enum
_NOTHING: frozenset[str] = frozenset()


class View(NamedTuple):
    """How a schema is written: what is sent in or comes out, how long texts may be, whether maps stay open."""

    inward: bool
    text: int = 0
    maps: bool = False

    @property
    def hidden(self) -> str:
        return "readOnly" if self.inward else "writeOnly"

    @property
    def anything(self) -> str:
        """What stands for a value that may be anything."""
        return "string" if self.inward else "object"


@dataclass(frozen=True, slots=True)
class Written:
    """A schema as it goes out. `marks` has the steps that changed it; "cut" means that something was left out."""

    value: Mapping[str, Any]
    size: int
    marks: frozenset[str] = field(default=_NOTHING)


class Writer:
    """Writes the schemas of one document."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.flattener = Flattener(data)
        self._written: dict[tuple[int, int, View], Written] = {}

    def within(self, node: Any, budget: int, view: View) -> Written:
        """The schema as deep as fits, the outer levels first, then with texts as long as fit."""
        best = self._bare(node, budget, view._replace(text=0), 0)
        depth = self._depth(node, budget, view._replace(text=0))
        for text in dict.fromkeys((view.text, min(view.text, 200), min(view.text, 80))):
            found = self.write(node, depth, view._replace(text=text))
            if best.size <= found.size <= budget:
                return replace(found, marks=found.marks | (best.marks & {"cycles"}))
        return best

    def _bare(self, node: Any, budget: int, view: View, level: int) -> Written:
        """Without texts. What an even depth leaves of the budget is given to the parts that were cut."""
        depth = self._depth(node, budget, view)
        best = self.write(node, depth, view)
        if "cut" not in best.marks:
            return best
        if depth == DEEPEST:
            return replace(best, marks=best.marks | {"cycles"})
        if depth == 0 or best.size > budget:
            return self._narrowed(node, budget, view, level)
        spread = self._spread(node, budget, view, level + 1) if best.size < budget // 2 and level < DEEPEST else best
        return spread if best.size < spread.size <= budget else best

    def _depth(self, node: Any, budget: int, view: View) -> int:
        """How many levels fit; no more than there are."""
        for depth in range(DEEPEST):
            if "cut" not in self.write(node, depth, view).marks or self.write(node, depth + 1, view).size > budget:
                return depth
        return DEEPEST

    def _spread(self, node: Any, budget: int, view: View, level: int) -> Written:
        """The first level whole, and of what is below it as much as the rest of the budget allows."""
        flat = self.flattener.flat(node)
        kind = flat.type or view.anything
        value: dict[str, Any] = {"type": kind, **_words(flat, kind, view)}
        if kind == "array":
            inner = self._bare(flat.items, budget - 40, view, level)
            return Written({**value, "items": inner.value}, _size(value) + inner.size + 10, flat.marks | inner.marks)
        children = self._children(flat, 0, view)
        left = budget - self._assembled(flat, value, children, view).size
        poor = [name for name, child in children.items() if "cut" in child.marks]
        for place, name in enumerate(poor):
            before = children[name]
            children[name] = self._bare(flat.properties[name], before.size + left // (len(poor) - place), view, level)
            left -= children[name].size - before.size
        return self._assembled(flat, value, children, view)

    def write(self, node: Any, depth: int, view: View) -> Written:
        """The schema with `depth` levels of properties and items."""
        key = (id(node), depth, view)
        if key not in self._written:
            made = self.write_flat(self.flattener.flat(node), depth, view)
            if not isinstance(node, Mapping):
                return made
            self._written[key] = made
        return self._written[key]

    def write_flat(self, flat: Flat, depth: int, view: View) -> Written:
        kind = flat.type or view.anything
        value: dict[str, Any] = {"type": kind, **_words(flat, kind, view)}
        if view.text and (text := cut(flat.text, view.text)):
            value["description"] = text
        if kind == "object":
            return self._object(flat, value, depth, view)
        if kind == "array":
            return self._array(flat, value, depth, view)
        return Written(value, _size(value), flat.marks)

    def _object(self, flat: Flat, value: dict[str, Any], depth: int, view: View) -> Written:
        if depth > 0:
            return self._assembled(flat, value, self._children(flat, depth - 1, view), view)
        bare = self._assembled(replace(flat, properties={}), value, {}, view)
        hides = (self.flattener.flat(child).hides for child in flat.properties.values())
        if any(view.hidden not in hidden for hidden in hides):
            return replace(bare, marks=(bare.marks | {"cut"}) - {"properties", "free-form"})
        return bare

    def _children(self, flat: Flat, depth: int, view: View) -> dict[str, Written]:
        """Its fields, without those that are not for this direction."""
        return {
            name: self.write(child, depth, view)
            for name, child in flat.properties.items()
            if view.hidden not in self.flattener.flat(child).hides
        }

    @staticmethod
    def _assembled(flat: Flat, value: dict[str, Any], children: Mapping[str, Written], view: View) -> Written:
        """An object of fields that are written already."""
        made: dict[str, Any] = {**value, "properties": {}}
        if required := [name for name in children if name in flat.required and view.inward]:
            made["required"] = required
        if flat.open and view.inward and view.maps:
            made["additionalProperties"] = True
        size = _size(made) + sum(_size(name) + child.size + 2 for name, child in children.items())
        made["properties"] = {name: child.value for name, child in children.items()}
        marks = flat.marks.union(*(child.marks for child in children.values()))
        if not children:
            marks |= {"free-form" if flat.open else "properties"}
        return Written(made, size, marks)

    def _array(self, flat: Flat, value: dict[str, Any], depth: int, view: View) -> Written:
        items = self.flattener.flat(flat.items)
        if depth > 0:
            found = self.write(flat.items, depth - 1, view)
        elif items.type in SCALARS:
            found = self.write_flat(items, 0, view)
        else:
            found = Written({"type": "object", "properties": {}}, 34, frozenset(("cut",)))
        size = _size(value) + found.size + 10
        return Written({**value, "items": found.value}, size, flat.marks | found.marks)

    def _narrowed(self, node: Any, budget: int, view: View, level: int) -> Written:
        """The first level alone, with as many of its fields as fit; what is required comes first."""
        flat = self.flattener.flat(node)
        if flat.type == "array" and flat.items is not None and level < DEEPEST:
            return self._spread(node, budget, view, level + 1)
        if flat.type != "object":
            plain = self.write_flat(replace(flat, enum=None, words={}), 0, view)
            return replace(plain, marks=plain.marks | {"cut"})
        children = self._children(flat, 0, view)
        left = budget - 60
        kept: set[str] = set()
        for name in sorted(children, key=lambda name: name not in flat.required):
            left -= children[name].size + _size(name) * 2 + 4
            if left < 0:
                break
            kept.add(name)
        some = {name: child for name, child in children.items() if name in kept}
        written = self._assembled(flat, {"type": "object"}, some, view)
        return replace(written, marks=(written.marks | {"cut"}) - {"properties", "free-form"})


def _words(flat: Flat, kind: str, view: View) -> dict[str, Any]:
    """The keywords beside the type, where they make sense."""
    result: dict[str, Any] = {}
    form = flat.words.get("format")
    if isinstance(form, str) and 0 < len(form) <= 30 and kind in SCALARS:
        result["format"] = form
    values = _enum(flat, kind)
    if values and len(json.dumps(values)) <= (MOST_VALUES if view.inward else MOST_VALUES // 4):
        result["enum"] = values
    if not view.inward:
        return result
    if kind in ("integer", "number"):
        result |= {key: flat.words[key] for key in ("minimum", "maximum") if _number(flat.words.get(key))}
    counts = {"string": ("minLength", "maxLength"), "array": ("minItems", "maxItems")}.get(kind, ())
    result |= {key: flat.words[key] for key in counts if _count(flat.words.get(key))}
    if "default" in flat.words and _allows(result, kind, flat.words["default"]):
        result["default"] = flat.words["default"]
    return result


def _enum(flat: Flat, kind: str) -> list[Any]:
    """The values that have the type, each once."""
    if kind not in SCALARS:
        return []
    return list(dict.fromkeys(value for value in flat.enum or () if _is(value, kind)))


def _is(value: Any, kind: str) -> bool:
    return type_of(value) == kind or (kind == "number" and type_of(value) == "integer")


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _allows(words: Mapping[str, Any], kind: str, value: Any) -> bool:
    """Whether a default is one of the values that the schema itself allows."""
    if kind not in SCALARS or not _is(value, kind):
        return False
    if "format" in words and words["format"] not in FITTING:
        return False
    if "enum" in words and value not in words["enum"]:
        return False
    if not in_format(words.get("format"), value):
        return False
    size = len(value) if isinstance(value, str) else value
    least, most = words.get("minimum", words.get("minLength")), words.get("maximum", words.get("maxLength"))
    return (least is None or size >= least) and (most is None or size <= most)


def _size(value: Any) -> int:
    """How many bytes it takes in the document."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace"))
