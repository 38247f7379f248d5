"""Small documents for tests, each made for one trap."""

import json
from typing import Any

from exposer.openapi.base import to_document
from exposer.openapi.model import Document, Operation, Publication
from exposer.openapi.operations import operations
from exposer.openapi.publish import publish

OK: dict[str, Any] = {"responses": {"200": {"description": "fine"}}}


def openapi(paths: dict[str, Any], **more: Any) -> Document:
    """An OpenAPI 3.0 document with these paths."""
    return to_document(
        own({"openapi": "3.0.3", "info": {"title": "Shop", "version": "1.0"}, "paths": paths, **more}), "test"
    )


def swagger(paths: dict[str, Any], **more: Any) -> Document:
    """A Swagger 2.0 document with these paths."""
    return to_document(
        own({"swagger": "2.0", "info": {"title": "Shop", "version": "1.0"}, "paths": paths, **more}), "test"
    )


def own(value: Any) -> Any:
    """A copy in which nothing stands in two places: a document is changed by what reads it."""
    if isinstance(value, dict):
        return {key: own(item) for key, item in value.items()}
    return [own(item) for item in value] if isinstance(value, list) else value


def gets(*paths: str) -> dict[str, Any]:
    return {path: {"get": OK} for path in paths}


def published(document: Document | None, chosen: tuple[Operation, ...] | None = None, **more: Any) -> Publication:
    """Publishes all operations, or those chosen, the way most exposures do."""
    if chosen is None:
        chosen = operations(document) if document else ()
    wishes = {"public_url": "https://x.example", "auth_methods": ("api-key",), "header": "X-API-Key"}
    return publish(document, chosen, **{**wishes, "title": "Shop", **more})


def out(document: Document | None, *ids: str, **more: Any) -> dict[str, Any]:
    """What is published, as a value; the operations with these ids, or all."""
    chosen = tuple(op for op in operations(document) if op.id in ids) if document and ids else more.pop("chosen", None)
    data: dict[str, Any] = json.loads(published(document, chosen, **more).text)
    return data


def answering(schema: Any) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}}
    return {"responses": {"200": {"description": "fine", "content": content}}}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
