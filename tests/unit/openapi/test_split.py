import json
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from exposer.openapi import refs
from exposer.openapi.base import to_document
from exposer.openapi.model import Document, DocumentError
from exposer.openapi.operations import operations
from exposer.openapi.split import Merger
from tests.unit.openapi.small import OK, answering, own

ROOT = "https://api.example/docs/openapi.yaml"


class Folder:
    """Pieces by address; a host of its own is all that may be asked."""

    def __init__(self, pieces: dict[str, Any]) -> None:
        self.pieces = {f"https://api.example/{name}": own(piece) for name, piece in pieces.items()}
        self.asked: list[str] = []

    def may_ask(self, url: str) -> bool:
        return url.startswith("https://api.example/")

    def piece(self, url: str) -> Any:
        self.asked.append(url)
        return self.pieces.get(url, refs.MISSING)


def merged(paths: Any, pieces: dict[str, Any], **more: Any) -> Document:
    version = {} if "swagger" in more else {"openapi": "3.0.3"}
    data = own({**version, "info": {"title": "T", "version": "1"}, "paths": paths, **more})
    repairs = Merger(data, ROOT, Folder(pieces)).merge()
    document = to_document(data, "test", "", repairs)
    validate(document.data)
    return document


def schema(document: Document, path: str = "/a") -> Any:
    answer = refs.follow(document.data, document.data["paths"][path]["get"]["responses"]["200"])
    return answer["content"]["application/json"]["schema"]


def test_a_schema_in_another_file_becomes_a_component_called_after_it() -> None:
    pets = {"Pet": {"type": "object", "properties": {"next": {"$ref": "#/Pet"}, "owner": {"$ref": "Owner.yaml"}}}}
    owner = {"type": "object", "properties": {"pets": {"type": "array", "items": {"$ref": "../docs/pets.yaml#/Pet"}}}}
    document = merged(
        {"/a": {"get": answering({"$ref": "./pets.yaml#/Pet"})}}, {"docs/pets.yaml": pets, "docs/Owner.yaml": owner}
    )
    schemas = document.data["components"]["schemas"]
    assert schema(document) == {"$ref": "#/components/schemas/Pet"}
    assert schemas["Pet"]["properties"] == {
        "next": {"$ref": "#/components/schemas/Pet"},
        "owner": {"$ref": "#/components/schemas/Owner"},
    }
    assert schemas["Owner"]["properties"]["pets"]["items"] == {"$ref": "#/components/schemas/Pet"}
    assert document.repairs == ()


def test_two_things_of_one_name_stay_apart() -> None:
    paths = {"/a": {"get": answering({"$ref": "x/Pet.yaml"})}, "/b": {"get": answering({"$ref": "y/Pet.yaml"})}}
    document = merged(
        paths,
        {"docs/x/Pet.yaml": {"type": "string"}, "docs/y/Pet.yaml": {"type": "integer"}},
        components={"schemas": {"Pet": {"type": "boolean"}}},
    )
    assert {name: found["type"] for name, found in document.data["components"]["schemas"].items()} == {
        "Pet": "boolean",
        "Pet_2": "string",
        "Pet_3": "integer",
    }


def test_paths_and_whole_sections_may_stand_in_files() -> None:
    pieces = {
        "docs/paths.yaml": {"/a": {"$ref": "paths/a.yaml"}, "/b": {"get": {"$ref": "paths/b.yaml#/get"}}},
        "docs/paths/a.yaml": {
            "parameters": [{"$ref": "../shared.yaml#/parameters/Page"}],
            "get": answering({"$ref": "../openapi.yaml#/components/schemas/Pet"}),
        },
        "docs/paths/b.yaml": {"get": {**OK, "operationId": "b"}},
        "docs/shared.yaml": {"parameters": {"Page": {"name": "page", "in": "query", "schema": {"type": "integer"}}}},
        "docs/schemas.yaml": {
            "Pet": {"type": "object", "properties": {"tag": {"$ref": "#/Tag"}}},
            "Tag": {"type": "string"},
        },
    }
    document = merged({"$ref": "paths.yaml"}, pieces, components={"schemas": {"$ref": "./schemas.yaml"}})
    assert [(op.method, op.path) for op in operations(document)] == [("GET", "/a"), ("GET", "/b")]
    assert schema(document) == {"$ref": "#/components/schemas/Pet"}
    assert document.data["components"]["schemas"]["Pet"]["properties"]["tag"] == {"$ref": "#/components/schemas/Tag"}
    assert list(document.data["components"]["parameters"]) == ["Page"]


