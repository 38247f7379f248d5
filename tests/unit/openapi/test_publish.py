import json
from typing import Any

import pytest
from openapi_spec_validator import validate

from exposer.openapi.model import Document, DocumentError, Operation
from exposer.openapi.operations import operations
from exposer.openapi.publish import public_base
from exposer.openapi.select import from_include
from tests.unit.openapi.small import OK, answering, gets, openapi, out, published, ref, swagger


def test_only_the_chosen_operations_go_out() -> None:
    document = openapi({"/a": {"get": OK, "post": OK, "x-inside": 1}, "/b": {"get": OK}})
    result = published(document, operations(document)[:1])
    assert json.loads(result.text)["paths"] == {"/a": {"get": {"operationId": "get_a", **OK}}}
    assert [op.id for op in result.operations] == ["get_a"]
    assert result.total == 3


def test_the_server_is_the_public_address_with_the_base_path() -> None:
    document = openapi(gets("/status"), servers=[{"url": "/api"}, {"url": "https://demo.example"}])
    assert out(document)["servers"] == [{"url": "https://x.example/api"}]
    assert public_base(document, "https://x.example/") == "https://x.example/api"
    assert public_base(None, "https://x.example") == "https://x.example"


def test_a_public_address_may_have_a_port_and_a_path() -> None:
    document = openapi(gets("/status"), servers=[{"url": "/api"}])
    assert out(document, public_url="http://x.example:81/p/")["servers"] == [{"url": "http://x.example:81/p/api"}]


def test_swagger_2_stays_swagger_2_at_the_public_address() -> None:
    document = swagger(gets("/a"), host="inside:80", schemes=["http"], basePath="/v1", consumes=["application/json"])
    data = out(document, public_url="https://x.example:8443")
    assert (data["swagger"], data["host"], data["basePath"], data["schemes"]) == (
        "2.0",
        "x.example:8443",
        "/v1",
        ["https"],
    )
    assert "servers" not in data
    assert data["consumes"] == ["application/json"]
    validate(data)
    assert out(swagger(gets("/a")))["basePath"] == "/"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x.example",
        "ftp://x.example",
        "https://",
        "https://u:p@x.example",
        "https://x/?a",
        "https://x:99999",
    ],
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
        (
            "bearer",
            {"type": "http", "scheme": "bearer"},
            {"type": "apiKey", "name": "Authorization", "in": "header"},
        ),
        ("basic", {"type": "http", "scheme": "basic"}, {"type": "basic"}),
    ],
)
def test_the_one_security_scheme_is_the_gateways(method: str, new: Any, old: Any) -> None:
    methods = (method, "basic")
    data = out(openapi(gets("/a")), auth_methods=methods, header="X-Key")
    assert data["components"]["securitySchemes"] == {"key": new}
    assert data["security"] == [{"key": []}]
    data = out(swagger(gets("/a")), auth_methods=methods, header="X-Key")
    assert data["securityDefinitions"] == {"key": old}
    assert data["security"] == [{"key": []}]


@pytest.mark.parametrize(
    "more", [{"auth_methods": ()}, {"auth_methods": ("magic",)}, {"header": ""}, {"header": "a b"}]
)
def test_nothing_is_published_without_a_way_to_show_a_key(more: dict[str, Any]) -> None:
    with pytest.raises(DocumentError, match="show a key"):
        published(openapi(gets("/a")), **more)


INSIDE = "inside.example"


@pytest.mark.parametrize("make", [openapi, swagger])
def test_nothing_of_the_inside_goes_out(make: Any) -> None:
    operation = {
        "servers": [{"url": f"http://{INSIDE}"}],
        "schemes": ["http"],
        "security": [{INSIDE: []}],
        "callbacks": {"on": {f"http://{INSIDE}": {"post": OK}}},
        "x-gateway": {"uri": f"http://{INSIDE}"},
        "x-openai-isConsequential": False,
        "responses": {
            "200": {"description": "fine", "links": {"next": {"operationId": f"hidden {INSIDE}"}}},
        },
    }
    document = make(
        {
            "/a": {"servers": [{"url": f"http://{INSIDE}"}], "x-note": INSIDE, "get": operation},
            f"/{INSIDE}": {"get": OK},
        },
        host=INSIDE,
        security=[{INSIDE: []}],
        securityDefinitions={INSIDE: {"type": "basic"}},
        components={
            "securitySchemes": {INSIDE: {"type": "http", "scheme": "basic"}},
            "schemas": {INSIDE: {}},
        },
        definitions={INSIDE: {}},
        webhooks={INSIDE: {"post": OK}},
        tags=[{"name": INSIDE}],
        **{"x-origin": INSIDE},
    )
    text = published(document, operations(document)[:1]).text
    assert INSIDE not in text
    data = json.loads(text)
    assert data["paths"]["/a"]["get"]["x-openai-isConsequential"] is False
    assert set(data["paths"]["/a"]["get"]) == {"operationId", "x-openai-isConsequential", "responses"}


