import json
from dataclasses import replace
from typing import Any

import pytest
from openapi_spec_validator import validate

from exposer.openapi.model import Document, DocumentError, Operation
from exposer.openapi.operations import operations
from exposer.openapi.publish import public_base
from exposer.openapi.select import from_include
from tests.unit.openapi.small import OK, answering, gets, openapi, out, published, ref, swagger

CLIENTS = ("gpt-action", "mcp", "openapi", "copilot")
OPENAPI = ("gpt-action", "openapi")


def test_only_the_chosen_operations_go_out() -> None:
    document = openapi({"/a": {"get": OK, "post": OK, "x-inside": 1}, "/b": {"get": OK}})
    result = published(document, operations(document)[:1])
    paths = json.loads(result.text)["paths"]
    assert {path: list(item) for path, item in paths.items()} == {"/a": ["get"]}
    assert paths["/a"]["get"]["operationId"] == "get_a"
    assert [op.id for op in result.operations] == ["get_a"]
    assert result.total == 3


def test_the_server_is_the_public_address_with_the_base_path() -> None:
    document = openapi(gets("/status"), servers=[{"url": "/api"}, {"url": "https://demo.example"}])
    for client in OPENAPI:
        assert out(document, client=client)["servers"] == [{"url": "https://x.example/api"}]
    assert public_base(document, "https://x.example/") == "https://x.example/api"
    assert public_base(None, "https://x.example") == "https://x.example"


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("https://X.Example/", "https://x.example/api"),
        ("https://x.example:443", "https://x.example/api"),
        ("http://x.example:81/p/", "http://x.example:81/p/api"),
        ("http://[::1]:81", "http://[::1]:81/api"),
    ],
)
def test_the_address_is_written_the_way_importers_want_it(url: str, server: str) -> None:
    document = openapi(gets("/status"), servers=[{"url": "/api"}])
    assert out(document, public_url=url)["servers"] == [{"url": server}]


@pytest.mark.parametrize("url", ["http://x.example", "https://x.example:8443", "http://127.0.0.1:80"])
def test_an_address_that_chatgpt_refuses_is_kept_and_told(url: str) -> None:
    result = published(openapi(gets("/a")), public_url=url, client="gpt-action")
    (found,) = [finding for finding in result.findings if finding.step == "server"]
    assert found.remains
    assert found.prevents == "None of the provided servers is under the root origin"
    assert json.loads(result.text)["servers"][0]["url"].startswith(url.removesuffix(":80"))
    assert not [f for f in published(openapi(gets("/a")), public_url=url).findings if f.step == "server"]


def test_copilot_gets_swagger_2_at_the_public_address() -> None:
    for document in (swagger(gets("/a"), basePath="/v1"), openapi(gets("/a"), servers=[{"url": "/v1"}])):
        data = out(document, public_url="https://x.example:8443", client="copilot")
        front = (data["swagger"], data["host"], data["basePath"], data["schemes"])
        assert front == ("2.0", "x.example:8443", "/v1", ["https"])
        validate(data)
    assert out(openapi(gets("/a")), client="copilot")["basePath"] == "/"


@pytest.mark.parametrize(
    "url", ["", "x.example", "ftp://x.example", "https://", "https://u:p@x.example", "https://x/?a", "https://x:99999"]
)
def test_a_public_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(DocumentError, match="public address"):
        published(openapi(gets("/a")), public_url=url)


@pytest.mark.parametrize(
    ("method", "new", "old"),
    [
        (
            "api-key",
            {"type": "apiKey", "name": "X-Key", "in": "header"},
            {"type": "apiKey", "name": "X-Key", "in": "header"},
        ),
        ("bearer", {"type": "http", "scheme": "bearer"}, {"type": "apiKey", "name": "Authorization", "in": "header"}),
        ("basic", {"type": "http", "scheme": "basic"}, {"type": "basic"}),
    ],
)
def test_the_one_security_scheme_is_the_gateways(method: str, new: Any, old: Any) -> None:
    more = {"auth_methods": (method, "basic"), "header": "X-Key"}
    for client in OPENAPI:
        data = out(openapi(gets("/a")), client=client, **more)
        assert data["components"]["securitySchemes"] == {"key": new}
        assert data["security"] == [{"key": []}]
    data = out(openapi(gets("/a")), client="copilot", **more)
    assert data["securityDefinitions"] == {"key": old}
    assert data["security"] == [{"key": []}]


@pytest.mark.parametrize(
    "more", [{"auth_methods": ()}, {"auth_methods": ("magic",)}, {"header": ""}, {"header": "a b"}]
)
def test_nothing_is_published_without_a_way_to_show_a_key(more: dict[str, Any]) -> None:
    with pytest.raises(DocumentError, match="show a key"):
        published(openapi(gets("/a")), **more)


INSIDE = "inside.example"


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("make", [openapi, swagger])
def test_nothing_of_the_inside_goes_out(make: Any, client: str) -> None:
    operation = {
        "servers": [{"url": f"http://{INSIDE}"}],
        "schemes": ["http"],
        "security": [{INSIDE: []}],
        "callbacks": {"on": {f"http://{INSIDE}": {"post": OK}}},
        "x-gateway": {"uri": f"http://{INSIDE}"},
        "externalDocs": {"url": f"http://{INSIDE}"},
        "responses": {"200": {"description": "fine", "links": {"next": {"operationId": f"hidden {INSIDE}"}}}},
    }
    document = make(
        {
            "/a": {"servers": [{"url": f"http://{INSIDE}"}], "x-note": INSIDE, "get": operation},
            f"/{INSIDE}": {"get": OK},
        },
        host=INSIDE,
        security=[{INSIDE: []}],
        securityDefinitions={INSIDE: {"type": "basic"}},
        components={"securitySchemes": {INSIDE: {"type": "http", "scheme": "basic"}}, "schemas": {INSIDE: {}}},
        definitions={INSIDE: {}},
        webhooks={INSIDE: {"post": OK}},
        tags=[{"name": INSIDE}],
        **{"x-origin": INSIDE},
    )
    assert INSIDE not in published(document, operations(document)[:1], client=client).text


