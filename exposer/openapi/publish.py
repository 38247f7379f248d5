"""The documents that go out: the chosen operations only, at the public address, fitted to one client. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from exposer.openapi.fit import fit
from exposer.openapi.fit.front import public
from exposer.openapi.model import Document, DocumentError, Operation, Publication
from exposer.openapi.operations import operations


def publish(
    document: Document | None,
    chosen: tuple[Operation, ...],
    *,
    public_url: str,
    auth_methods: tuple[str, ...],
    header: str,
    title: str,
    client: str = "openapi",
    provided: Iterable[str] = (),
) -> Publication:
    """The documents for a public address. `title` is used when the backend's document has none.

    Equal input gives equal bytes, in whatever order the operations are. Without a document a small one is made of
    them. `provided` are headers that the gateway adds for the backend. Raises DocumentError.
    """
    known = chosen if document is None else operations(document)
    picked = _picked(known, chosen)
    fitted = fit(
        document or _made_up(picked),
        picked,
        client=client,
        public_url=public_url,
        auth_methods=auth_methods,
        header=header,
        title=title,
        provided=provided,
    )
    digest = hashlib.sha256("\n".join(pack.text for pack in fitted.packs).encode()).hexdigest()
    offered = tuple(operation for pack in fitted.packs for operation in pack.operations)
    return Publication(
        text=fitted.packs[0].text,
        digest=digest,
        operations=offered,
        total=len(known),
        packs=fitted.packs,
        findings=fitted.findings,
        dropped=fitted.dropped,
        inject=fitted.inject,
    )


def public_base(document: Document | None, public_url: str) -> str:
    """Where the published calls live: the public address plus the document's base path."""
    return public(public_url).geturl() + (document.base_path if document else "")


def _picked(known: tuple[Operation, ...], chosen: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """The chosen ones in the document's order: a profile may have named them anew, so the call is what counts."""
    wanted = {(operation.method, operation.path): operation for operation in chosen}
    calls = dict.fromkeys((operation.method, operation.path) for operation in known)
    if strange := [operation.id for call, operation in wanted.items() if call not in calls]:
        raise DocumentError(
            f"{min(strange)} is not an operation of this document", "choose again from the document as it is now"
        )
    return tuple(wanted[call] for call in calls if call in wanted)


def _made_up(picked: tuple[Operation, ...]) -> Document:
    """A document of operations that nobody described: their path parameters, any JSON in and out."""
    paths: dict[str, Any] = {}
    for operation in picked:
        made: dict[str, Any] = {"operationId": operation.id, "responses": {"200": {"description": "the answer"}}}
        if operation.method in ("POST", "PUT", "PATCH"):
            made["requestBody"] = {"content": {"application/json": {"schema": {"type": "object"}}}}
        paths.setdefault(operation.path, {})[operation.method.lower()] = made
    data: Mapping[str, Any] = {"openapi": "3.1.0", "paths": paths}
    return Document(data, "", "", "", "3.1.0")
