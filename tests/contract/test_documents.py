"""Real documents, where the folder with them is at hand: all are read, and what is published is no worse."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from exposer.config.model import Schema
from exposer.openapi import refs
from exposer.openapi.model import Document, DocumentError, Operation, Publication
from exposer.openapi.operations import operations, skipped
from exposer.openapi.publish import publish
from exposer.openapi.read import read
from exposer.openapi.select import choose

BIG = ("github.json", "stripe-2022.json")
BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "openapi"
FOLDER = Path(os.environ.get("EXPOSER_TEST_DATA") or BESIDE)
SPLIT = "audiobookshelf-split/docs"
NAMES = sorted(path.name for path in FOLDER.glob("*.*")) if FOLDER.is_dir() else []
NAMES += [name for name in (f"{SPLIT}/openapi.json", f"{SPLIT}/root.yaml") if (FOLDER / name).is_file()]
SMALL = [name for name in NAMES if name not in BIG]

pytestmark = pytest.mark.skipif(
    not NAMES, reason="the folder with real documents is missing: set EXPOSER_TEST_DATA to it"
)


def real(name: str) -> Document:
    if name not in NAMES:
        pytest.skip(f"{name} is not in the folder with real documents")
    return read(f"file:{FOLDER / name}", "", headers={})


def reads(document: Document) -> tuple[Operation, ...]:
    schema = Schema(max_operations=0)
    return tuple(choice.operation for choice in choose(operations(document), schema) if choice.published)


def published(document: Document) -> Publication:
    return publish(
        document,
        reads(document),
        public_url="https://x.example",
        auth_methods=("api-key",),
        header="X-API-Key",
        title="real",
    )


def problem(data: Any) -> str:
    """What the validator does not like about a document, or "" when it is fine."""
    try:
        validate(data)
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:500] or "invalid"
    return ""


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    for child in node if isinstance(node, list) else ():
        yield from references(child)


def check(document: Document) -> dict[str, Any]:
    """What holds of every published document, whatever it was made of."""
    result = published(document)
    assert result == published(document)
    assert result.total == len(operations(document))
    assert len({op.id for op in operations(document)}) == result.total
    data: dict[str, Any] = json.loads(result.text)
    calls = [
        (method.upper(), path, call["operationId"])
        for path, item in data["paths"].items()
        for method, call in item.items()
        if method not in ("parameters", "summary", "description")
    ]
    assert sorted(calls) == sorted((op.method, op.path, op.id) for op in result.operations)
    for ref in set(references(data["paths"])) | set(references(data.get("components", data.get("definitions")))):
        assert refs.lookup(data, refs.tokens(ref) or ("?",)) is not refs.MISSING, ref
    return data


@pytest.mark.parametrize("name", SMALL)
def test_what_is_published_of_a_real_document_is_whole_and_as_valid_as_before(name: str) -> None:
    document = real(name)
    data = check(document)
    if said := problem(data):
        assert problem(document.data), f"valid before, but now: {said}"


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name in BIG])
def test_a_huge_document_is_published_too_and_is_valid(name: str) -> None:
    assert problem(check(real(name))) == ""


def test_welink_is_published_below_its_base_path_with_all_its_reads() -> None:
    document = real("welink.json")
    result = published(document)
    data = json.loads(result.text)
    assert document.base_path == "/api"
    assert (result.total, len(result.operations)) == (130, 74)
    assert data["servers"] == [{"url": "https://x.example/api"}]
    assert "/contacts/stats" in data["paths"]
    assert {op.id for op in result.operations} > {"get_contacts_stats", "get_search", "get_status"}
    assert problem(data) == ""
    assert skipped(document) == ()


@pytest.mark.parametrize(
    ("name", "spec", "base", "total"),
    [
        ("moby.yaml", "2.0", "/v1.56", 108),
        ("vikunja.yaml", "2.0", "/api/v1", 169),
        ("grafana.json", "2.0", "/api", 290),
        ("prometheus-3.2.yaml", "3.2.0", "/api/v1", 50),
        ("radarr.json", "3.0.4", "", 238),
        ("mealie.json", "3.1.0", "", 243),
        ("frigate.yaml", "3.1.0", "/api", 179),
    ],
)
def test_real_documents_are_understood(name: str, spec: str, base: str, total: int) -> None:
    document = real(name)
    assert (document.spec, document.base_path, len(operations(document))) == (spec, base, total)


def test_the_root_of_a_split_document_says_which_paths_it_does_not_hold() -> None:
    document = real(f"{SPLIT}/root.yaml")
    assert operations(document) == ()
    assert len(skipped(document)) == len(document.data["paths"])


def test_a_piece_of_a_split_document_is_told_to_be_one() -> None:
    pieces = [path for path in sorted((FOLDER / SPLIT).rglob("*.yaml")) if path.name != "root.yaml"]
    if not pieces:
        pytest.skip("the split document is not in the folder with real documents")
    for piece in pieces:
        with pytest.raises(DocumentError, match="not an OpenAPI document"):
            read(f"file:{piece}", "", headers={})
