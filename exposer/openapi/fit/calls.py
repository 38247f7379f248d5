"""From the chosen operations to calls that a client can make; each that it cannot make is dropped with the reason."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from exposer.openapi import refs
from exposer.openapi.fit.call import Answer, Body, Call, UnfitError
from exposer.openapi.fit.clients import FORM, JSON, Client
from exposer.openapi.fit.notes import Notes
from exposer.openapi.fit.parameters import Reader
from exposer.openapi.fit.texts import clean, made_up
from exposer.openapi.fit.write import Writer
from exposer.openapi.model import Document, Operation
from exposer.openapi.operations import path_item

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
BODILESS = ("GET", "DELETE")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Calls:
    """What can be called, and what cannot. `writer` writes the schemas that the calls name."""

    made: tuple[Call, ...]
    dropped: tuple[tuple[Operation, str], ...]
    writer: Writer


def calls(document: Document, chosen: Iterable[Operation], client: Client, notes: Notes, ours: frozenset[str]) -> Calls:
    """`ours` are the headers that the gateway sets itself, in small letters."""
    writer = Writer(document.data)
    reader = Reader(document.data, writer.flattener, client, notes, ours)
    made: list[Call] = []
    dropped: list[tuple[Operation, str]] = []
    taken: set[str] = set()
    for operation in chosen:
        try:
            call = _call(document, operation, reader, client, notes)
            if call.id in taken:
                raise UnfitError("operation-id", "another operation has its name")
        except UnfitError as error:
            dropped.append((operation, error.why))
            notes.add(error.step, operation.id, f"it is not offered: {error.why}")
        else:
            taken.add(call.id)
            made.append(call)
    return Calls(tuple(made), tuple(dropped), writer)


def _call(document: Document, operation: Operation, reader: Reader, client: Client, notes: Notes) -> Call:
    item = path_item(document, operation.path)
    found = item.get(operation.method.lower())
    raw = found if isinstance(found, Mapping) else {}
    _check(operation, item, raw)
    if (own := raw.get("operationId")) != operation.id:
        calls_it = f"the document calls it {clean(own)[:60]}" if clean(own) else "the document has no name for it"
        notes.add("operation-id", operation.id, calls_it)
    parameters = reader.read(operation, item, raw)
    body = _body(document, operation, raw, reader, client, notes)
    summary, text = _texts(operation, raw, notes)
    return Call(
        operation=operation,
        summary=summary,
        text=text,
        parameters=parameters.kept,
        body=body,
        answer=_answer(document, raw),
        headers=parameters.headers,
        consequential=_consequential(operation, raw),
        deprecated=raw.get("deprecated") is True,
    )


def _check(operation: Operation, item: Mapping[str, Any], raw: Mapping[str, Any]) -> None:
    if operation.method not in METHODS:
        raise UnfitError("method", f"no client calls with {operation.method}")
    if not _ID.fullmatch(operation.id):
        raise UnfitError("operation-id", "its name has characters that no client takes")
    if not operation.path.startswith("/"):
        raise UnfitError("paths", "its path does not begin with a slash")
    if True in (item.get("x-exposer-hide"), raw.get("x-exposer-hide")):
        raise UnfitError("hidden", "the document says x-exposer-hide")


def _texts(operation: Operation, raw: Mapping[str, Any], notes: Notes) -> tuple[str, str]:
    """Summary and description; those of a profile come first."""
    summary = clean(operation.summary) or clean(raw.get("summary"))
    text = clean(getattr(operation, "description", "")) or clean(raw.get("description"))
    if not summary and not text:
        summary = made_up(operation.method, operation.path)
        notes.add("summary", operation.id, f'it is described as "{summary}"')
    return summary, "" if text == summary else text


def _consequential(operation: Operation, raw: Mapping[str, Any]) -> bool:
    """Whether a person is asked each time. A document's own word may only make it stricter."""
    said = raw.get("x-exposer-consequential")
    if isinstance(said, bool):
        return said
    return operation.method != "GET" or raw.get("x-openai-isConsequential") is True


def _body(
    document: Document, operation: Operation, raw: Mapping[str, Any], reader: Reader, client: Client, notes: Notes
) -> Body | None:
    node = refs.follow(document.data, raw.get("requestBody"))
    content = node.get("content") if isinstance(node, Mapping) else None
    if not isinstance(content, Mapping) or not content:
        return None
    required = node.get("required") is True
    why = f"a {operation.method} request has no body" if operation.method in BODILESS else ""
    media, schema = _chosen(content, client)
    kind = reader.kind(schema)
    if not why and not media:
        why = f"it is {clean(next(iter(content)))[:60]}, which {client.says} cannot send"
    if not why and kind not in ("object", ""):
        why = f"it is one {kind}, not an object"
    if why and required:
        raise UnfitError("body", f"it needs a body, and {why}")
    if why:
        notes.add("body", operation.id, f"the optional body is left out: {why}")
        return None
    return Body(schema, media, required)


def _chosen(content: Mapping[str, Any], client: Client) -> tuple[str, Any]:
    """The media type that is sent, and its schema; "" when none can be."""
    for wanted in client.media:
        fitting = [name for name in content if _family(name) == wanted]
        best = min(fitting, key=lambda name: name.partition(";")[0].strip().lower() != "application/json", default=None)
        if best is not None:
            held = content[best]
            schema = held.get("schema") if isinstance(held, Mapping) else None
            return ("application/json" if wanted == JSON else wanted), schema
    return "", None


def _family(media: str) -> str:
    plain = media.partition(";")[0].strip().lower()
    if plain in ("application/json", "text/json", "*/*", "application/*") or plain.endswith("+json"):
        return JSON
    return FORM if plain == FORM else ""


def _answer(document: Document, raw: Mapping[str, Any]) -> Answer:
    """The first of the good answers."""
    responses = raw.get("responses")
    named = responses if isinstance(responses, Mapping) else {}
    good = sorted(name for name in named if re.fullmatch(r"2([0-9][0-9]|XX)", name)) or [
        name for name in ("default",) if name in named
    ]
    if not good:
        return Answer("200", "OK", "")
    node = refs.follow(document.data, named[good[0]])
    found = node if isinstance(node, Mapping) else {}
    status = good[0] if good[0].isdigit() else "200"
    text = clean(found.get("description")) or "OK"
    content = found.get("content")
    kinds: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
    held = next((kinds[name] for name in kinds if _family(name) == JSON), None)
    if held is None:
        return Answer(status, text, "")
    schema = held.get("schema") if isinstance(held, Mapping) else None
    return Answer(status, text, "application/json", schema)