def test_a_swagger_document_may_be_split_too() -> None:
    document = merged(
        {"/a": {"get": {"responses": {"200": {"description": "d", "schema": {"$ref": "pet.json"}}}}}},
        {"docs/pet.json": {"type": "object"}},
        swagger="2.0",
    )
    assert schema(document) == {"$ref": "#/components/schemas/pet"}


def test_a_discriminator_may_name_files() -> None:
    kind = {"discriminator": {"propertyName": "kind", "mapping": {"cat": "cat.yaml", "dog": "#/Dog"}}}
    document = merged(
        {"/a": {"get": answering({"$ref": "kind.yaml#/Kind"})}},
        {"docs/kind.yaml": {"Kind": kind, "Dog": {"type": "object"}}, "docs/cat.yaml": {"type": "object"}},
    )
    mapping = document.data["components"]["schemas"]["Kind"]["discriminator"]["mapping"]
    assert mapping["cat"] == "#/components/schemas/cat"


def test_what_only_looks_like_a_reference_is_left_alone() -> None:
    given = {"type": "object", "example": {"$ref": "secret.yaml"}, "properties": {"$ref": {"type": "string"}}}
    folder = Folder({})
    data = own({"openapi": "3.0.3", "paths": {"/a": {"get": answering(given)}}})
    assert Merger(data, ROOT, folder).merge() == ()
    assert folder.asked == []
    assert data["paths"]["/a"]["get"] == answering(given)


def test_a_piece_that_is_not_there_is_reported_and_the_rest_goes_on() -> None:
    document = merged({"/a": {"get": answering({"$ref": "gone.yaml"})}, "/b": {"$ref": "gone/b.yaml"}}, {})
    assert schema(document) == {}
    assert document.repairs[0].where == "/paths/~1b"
    assert "the piece gone.yaml is not there" in [repair.what for repair in document.repairs]


def test_another_host_is_not_asked_and_that_is_reported() -> None:
    document = merged({"/a": {"get": answering({"$ref": "https://schemas.example/pet.json"})}}, {})
    assert schema(document) == {}
    assert "https://schemas.example/pet.json is on another host" in document.repairs[0].what


@pytest.mark.parametrize(
    "ref",
    [
        "http://127.0.0.1:8080/admin",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/x",
        "http://[::1]/x",
        "http://localhost/x",
        "http://backend:8080/x",
        "http://nas.local/x",
        "http://2130706433/x",
        "http://0x7f.1/x",
        "file:///etc/passwd",
    ],
)
def test_a_reference_into_the_inside_network_is_an_error(ref: str) -> None:
    with pytest.raises(DocumentError, match="never asked for") as caught:
        merged({"/a": {"get": answering({"$ref": ref})}}, {})
    assert caught.value.hint


@pytest.mark.parametrize(
    ("paths", "pieces"),
    [
        ({"/a": {"$ref": "a.yaml"}}, {"docs/a.yaml": {"$ref": "b.yaml"}, "docs/b.yaml": {"$ref": "a.yaml"}}),
        ({"$ref": "a.yaml"}, {"docs/a.yaml": {"$ref": "a.yaml"}}),
        ({"/a": {"$ref": "a.yaml"}}, {"docs/a.yaml": {"get": {"callbacks": {"c": {"{$u}": {"$ref": "a.yaml"}}}}}}),
    ],
)
def test_pieces_that_hold_themselves_are_an_error(paths: Any, pieces: Any) -> None:
    with pytest.raises(DocumentError, match=r"in a circle|without an end"):
        merged(paths, pieces)


def test_schemas_that_refer_to_each_other_forever_mean_anything() -> None:
    document = merged(
        {"/a": {"get": answering({"$ref": "a.yaml"})}},
        {"docs/a.yaml": {"$ref": "b.yaml"}, "docs/b.yaml": {"$ref": "a.yaml"}},
    )
    assert document.data["components"]["schemas"] == {"a": {}, "b": {"$ref": "#/components/schemas/a"}}


def test_where_a_piece_lies_on_this_machine_is_not_published(tmp_path: Path) -> None:
    from exposer.openapi.read import read

    (tmp_path / "openapi.json").write_text(
        json.dumps({"openapi": "3.0.3", "paths": {"/a": {"get": answering({"$ref": "gone.yaml"})}}})
    )
    document = read(f"file:{tmp_path}/openapi.json", "", headers={})
    assert str(tmp_path) not in json.dumps(document.data)
    assert str(tmp_path) not in str(document.repairs)