def test_an_operation_that_was_open_to_all_is_so_no_more() -> None:
    data = out(openapi({"/a": {"get": {**OK, "security": []}}}))
    assert "security" not in data["paths"]["/a"]["get"]
    assert data["security"] == [{"key": []}]


@pytest.mark.parametrize("info", [None, {}, {"title": None, "version": None}, {"title": " ", "version": ""}, [], "x"])
def test_a_missing_title_and_version_are_filled_in(info: Any) -> None:
    found = out(openapi(gets("/a"), info=info), title="welink")["info"]
    assert found["title"]
    assert found["version"]


def test_a_document_without_a_title_gets_the_exposures_name() -> None:
    document = Document({"paths": gets("/a")}, "test", "", "", "3.1.0")
    assert out(document, title="welink")["info"] == {"title": "welink", "version": "1"}
    assert out(document, title="")["info"]["title"] == "API"


@pytest.mark.parametrize("spec", ["3.0.0", "3.0.4", "3.1.0", "3.2.0"])
def test_every_version_goes_out_as_the_one_that_importers_take(spec: str) -> None:
    for client in OPENAPI:
        data = out(openapi(gets("/a"), openapi=spec), client=client)
        assert data["openapi"] == "3.1.0"
        validate(data)


def test_equal_input_gives_equal_bytes_in_whatever_order_it_was_chosen() -> None:
    document = openapi(gets("/c", "/a", "/b"))
    chosen = operations(document)
    for client in CLIENTS:
        one = published(document, chosen, client=client)
        assert one == published(document, tuple(reversed(chosen)) + chosen, client=client)
        assert [op.path for op in one.operations] == ["/c", "/a", "/b"]
        assert published(document, chosen, public_url="https://y.example", client=client).digest != one.digest
        assert published(document, chosen[:2], client=client).digest != one.digest


def test_publishing_leaves_the_document_as_it_was() -> None:
    document = openapi({"/a": {"get": answering(ref("A"))}}, components={"schemas": {"A": {}}}, servers=[{"url": "/x"}])
    before = json.dumps(document.data)
    for client in CLIENTS:
        published(document, client=client)
    assert json.dumps(document.data) == before


def test_an_operation_of_another_document_is_not_published() -> None:
    with pytest.raises(DocumentError, match="get_b is not an operation"):
        published(openapi(gets("/a")), operations(openapi(gets("/b"))))


def test_a_profiles_names_and_texts_go_out() -> None:
    document = openapi({"/a": {"get": {**OK, "summary": "old", "description": "old words"}}})
    (operation,) = operations(document)
    named = replace(operation, id="see_everything", summary="See it", description="All of it.")
    for client in OPENAPI:
        found = out(document, client=client, chosen=(named,))["paths"]["/a"]["get"]
        assert (found["operationId"], found["summary"], found["description"]) == (
            "see_everything",
            "See it",
            "All of it.",
        )
    (tool,) = out(document, client="mcp", chosen=(named,))["tools"]
    assert (tool["name"], tool["title"], tool["description"]) == ("see_everything", "See it", "All of it.")


def test_half_a_surrogate_pair_does_not_break_the_text() -> None:
    for client in CLIENTS:
        result = published(openapi({"/a": {"get": {**OK, "summary": "bad \ud800 日本"}}}), client=client)
        assert "日本" in result.text
        assert result.text.encode()


def test_what_json_cannot_say_is_a_clear_error() -> None:
    schema = {"type": "number", "enum": [float("nan")]}
    raw = {**OK, "parameters": [{"in": "query", "name": "q", "schema": schema}]}
    document = Document({"paths": {"/a": {"get": raw}}}, "test", "", "", "3.1.0")
    with pytest.raises(DocumentError, match="JSON cannot say"):
        published(document)


def test_without_a_document_a_small_one_is_made() -> None:
    chosen = from_include(("GET /items/{id}/parts/{id}", "POST /items", "DELETE /items/{id}"))
    result = published(None, chosen, title="parts")
    data = json.loads(result.text)
    validate(data)
    assert data["openapi"] == "3.1.0"
    assert data["info"] == {"title": "parts", "version": "1"}
    assert data["servers"] == [{"url": "https://x.example"}]
    assert data["security"] == [{"key": []}]
    assert [p["name"] for p in data["paths"]["/items/{id}/parts/{id}"]["get"]["parameters"]] == ["id"]
    assert "requestBody" in data["paths"]["/items"]["post"]
    assert "requestBody" not in data["paths"]["/items/{id}"]["delete"]
    assert result.operations == chosen
    assert result.total == 3


def test_no_operation_is_a_document_too_and_is_told() -> None:
    empty: tuple[Operation, ...] = ()
    for document in (None, openapi(gets("/a")), swagger(gets("/a"))):
        for client in CLIENTS:
            result = published(document, empty, client=client)
            assert [finding.step for finding in result.findings if finding.remains] == ["paths"]
            if client != "mcp":
                assert json.loads(result.text)["paths"] == {}
                validate(json.loads(result.text))


def test_a_client_that_nobody_knows_is_refused() -> None:
    with pytest.raises(DocumentError, match="no client 'siri'"):
        published(openapi(gets("/a")), client="siri")
