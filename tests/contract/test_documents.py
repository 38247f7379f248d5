"""Real documents, where the folder with them is at hand: all are read, mended, understood and published."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from exposer.openapi import refs
from exposer.openapi.model import Document, DocumentError, Operation, Publication
from exposer.openapi.normalise.grammar import CALLS
from exposer.openapi.operations import operations, skipped
from exposer.openapi.publish import publish
from exposer.openapi.read import read

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
    return tuple(operation for operation in operations(document) if operation.method == "GET")[:30]


def published(document: Document) -> Publication:
    return publish(
        document,
        reads(document),
        public_url="https://x.example",
        auth_methods=("api-key",),
        header="X-API-Key",
        title="real",
    )


def problems(data: Any) -> list[str]:
    """What a validator that is not ours has to say about a document of OpenAPI 3.1."""
    return [error.message[:300] for error in OpenAPIV31SpecValidator(data).iter_errors()]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    for child in node if isinstance(node, list) else ():
        yield from references(child)


def check_ids(document: Document) -> None:
    """Legal, each once, own ones kept, and none changes when half of the document goes."""
    found = operations(document)
    ids = [operation.id for operation in found]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", id_) for id_ in ids)
    own = {(op.method, op.path): document.data["paths"][op.path][op.method.lower()].get("operationId") for op in found}
    for operation in found:
        given = own[operation.method, operation.path]
        assert operation.id == given or not given or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", given)
    half = dict(list(document.data["paths"].items())[::2])
    fewer = Document({**document.data, "paths": half}, "", "", document.base_path, document.spec)
    assert {op.id for op in operations(fewer)} <= set(ids)


@pytest.mark.parametrize("name", SMALL)
def test_a_real_document_is_valid_openapi_3_1_when_it_has_been_read(name: str) -> None:
    document = real(name)
    assert document.data["openapi"] == "3.1.0"
    assert problems(document.data) == []
    assert operations(document)
    assert skipped(document) == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name in BIG])
def test_a_huge_document_is_valid_openapi_3_1_too(name: str) -> None:
    assert problems(real(name).data) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_second_reading_of_what_was_read_changes_nothing(name: str, tmp_path: Path) -> None:
    document = real(name)
    (tmp_path / "again.json").write_text(json.dumps(document.data))
    again = read(f"file:{tmp_path}/again.json", "", headers={})
    assert (again.data, again.repairs) == (document.data, ())


@pytest.mark.parametrize("name", NAMES)
def test_the_operations_of_a_real_document_have_good_ids(name: str) -> None:
    check_ids(real(name))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_published_of_a_real_document_is_whole_and_valid(name: str) -> None:
    document = real(name)
    result = published(document)
    assert result.text == published(document).text
    data: dict[str, Any] = json.loads(result.text)
    calls = [
        (method.upper(), path, call["operationId"])
        for path, item in data["paths"].items()
        for method, call in item.items()
        if method in CALLS
    ]
    assert sorted(calls) == sorted((op.method, op.path, op.id) for op in result.operations)
    for ref in set(references(data["paths"])) | set(references(data.get("components"))):
        assert refs.lookup(data, refs.tokens(ref) or ("?",)) is not refs.MISSING, ref
    assert problems(data) == []


# What each document says that it should not; everything else in the folder needs no repair at all.
REPAIRS = {
    "grafana.json": {"path parameter DashboardID is not in the path and was left out"},
    "grafana-3.0.json": {"path parameter DashboardID is not in the path and was left out"},
    "homebox-2.0.json": {"enum has the same value twice"},
    "homebox-3.0.json": {"enum has the same value twice"},
    "radarr.json": {"path parameter path is not in the path and was left out"},
    "vikunja.yaml": {"version is missing"},
}


@pytest.mark.parametrize("name", [name for name in NAMES if name != "prometheus-3.2.yaml"])
def test_what_was_mended_in_a_real_document_is_told(name: str) -> None:
    assert {repair.what for repair in real(name).repairs} == REPAIRS.get(name, set())


def test_what_openapi_3_2_has_more_is_told() -> None:
    told = {repair.what for repair in real("prometheus-3.2.yaml").repairs}
    assert told == {"summary is not known in OpenAPI 3.1 and was left out"}


def shape(document: Document) -> dict[tuple[str, str], dict[str, Any]]:
    """What a caller has to know of each call, without the words."""
    found = {}
    for operation in operations(document):
        item = document.data["paths"][operation.path]
        call = item[operation.method.lower()]
        parameters = [refs.follow(document.data, p) for p in (*item.get("parameters", ()), *call.get("parameters", ()))]
        body = refs.follow(document.data, call.get("requestBody"))
        answers = {code: refs.follow(document.data, answer) for code, answer in call["responses"].items()}
        found[operation.method, operation.path] = {
            "id": operation.id,
            "parameters": {
                (p["in"], p["name"]): (p.get("required", False), p["schema"].get("type")) for p in parameters
            },
            "body": body and body.get("required", False),
            "takes": body and set(body["content"]),
            "gives": {code: set(answer.get("content", ())) for code, answer in answers.items()},
        }
    return found


# Where the two documents of a pair do not say the same: (what, in 2.0, in 3.0). 2.0 leaves the media type of an answer
# open where it names none, which is taken for JSON; and it has no body that is JSON or a form, so the form goes. How
# lists are written in a query is not compared: Grafana's 3.0 has lost the commas that its 2.0 asks for in four calls.
DIFFERENT = {
    ("GET", "/v1/entities/export"): ("gives", {"application/json"}, {"*/*"}),
    ("PUT", "/v1/entities/{id}/attachments/{attachment_id}"): ("gives", {"application/json"}, {"*/*"}),
    ("PUT", "/v1/notifiers/{id}"): ("gives", {"application/json"}, {"*/*"}),
    ("POST", "/v1/users/login"): (
        "takes",
        {"application/json"},
        {"application/json", "application/x-www-form-urlencoded"},
    ),
}


@pytest.mark.parametrize(
    ("old", "new"), [("grafana.json", "grafana-3.0.json"), ("homebox-2.0.json", "homebox-3.0.json")]
)
def test_the_same_api_in_swagger_2_and_openapi_3_becomes_the_same(old: str, new: str) -> None:
    first, second = real(old), real(new)
    one, two = shape(first), shape(second)
    assert one.keys() == two.keys()
    assert first.base_path == second.base_path
    for call in one:
        for what, value in one[call].items():
            if value != two[call][what]:
                field, said, says = DIFFERENT[call]
                assert field == what
                assert said in (value, value.get("200") if isinstance(value, dict) else None)
                assert says in (two[call][what], two[call][what].get("200") if isinstance(value, dict) else None)
    schemas, others = first.data["components"]["schemas"], second.data["components"]["schemas"]
    assert schemas.keys() == others.keys()
    words = ("description", "title")
    for name in schemas:
        bare = [
            {key: value for key, value in schema.items() if key not in words}
            for schema in (schemas[name], others[name])
        ]
        assert bare[0] == bare[1], name


def test_a_document_over_many_files_is_the_same_as_its_bundle() -> None:
    split, bundle = real(f"{SPLIT}/root.yaml"), real(f"{SPLIT}/openapi.json")
    assert operations(split) == operations(bundle)
    assert shape(split) == shape(bundle)
    assert set(split.data["components"]["schemas"]) >= set(bundle.data["components"]["schemas"])
    assert split.repairs == ()


def test_a_piece_of_a_split_document_is_told_to_be_one() -> None:
    pieces = [path for path in sorted((FOLDER / SPLIT).rglob("*.yaml")) if path.name != "root.yaml"]
    if not pieces:
        pytest.skip("the split document is not in the folder with real documents")
    for piece in pieces:
        with pytest.raises(DocumentError, match="not an OpenAPI document"):
            read(f"file:{piece}", "", headers={})


def test_welink_is_published_below_its_base_path() -> None:
    document = real("welink.json")
    assert document.base_path == "/api"
    assert len(operations(document)) == 130
    assert {op.id for op in operations(document)} > {"get_contacts_stats", "get_search", "get_status"}
    assert json.loads(published(document).text)["servers"] == [{"url": "https://x.example/api"}]


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
