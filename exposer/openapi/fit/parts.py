"""A call with its schemas written out to a client's sizes: what every format is put together from. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from exposer.openapi.fit.call import Call, Parameter
from exposer.openapi.fit.clients import Client
from exposer.openapi.fit.flat import Flat
from exposer.openapi.fit.texts import cut, length
from exposer.openapi.fit.write import View, Writer, Written

_SAID = {
    "dangling": "a reference leads nowhere: it may be anything",
    "unions": "oneOf and anyOf are simplified",
    "properties": "an object without fields says that it has none",
    "cycles": "a schema that holds itself is cut",
}


@dataclass(frozen=True, slots=True)
class Said:
    """A parameter, its schema, and its text at the client's length."""

    parameter: Parameter
    schema: Mapping[str, Any]
    text: str


@dataclass(frozen=True, slots=True)
class Parts:
    """All there is to say about a call. `notes` are pairs of a step and what it did here."""

    call: Call
    summary: str
    text: str
    parameters: tuple[Said, ...]
    body: Mapping[str, Any] | None
    answer: Mapping[str, Any] | None
    notes: tuple[tuple[str, str], ...]


def parts(call: Call, writer: Writer, client: Client) -> Parts:
    notes: dict[tuple[str, str], None] = {}
    view = View(True, client.parameter_text, client.maps)
    said = tuple(_parameter(parameter, writer, view, client, notes) for parameter in call.parameters)
    body = answer = None
    if call.body is not None:
        body = _noted("the body", "inputs", _object(call.body.schema, writer, client.body, view), notes)
    if call.answer.media and client.answer:
        written = writer.within(call.answer.schema, client.answer, View(False, min(client.parameter_text, 200)))
        answer = _noted("the answer", "answers", written, notes)
    summary, text = cut(call.summary, client.text), cut(call.text, client.text)
    if max(length(call.summary), length(call.text)) > client.text:
        notes["texts", f"its text is cut to {client.text} characters"] = None
    return Parts(call, summary, text, said, body, answer, tuple(notes))


def _parameter(
    parameter: Parameter, writer: Writer, view: View, client: Client, notes: dict[tuple[str, str], None]
) -> Said:
    text = cut(parameter.text, client.parameter_text)
    if text != parameter.text:
        notes["texts", f"the text of {parameter.name[:60]} is cut to {client.parameter_text} characters"] = None
    written = writer.write_flat(replace(parameter.flat, text=""), 1, view._replace(text=0))
    return Said(parameter, written.value, text)


def _object(schema: Any, writer: Writer, budget: int, view: View) -> Written:
    """A body is an object, even where the document does not say what it is."""
    flat = writer.flattener.flat(schema)
    if flat.type == "object":
        return writer.within(schema, budget, view)
    return writer.write_flat(Flat(type="object", open=True, marks=flat.marks), 1, view)


def _noted(what: str, budget: str, written: Written, notes: dict[tuple[str, str], None]) -> Mapping[str, Any]:
    for mark in sorted(written.marks):
        if mark == "free-form" and budget == "answers":
            mark = "properties"
        if mark == "cut" and "cycles" not in written.marks:
            notes[budget, f"{what} is described in part"] = None
        elif mark == "free-form":
            notes[mark, f"{what} takes fields that the document does not name"] = None
        elif mark in _SAID:
            notes[mark, f"{what}: {_SAID[mark]}"] = None
    return written.value
