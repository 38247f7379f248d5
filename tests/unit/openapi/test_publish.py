import json
from typing import Any

import pytest
from openapi_spec_validator import validate

from exposer.openapi.model import Document, DocumentError, Operation
from exposer.openapi.operations import operations
from exposer.openapi.publish import public_base
from exposer.openapi.select import from_include
from tests.unit.openapi.small import OK, gets, openapi, published, swagger


def out(document: Document | None, *ids: str, **more: Any) -> dict[str, Any]:
    """What is published, as a value; the operations with these ids, or all."""
    chosen = tuple(op for op in operations(document) if op.id in ids) if document and ids else None
    data: dict[str, Any] = json.loads(published(document, chosen, **more).text)
    return data


def answering(schema: Any) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}}
    return {"responses": {"200": {"description": "fine", "content": content}}}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


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
    assert out(document, public_url="http://x.example:81/p/")["servers"] == [
        {"url": "http://x.example:81/p/api"}
    ]


def test_swagger_2_stays_swagger_2_at_the_public_address() -> None:
    document = swagger(
        gets("/a"), host="inside:80", schemes=["http"], basePath="/v1", consumes=["application/json"]
    )
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


def test_components_go_out_only_when_something_leads_to_them() -> None:
    schemas = {
        "Used": {"type": "object", "properties": {"next": ref("Circle")}},
        "Circle": {"type": "object", "properties": {"back": ref("Used"), "self": ref("Circle")}},
        "Pet": {
            "discriminator": {
                "propertyName": "kind",
                "mapping": {"cat": "#/components/schemas/Cat", "dog": "Dog", "x": "No"},
            }
        },
        "Cat": {"type": "object"},
        "Dog": {"type": "object"},
        "Unused": ref("Used"),
    }
    paths = {
        "/a": {"get": answering({"allOf": [ref("Used"), ref("Pet")]})},
        "/b": {"get": answering(ref("Unused"))},
    }
    data = out(openapi(paths, components={"schemas": schemas}), "get_a")
    assert list(data["components"]["schemas"]) == ["Used", "Circle", "Pet", "Cat", "Dog"]
    assert data["components"]["schemas"]["Pet"]["discriminator"]["mapping"] == {
        "cat": "#/components/schemas/Cat",
        "dog": "Dog",
    }
    validate(data)


def test_swagger_components_are_pruned_in_their_own_places() -> None:
    document = swagger(
        {
            "/a": {
                "get": {
                    "parameters": [{"$ref": "#/parameters/P"}],
                    "responses": {"200": {"$ref": "#/responses/R"}},
                }
            }
        },
        parameters={
            "P": {"in": "query", "name": "p", "type": "string"},
            "Q": {"in": "query", "name": "q", "type": "string"},
        },
        responses={
            "R": {"description": "r", "schema": {"$ref": "#/definitions/D"}},
            "S": {"description": "s"},
        },
        definitions={"D": {"type": "object"}, "E": {"type": "object"}},
    )
    data = out(document)
    assert (list(data["parameters"]), list(data["responses"]), list(data["definitions"])) == (
        ["P"],
        ["R"],
        ["D"],
    )
    validate(data)


def test_a_property_may_be_called_ref() -> None:
    schema = {
        "type": "object",
        "properties": {"$ref": {"type": "string"}, "example": ref("A"), "default": ref("B")},
    }
    schemas = {"Json": schema, "A": {"type": "string"}, "B": {"type": "string"}}
    data = out(openapi({"/a": {"get": answering(ref("Json"))}}, components={"schemas": schemas}))
    assert data["components"]["schemas"] == schemas
    validate(data)


