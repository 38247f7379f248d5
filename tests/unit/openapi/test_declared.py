from typing import Any

from exposer.openapi.declared import server_hosts, with_query
from exposer.openapi.model import Operation
from exposer.openapi.operations import operations
from tests.unit.openapi.small import OK, openapi


def declared(*parameters: dict[str, Any], **more: Any) -> tuple[str, ...] | None:
    document = openapi({"/a": {"get": {**OK, "parameters": list(parameters)}}}, **more)
    (operation,) = with_query(document, operations(document))
    return operation.query


def query(name: str, schema: Any = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema or {"type": "string"}, **more}


def test_the_names_of_query_parameters_and_of_nothing_else() -> None:
    header = {"name": "X-H", "in": "header", "schema": {"type": "string"}}
    assert declared(query("q"), query("ids[]"), header) == ("q", "ids[]")
    assert declared() == ()


def test_those_of_the_path_count_too() -> None:
    document = openapi({"/a": {"parameters": [query("p")], "get": {**OK, "parameters": [query("q")]}}})
    assert with_query(document, operations(document))[0].query == ("p", "q")


def test_an_object_stands_in_brackets_or_as_its_fields() -> None:
    schema = {"type": "object", "properties": {"x": {}, "y": {}}}
    assert declared(query("o", schema, style="deepObject", explode=True)) == ("o", "o[*]")
    assert declared(query("o", schema)) == ("o", "x", "y")
    assert declared(query("o", schema, explode=False)) == ("o",)


def test_fields_are_found_behind_references_and_in_branches_even_in_a_circle() -> None:
    circle = {"allOf": [{"$ref": "#/components/schemas/S"}, {"properties": {"z": {}}}], "properties": {"x": {}}}
    found = declared(query("o", {"$ref": "#/components/schemas/S"}), components={"schemas": {"S": circle}})
    assert found is not None
    assert set(found) == {"o", "x", "z"}


def test_without_a_document_nothing_is_declared() -> None:
    assert [each.query for each in with_query(None, (Operation("a", "GET", "/a", "/a"),))] == [()]


def test_the_hosts_of_the_documents_servers() -> None:
    urls = [
        "https://Demo.example.org/api",
        "http://localhost:3000",
        "/api",
        "//x.lan",
        "xxx",
        "https://{host}/a",
        "ftp://y",
    ]
    document = openapi({"/a": {"get": OK}}, servers=[{"url": url} for url in urls])
    assert set(server_hosts(document)) >= {"demo.example.org", "localhost:3000"}
    assert not {"y", "xxx", "{host}"} & set(server_hosts(document))
    assert server_hosts(None) == ()
