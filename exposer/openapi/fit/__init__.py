"""Fits the chosen operations to one client's importer: what it could not take is changed, and each change is told."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from exposer.openapi.fit.call import Call
from exposer.openapi.fit.calls import Calls, calls
from exposer.openapi.fit.clients import CLIENTS, Client, client_named, efforts
from exposer.openapi.fit.formats import FORMATS
from exposer.openapi.fit.front import Front, front
from exposer.openapi.fit.notes import Notes
from exposer.openapi.fit.parts import Parts, parts
from exposer.openapi.fit.steps import STEPS, Step
from exposer.openapi.fit.write import Writer
from exposer.openapi.model import Document, DocumentError, Fitted, Operation, Pack

__all__ = ["CLIENTS", "STEPS", "Offer", "Step", "fit", "offered"]

TOOLS = 128  # more than one request to a model may carry
DOCUMENT = "document"


def fit(
    document: Document,
    chosen: tuple[Operation, ...],
    *,
    client: str,
    public_url: str,
    auth_methods: tuple[str, ...],
    header: str,
    title: str,
    provided: Iterable[str] = (),
) -> Fitted:
    """The documents for one client. Equal input gives equal bytes. Raises DocumentError.

    `chosen` are operations of this document by method and path; their ids and texts are the ones that count.
    `provided` are headers that the gateway adds for the backend in any case.
    """
    wanted = client_named(client)
    notes = Notes(wanted)
    head = front(document, public_url=public_url, auth_methods=auth_methods, header=header, title=title)
    try:
        found = calls(document, chosen, wanted, notes, _ours(header, provided))
        _tell_front(document, head, wanted, found, notes)
        packs = tuple(_pack(wanted, found.writer, deal, notes) for deal in _deals(head, wanted, found, notes))
    except RecursionError as error:
        raise _too_deep() from error
    except (ValueError, TypeError) as error:
        raise DocumentError("the document holds something that JSON cannot say") from error
    return Fitted(packs, notes.findings(), found.dropped, _inject(found))


@dataclass(frozen=True, slots=True)
class Offer:
    """What a client can call at all, what it cannot, each with the reason, and what the gateway must add to a call."""

    kept: tuple[Operation, ...]
    dropped: tuple[tuple[Operation, str], ...]
    inject: Mapping[str, Mapping[str, str]]


def offered(
    document: Document, chosen: tuple[Operation, ...], *, client: str, header: str, provided: Iterable[str] = ()
) -> Offer:
    """The same as `fit` finds, without writing any document: what the gateway may pass has to be known before."""
    wanted = client_named(client)
    try:
        found = calls(document, chosen, wanted, Notes(wanted), _ours(header, provided))
    except RecursionError as error:
        raise _too_deep() from error
    return Offer(tuple(call.operation for call in found.made), found.dropped, _inject(found))


def _ours(header: str, provided: Iterable[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in (header, *provided))


def _inject(found: Calls) -> dict[str, dict[str, str]]:
    return {call.id: dict(call.headers) for call in found.made if call.headers}


def _too_deep() -> DocumentError:
    return DocumentError("the document is nested too deep", "point backend.openapi elsewhere")


def _tell_front(document: Document, head: Front, wanted: Client, found: Calls, notes: Notes) -> None:
    if wanted.name != "mcp" and not document.spec.startswith("2" if wanted.name == "copilot" else "3.1"):
        notes.add("version", DOCUMENT, f"it is converted from {document.spec or 'an older version'}")
    if wanted.name == "gpt-action" and (head.url.scheme != "https" or ":" in head.host):
        what = f"ChatGPT will refuse {head.server}: it calls https addresses without a port only"
        notes.add("server", DOCUMENT, what, remains=True)
    if wanted.name == "mcp" and len(found.made) > TOOLS:
        notes.add("crowd", DOCUMENT, f"{len(found.made)} tools: set schema.max_operations to {TOOLS} or less")
    if not found.made:
        notes.add("paths", DOCUMENT, "no operation is published", remains=True)


def _deals(head: Front, wanted: Client, found: Calls, notes: Notes) -> list[tuple[Front, Sequence[Call]]]:
    """The calls of each document, and its title."""
    most = wanted.operations or max(1, len(found.made))
    deals = [found.made[start : start + most] for start in range(0, len(found.made), most)] or [()]
    if len(deals) == 1:
        return [(head, deals[0])]
    notes.add("packs", DOCUMENT, f"{len(found.made)} operations are dealt out to {len(deals)} documents")
    rule = "ChatGPT takes only one document for each host name"
    notes.add("hostnames", DOCUMENT, f"{rule}: documents 2 to {len(deals)} need host names of their own")
    return [
        (
            replace(
                head,
                title=f"{head.title} ({number} of {len(deals)})",
                about=f"{head.about} Part {number} of {len(deals)}. {rule}.".strip(),
            ),
            deal,
        )
        for number, deal in enumerate(deals, 1)
    ]


def _pack(wanted: Client, writer: Writer, deal: tuple[Front, Sequence[Call]], notes: Notes) -> Pack:
    """One document, with as much said about each call as the budget for all of them allows."""
    text, written = "", []
    for effort in efforts(wanted):
        written = [parts(call, writer, effort) for call in deal[1]]
        text = _text(deal[0], wanted, written)
        if not wanted.document or len(text.encode(errors="replace")) <= wanted.document:
            break
    for found in written:
        for step, what in found.notes:
            notes.add(step, found.call.id, what)
    return Pack(text, tuple(call.operation for call in deal[1]))


def _text(head: Front, wanted: Client, written: list[Parts]) -> str:
    data = FORMATS[wanted.name](head, wanted, written)
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode(errors="replace").decode()  # half a surrogate pair is not text