def test_references_in_examples_are_just_data_but_do_not_dangle() -> None:
    schema = {
        "example": {"$ref": "#/components/examples/E"},
        "default": [{"$ref": "#/components/examples/Gone", "a": 1}],
    }
    data = out(
        openapi({"/a": {"get": answering(schema)}}, components={"examples": {"E": {"value": 1}, "F": {}}})
    )
    sent = data["paths"]["/a"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert sent == {"example": {"$ref": "#/components/examples/E"}, "default": [{"a": 1}]}
    assert data["components"]["examples"] == {"E": {"value": 1}}


def test_data_is_left_as_it_is() -> None:
    example = {
        "links": 1,
        "x-y": 2,
        "discriminator": {"mapping": {"a": "b"}},
        "parameters": [{"in": "cookie"}],
    }
    schema = {"type": "object", "example": example, "default": example, "enum": [example], "x-note": example}
    assert out(openapi({"/a": {"get": answering(schema)}}))["paths"]["/a"]["get"]["responses"]["200"][
        "content"
    ] == {"application/json": {"schema": schema}}


def test_references_deep_into_a_hidden_path_get_a_component_of_their_own() -> None:
    deep = "#/paths/~1hidden/get/responses/200/content/application~1json/schema"
    hidden = answering({"type": "object", "properties": {"again": {"$ref": deep}, "x": ref("A")}})
    hidden["parameters"] = [{"in": "query", "name": "q", "schema": {"type": "string"}}]
    shown = answering({"type": "array", "items": {"$ref": deep}})
    shown["parameters"] = [{"$ref": "#/paths/~1hidden/get/parameters/0"}]
    document = openapi({"/hidden": {"get": hidden}, "/a": {"get": shown}}, components={"schemas": {"A": {}}})
    data = out(document, "get_a")
    (name,) = set(data["components"]["schemas"]) - {"A"}
    (parameter,) = data["components"]["parameters"].values()
    assert data["components"]["schemas"][name]["properties"] == {"again": ref(name), "x": ref("A")}
    assert parameter["name"] == "q"
    assert "hidden" not in json.dumps(data)
    validate(data)


@pytest.mark.parametrize(
    "target",
    [
        "#",
        "#/",
        "#/paths",
        "#/paths/~1hidden",
        "#/paths/~1hidden/post",
        "#/components",
        "#/components/schemas",
        "#/components/securitySchemes/S",
        "#/components/pathItems/hidden",
        "#/components/schemas/None",
        "#/info",
        "#anchor",
        "other.yaml#/A",
        "http://inside.example/a.json",
        "#/components/schemas/Circle",
        "#/definitions",
    ],
)
def test_a_reference_to_nowhere_to_outside_or_to_too_much_is_taken_out(target: str) -> None:
    document = openapi(
        {
            "/hidden": {"post": {**OK, "summary": "hidden"}},
            "/a": {
                "get": {
                    "parameters": [{"$ref": target}],
                    "requestBody": {"$ref": target},
                    "responses": {
                        "200": {
                            "description": "fine",
                            "headers": {"H": {"$ref": target}},
                            "content": {
                                "application/json": {
                                    "schema": {"$ref": target, "description": "d"},
                                    "examples": {"e": {"$ref": target}},
                                }
                            },
                        },
                        "400": {"$ref": target},
                    },
                }
            },
        },
        components={
            "schemas": {"Circle": ref("Circle")},
            "securitySchemes": {"S": {"type": "http", "scheme": "basic", "description": "hidden"}},
            "pathItems": {"hidden": {"get": {**OK, "summary": "hidden"}}},
        },
        definitions={"hidden": {}},
    )
    data = out(document, "get_a")
    assert "hidden" not in json.dumps(data)
    assert data["paths"]["/a"]["get"] == {
        "operationId": "get_a",
        "parameters": [],
        "responses": {
            "200": {
                "description": "fine",
                "headers": {},
                "content": {"application/json": {"schema": {"description": "d"}, "examples": {}}},
            },
            "400": {"description": "not described"},
        },
    }
    validate(data)


def test_references_across_versions_find_a_home() -> None:
    document = openapi(
        {"/a": {"get": answering({"$ref": "#/definitions/Old"})}}, definitions={"Old": {"type": "string"}}
    )
    data = out(document)
    assert list(data["components"]["schemas"].values()) == [{"type": "string"}]
    assert "definitions" not in data
    validate(data)


def test_a_path_item_that_stands_elsewhere_is_written_out() -> None:
    document = openapi(
        {"/a": {"$ref": "#/components/pathItems/A"}}, components={"pathItems": {"A": {"get": OK}}}
    )
    assert out(document)["paths"] == {"/a": {"get": {"operationId": "get_a", **OK}}}


@pytest.mark.parametrize(
    "info", [None, {}, {"title": None, "version": None}, {"title": " ", "version": ""}, [], "x"]
)
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
    document = openapi(
        {"/a": {"get": answering(ref("A"))}}, components={"schemas": {"A": {}}}, servers=[{"url": "/x"}]
    )
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