def test_an_operation_that_was_open_to_all_is_so_no_more() -> None:
    data = out(openapi({"/a": {"get": {**OK, "security": []}}}))
    assert "security" not in data["paths"]["/a"]["get"]
    assert data["security"] == [{"key": []}]


def test_cookies_and_logins_are_not_asked_of_the_caller() -> None:
    def parameter(place: str, name: str) -> dict[str, Any]:
        return {"in": place, "name": name, "required": place == "path", "schema": {"type": "string"}}

    document = openapi(
        {
            "/a/{id}": {
                "parameters": [parameter("path", "id"), parameter("cookie", "session")],
                "get": {
                    **OK,
                    "parameters": [
                        parameter("header", "authorization"),
                        parameter("header", "x-api-key"),
                        parameter("header", "X-Trace"),
                        parameter("query", "authorization"),
                        {"$ref": "#/components/parameters/Session"},
                        {"$ref": "#/components/parameters/Page"},
                    ],
                },
            }
        },
        components={"parameters": {"Session": parameter("cookie", "s"), "Page": parameter("query", "page")}},
    )
    data = out(document)
    item = data["paths"]["/a/{id}"]
    assert [p["name"] for p in item["parameters"]] == ["id"]
    assert [p.get("name") or p["$ref"] for p in item["get"]["parameters"]] == [
        "X-Trace",
        "authorization",
        "#/components/parameters/Page",
    ]
    assert list(data["components"]["parameters"]) == ["Page"]
    validate(data)


@pytest.mark.parametrize("info", [None, {}, {"title": None, "version": None}, {"title": " ", "version": ""}, [], "x"])
def test_a_missing_title_and_version_are_filled_in(info: Any) -> None:
    data = out(openapi(gets("/a"), info=info), title="welink")
    assert data["info"] == {"title": "welink", "version": "1"}
    assert out(openapi(gets("/a"), info=info), title="")["info"]["title"] == "API"


def test_a_version_that_yaml_read_as_a_number_is_text_again() -> None:
    assert out(openapi(gets("/a"), info={"title": "T", "version": 1.5}))["info"] == {
        "title": "T",
        "version": "1.5",
    }


def test_only_the_tags_in_use_go_out() -> None:
    document = openapi(
        {"/a": {"get": {**OK, "tags": ["one"]}}, "/b": {"get": {**OK, "tags": ["two"]}}},
        tags=[
            {"name": "one", "description": "first", "x-group": "z"},
            {"name": "two"},
            "three",
            {"name": ["one"]},
        ],
    )
    assert out(document, "get_a")["tags"] == [{"name": "one", "description": "first"}]


@pytest.mark.parametrize("spec", ["3.0.0", "3.0.4", "3.1.0", "3.2.0"])
def test_a_document_keeps_its_version(spec: str) -> None:
    data = out(openapi(gets("/a"), openapi=spec))
    assert data["openapi"] == spec
    validate(data)


def test_equal_input_gives_equal_bytes_in_whatever_order_it_was_chosen() -> None:
    document = openapi(gets("/c", "/a", "/b"))
    chosen = operations(document)
    one, two = published(document, chosen), published(document, tuple(reversed(chosen)) + chosen)
    assert one == two
    assert list(json.loads(one.text)["paths"]) == ["/c", "/a", "/b"]
    assert published(document, chosen, public_url="https://y.example").digest != one.digest
    assert published(document, chosen[:2]).digest != one.digest


def test_publishing_leaves_the_document_as_it_was() -> None:
    document = openapi({"/a": {"get": answering(ref("A"))}}, components={"schemas": {"A": {}}}, servers=[{"url": "/x"}])
    before = json.dumps(document.data)
    published(document)
    assert json.dumps(document.data) == before


def test_an_operation_of_another_document_is_not_published() -> None:
    with pytest.raises(DocumentError, match="get_b is not an operation"):
        published(openapi(gets("/a")), operations(openapi(gets("/b"))))


def test_half_a_surrogate_pair_does_not_break_the_text() -> None:
    result = published(openapi({"/a": {"get": {**OK, "summary": "bad \ud800 日本"}}}))
    assert result.text.encode()
    assert json.loads(result.text)["paths"]["/a"]["get"]["summary"] == "bad ? 日本"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_what_json_cannot_say_is_a_clear_error(value: Any) -> None:
    document = Document({"paths": {"/a": {"get": {"responses": value}}}}, "test", "", "", "3.0.3")
    with pytest.raises(DocumentError, match="JSON cannot say"):
        published(document)


def test_a_value_nested_too_deep_is_a_clear_error() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"items": deep}
    document = Document({"paths": {"/a": {"get": {"responses": deep}}}}, "test", "", "", "3.0.3")
    with pytest.raises(DocumentError, match="nested too deep"):
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


def test_no_operation_is_a_document_too() -> None:
    empty: tuple[Operation, ...] = ()
    for document in (None, openapi(gets("/a")), swagger(gets("/a"))):
        result = published(document, empty)
        assert json.loads(result.text)["paths"] == {}
        validate(json.loads(result.text))
