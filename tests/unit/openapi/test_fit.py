"""Each rule of ChatGPT's importer, one small document for each."""

from typing import Any

import pytest

from exposer.openapi.checks import conforms
from exposer.openapi.fit import STEPS, offered
from exposer.openapi.fit.texts import cut, length, made_up
from exposer.openapi.model import Document, Finding, Publication
from exposer.openapi.operations import operations
from tests.unit.openapi.small import OK, answering, gets, openapi, out, published, ref


def action(document: Document, **more: Any) -> Publication:
    """Published for ChatGPT, which would take it."""
    result = published(document, client="gpt-action", **more)
    assert [what for pack in result.packs for what in conforms(pack.text, "gpt-action")] == []
    return result


def only(document: Document, **more: Any) -> dict[str, Any]:
    """The one operation of the document as ChatGPT gets it."""
    action(document, **more)
    (item,) = out(document, client="gpt-action", **more)["paths"].values()
    (operation,) = item.values()
    return operation


def told(result: Publication, step: str) -> list[Finding]:
    found = [finding for finding in result.findings if finding.step == step]
    assert all(finding.prevents == STEPS[step].prevents for finding in found)
    return found


def asking(*parameters: dict[str, Any], path: str = "/a", method: str = "get", **more: Any) -> dict[str, Any]:
    return {path: {method: {**OK, "parameters": list(parameters), **more}}}


def query(name: str, schema: Any, **more: Any) -> dict[str, Any]:
    return {"in": "query", "name": name, "schema": schema, **more}


def sending(schema: Any, *, required: bool = True, media: str = "application/json", method: str = "post") -> Any:
    body = {"required": required, "content": {media: {"schema": schema}}}
    return {"/a": {method: {**OK, "requestBody": body}}}


def body(document: Document, **more: Any) -> Any:
    return only(document, **more)["requestBody"]["content"]["application/json"]["schema"]


def answer(document: Document) -> Any:
    return only(document)["responses"]["200"]["content"]["application/json"]["schema"]


# ---- the document ----


def test_an_older_version_is_told_as_converted() -> None:
    (found,) = told(action(openapi(gets("/a"))), "version")
    assert found.prevents == "('openapi',): Input should be '3.1.1' or '3.1.0'"
    assert told(action(openapi(gets("/a"), openapi="3.1.0")), "version") == []


def test_more_than_thirty_operations_become_packs_and_the_rule_about_hosts_is_said() -> None:
    result = action(openapi(gets(*(f"/p{number}" for number in range(65)))))
    assert [len(pack.operations) for pack in result.packs] == [30, 30, 5]
    assert len({op.id for pack in result.packs for op in pack.operations}) == 65
    assert result.text == result.packs[0].text
    assert '"title":"Shop (2 of 3)"' in result.packs[1].text
    assert "one document for each host name" in result.packs[0].text
    assert len(told(result, "packs")) == len(told(result, "hostnames")) == 1
    assert len(action(openapi(gets("/a"))).packs) == 1
    for client in ("openapi", "copilot", "mcp"):
        assert len(published(openapi(gets(*(f"/p{n}" for n in range(65)))), client=client).packs) == 1


def test_the_refusals_of_the_gateway_are_described() -> None:
    responses = only(openapi(gets("/a")))["responses"]
    assert list(responses) == ["200", "401", "404", "429"]


def test_methods_that_no_client_calls_with_are_left_out() -> None:
    document = openapi({"/a": {"get": OK, "head": OK, "options": OK, "trace": OK}})
    result = action(document)
    assert [op.method for op in result.operations] == ["GET"]
    assert {op.method for op, _ in result.dropped} == {"HEAD", "OPTIONS", "TRACE"}


# ---- parameters ----


def test_shared_parameters_are_written_out() -> None:
    document = openapi(
        {"/a": {"parameters": [{"$ref": "#/components/parameters/Page"}], "get": OK}},
        components={
            "parameters": {"Page": query("page", {"$ref": "#/components/schemas/N"})},
            "schemas": {"N": {"type": "integer"}},
        },
    )
    assert only(document)["parameters"] == [{"name": "page", "in": "query", "schema": {"type": "integer"}}]


def test_header_and_cookie_parameters_are_left_out() -> None:
    text = {"type": "string"}
    document = openapi(
        asking(
            {"in": "header", "name": "X-Trace", "schema": text},
            {"in": "header", "name": "Accept", "required": True, "schema": text},
            {"in": "header", "name": "x-api-key", "required": True, "schema": text},
            {"in": "cookie", "name": "session", "schema": text},
            query("q", text),
        )
    )
    result = action(document)
    assert [p["name"] for p in only(document)["parameters"]] == ["q"]
    assert [f.what for f in told(result, "headers")] == ["the optional header X-Trace is left out"]
    assert len(told(result, "cookies")) == 1
    assert result.inject == {}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "enum": ["true"]},
        {"type": "string", "const": "true"},
        {"type": "string", "default": "true"},
        {"type": "boolean", "default": True},
        {"type": "boolean", "enum": [True]},
    ],
)
def test_a_required_header_with_one_value_is_left_to_the_gateway(schema: Any) -> None:
    document = openapi(asking({"in": "header", "name": "OCS-APIRequest", "required": True, "schema": schema}))
    assert action(document).inject == {"get_a": {"OCS-APIRequest": "true"}}
    offer = offered(document, operations(document), client="gpt-action", header="X-API-Key")
    assert offer.inject == {"get_a": {"OCS-APIRequest": "true"}}


@pytest.mark.parametrize(
    "parameter",
    [
        {"in": "header", "name": "X-Tenant", "required": True, "schema": {"type": "string"}},
        {"in": "header", "name": "X-Tenant", "required": True, "schema": {"enum": ["a", "b"]}},
        {"in": "header", "name": "X-Tenant", "required": True, "schema": {"const": "a\r\nX-Evil: 1"}},
        {"in": "header", "name": "X Tenant", "required": True, "schema": {"const": "a"}},
        {"in": "cookie", "name": "session", "required": True, "schema": {"type": "string"}},
        query("filter", {"type": "object"}, required=True, style="deepObject"),
    ],
)
def test_an_operation_that_needs_what_no_client_sends_is_dropped_with_the_reason(parameter: dict[str, Any]) -> None:
    document = openapi({**asking(parameter), "/b": {"get": OK}})
    result = action(document)
    assert [op.id for op in result.operations] == ["get_b"]
    ((operation, why),) = result.dropped
    assert operation.id == "get_a"
    assert why.startswith("it needs the ")
    offer = offered(document, operations(document), client="gpt-action", header="X-API-Key")
    assert offer.kept == result.operations
    assert offer.dropped == result.dropped


def test_a_header_that_the_gateway_adds_for_the_backend_needs_no_parameter() -> None:
    document = openapi(asking({"in": "header", "name": "X-Tenant", "required": True, "schema": {"type": "string"}}))
    assert len(action(document, provided=("x-tenant",)).operations) == 1


def test_a_name_that_is_in_the_path_is_not_in_the_query() -> None:
    path = {"in": "path", "name": "id", "required": True, "schema": {"type": "string"}}
    document = openapi(asking(path, query("id", {"type": "string"}), path="/a/{id}"))
    assert [(p["name"], p["in"]) for p in only(document)["parameters"]] == [("id", "path")]
    assert len(told(action(document), "duplicates")) == 1
    needed = openapi(
        {**asking(path, query("id", {"type": "string"}, required=True), path="/a/{id}"), "/b": {"get": OK}}
    )
    assert [op.id for op in action(needed).operations] == ["get_b"]


def test_the_parameters_in_the_path_are_those_that_stand_in_it() -> None:
    raw = {"in": "path", "name": "gone", "required": True, "schema": {"type": "string"}}
    document = Document({"paths": asking(raw, path="/a/{id}.{ext}")}, "", "", "", "3.1.0")
    assert [p["name"] for p in only(document)["parameters"]] == ["id", "ext"]


@pytest.mark.parametrize(
    ("more", "schema", "text"),
    [
        ({}, {"type": "integer"}, "(one value)"),
        ({"explode": True}, {"type": "integer"}, "(one value)"),
        ({"explode": False}, {"type": "string"}, "(values with ',' between them)"),
        ({"style": "pipeDelimited"}, {"type": "string"}, "(values with '|' between them)"),
    ],
)
def test_a_list_in_the_query_is_offered_as_something_that_arrives(more: Any, schema: Any, text: str) -> None:
    document = openapi(asking(query("ids", {"type": "array", "items": {"type": "integer"}}, **more)))
    assert only(document)["parameters"] == [{"name": "ids", "in": "query", "description": text, "schema": schema}]
    assert len(told(action(document), "lists")) == 1
    if "style" not in more:
        (kept,) = out(document, client="openapi")["paths"]["/a"]["get"]["parameters"]
        assert kept["schema"] == {"type": "array", "items": {"type": "integer"}}


def test_of_a_union_the_kind_that_can_stand_in_an_address_stays() -> None:
    schema = {"anyOf": [{"type": "object", "properties": {"gt": {}}}, {"type": "integer"}]}
    assert only(openapi(asking(query("created", schema))))["parameters"][0]["schema"] == {"type": "integer"}


# ---- bodies ----


@pytest.mark.parametrize(
    "schema", [{"type": "array", "items": {}}, {"type": "string"}, {"oneOf": [{"type": "integer"}]}]
)
def test_a_body_that_is_no_object_cannot_be_sent(schema: Any) -> None:
    document = openapi({**sending(schema), "/b": {"get": OK}})
    assert [op.id for op in action(document).operations] == ["get_b"]
    (finding,) = told(action(document), "body")
    assert finding.prevents == "request body schema is not an object schema; skipping"
    assert "requestBody" not in only(openapi(sending(schema, required=False)))


@pytest.mark.parametrize(
    "media", ["multipart/form-data", "application/octet-stream", "application/x-www-form-urlencoded"]
)
def test_a_body_that_is_not_json_cannot_be_sent(media: str) -> None:
    document = openapi(sending({"type": "object", "properties": {"a": {"type": "string"}}}, media=media))
    assert published(document, client="gpt-action").operations == ()
    form = media.endswith("urlencoded")
    assert len(published(document, client="openapi").operations) == form
    assert len(published(document, client="mcp").operations) == form


def test_of_several_media_types_json_is_the_one() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    kinds = ("text/json", "application/*+json", "application/json", "multipart/form-data")
    content = {kind: {"schema": schema} for kind in kinds}
    document = openapi({"/a": {"post": {**OK, "requestBody": {"content": content}}}})
    assert list(only(document)["requestBody"]["content"]) == ["application/json"]


@pytest.mark.parametrize("method", ["get", "delete"])
def test_a_read_or_a_delete_sends_no_body(method: str) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert "requestBody" not in only(openapi(sending(schema, required=False, method=method)))
    assert published(openapi(sending(schema, method=method)), client="gpt-action").operations == ()


def test_a_body_of_which_nothing_is_known_is_told_since_nothing_can_be_sent() -> None:
    for schema in ({}, {"type": "object"}, {"type": "object", "additionalProperties": {"type": "string"}}):
        document = openapi(sending(schema))
        assert body(document) == {"type": "object", "properties": {}}
        steps = {finding.step for finding in action(document).findings}
        assert steps & {"free-form", "properties"}


def test_every_object_says_its_properties() -> None:
    document = openapi(sending({"type": "object", "properties": {"a": {"type": "object"}}}))
    assert body(document)["properties"]["a"] == {"type": "object", "properties": {}}


def test_a_null_branch_goes_and_objects_become_one() -> None:
    one = {"type": "object", "properties": {"a": {"type": "string"}, "k": {"type": "string"}}, "required": ["a", "k"]}
    two = {"type": "object", "properties": {"b": {"type": "integer"}, "k": {"type": "string"}}, "required": ["b", "k"]}
    maybe = {"anyOf": [{"type": "integer"}, {"type": "null"}], "description": "how many"}
    document = openapi(sending({"oneOf": [one, two]}), openapi="3.1.0")
    assert body(document) == {
        "type": "object",
        "properties": {"a": {"type": "string"}, "k": {"type": "string"}, "b": {"type": "integer"}},
        "required": ["k"],
    }
    document = openapi(sending({"type": "object", "properties": {"n": maybe}}), openapi="3.1.0")
    assert body(document)["properties"] == {"n": {"type": "integer", "description": "how many"}}


def test_all_of_is_put_together() -> None:
    base = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
    schema = {"allOf": [ref("Base"), {"properties": {"name": {"type": "string"}}, "required": ["name"]}]}
    document = openapi(sending(schema), components={"schemas": {"Base": base}})
    assert body(document)["required"] == ["id", "name"]


def test_what_the_backend_sets_itself_is_not_asked_and_what_is_secret_is_not_described() -> None:
    schema = {
        "type": "object",
        "properties": {
            "id": {"type": "string", "readOnly": True},
            "password": {"type": "string", "writeOnly": True},
            "name": {"type": "string"},
        },
        "required": ["id", "name"],
    }
    assert list(body(openapi(sending(schema)))["properties"]) == ["password", "name"]
    assert body(openapi(sending(schema)))["required"] == ["name"]
    assert list(answer(openapi({"/a": {"get": answering(schema)}}))["properties"]) == ["id", "name"]


def test_a_property_may_be_called_ref() -> None:
    schema = {"type": "object", "properties": {"$ref": {"type": "string"}}}
    assert answer(openapi({"/a": {"get": answering(schema)}})) == schema


@pytest.mark.parametrize("default", [None, "x", 1.5, [], {}, True, 12])
def test_a_default_that_the_schema_forbids_goes(default: Any) -> None:
    schema = {"type": "integer", "maximum": 10, "default": default}
    assert only(openapi(asking(query("n", schema))))["parameters"][0]["schema"] == {"type": "integer", "maximum": 10}


# ---- what comes back ----


def test_a_schema_that_holds_itself_is_cut() -> None:
    tree = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "down": {"type": "array", "items": ref("Tree")}},
    }
    document = openapi({"/a": {"get": answering(ref("Tree"))}}, components={"schemas": {"Tree": tree}})
    (finding,) = told(action(document), "cycles")
    assert finding.prevents == "Components section contains a circular dependency"
    assert answer(document)["properties"]["down"]["items"]["properties"]["name"] == {"type": "string"}


@pytest.mark.parametrize("schema", [{"allOf": [ref("A")]}, {"anyOf": [ref("A"), ref("A")]}, ref("A")])
def test_a_schema_that_is_nothing_but_itself_is_anything(schema: Any) -> None:
    document = Document(
        {"paths": {"/a": {"get": answering(ref("A"))}}, "components": {"schemas": {"A": schema}}}, "", "", "", "3.1.0"
    )
    assert answer(document) == {"type": "object", "properties": {}}


def test_an_answer_is_described_within_its_budget_the_outer_levels_first() -> None:
    leaf = {"type": "object", "properties": {f"leaf_{n}": {"type": "string"} for n in range(100)}}
    middle = {"type": "object", "properties": {f"middle_{n}": leaf for n in range(20)}}
    document = openapi({"/a": {"get": answering({"type": "object", "properties": {"first": middle, "second": leaf}})}})
    result = action(document)
    assert len(result.text) < 6000
    assert list(answer(document)["properties"]) == ["first", "second"]
    assert len(answer(document)["properties"]["first"]["properties"]) == 20
    assert len(told(result, "answers")) == 1


def test_an_object_that_is_too_wide_keeps_the_fields_that_fit_and_those_that_are_always_there() -> None:
    fields = {f"a_field_with_a_long_name_{number}": {"type": "string"} for number in range(500)}
    schema = {
        "type": "array",
        "items": {"type": "object", "properties": fields, "required": ["a_field_with_a_long_name_499"]},
    }
    kept = answer(openapi({"/a": {"get": answering(schema)}}))["items"]["properties"]
    assert 20 < len(kept) < 120
    assert "a_field_with_a_long_name_499" in kept


def test_thirty_large_operations_stay_within_the_budget_of_the_document() -> None:
    wide = {
        "type": "object",
        "properties": {f"field_{n}": {"type": "string", "description": "x" * 90} for n in range(200)},
    }
    paths = {
        f"/p{n}": {"post": {**answering(wide), **sending(wide)["/a"]["post"], **answering(wide)}} for n in range(30)
    }
    result = action(openapi(paths))
    assert len(result.text.encode()) <= 100_000


def test_the_good_answer_that_is_described_is_the_first() -> None:
    responses = {"default": {"description": "oops"}, "201": {"description": "made"}, "204": {"description": "none"}}
    assert list(only(openapi({"/a": {"post": {"responses": responses}}}))["responses"]) == ["201", "401", "404", "429"]


# ---- texts ----


def test_texts_are_cut_at_a_word_within_the_limits() -> None:
    long = "word " * 400
    document = openapi(asking(query("q", {"type": "string"}, description=long), summary=long, description=long + "end"))
    found = only(document)
    assert 250 < len(found["description"]) <= 299
    assert len(found["summary"]) <= 299
    assert 600 < len(found["parameters"][0]["description"]) <= 699
    assert found["description"].endswith("word…")
    assert len(told(action(document), "texts")) == 1


@pytest.mark.parametrize(
    ("text", "limit", "end"),
    [
        ("short", 10, "short"),
        ("one two three", 9, "one two…"),
        ("one two three", 8, "one two…"),
        ("中文中文中文", 4, "中文中…"),
        ("😀😀😀", 5, "😀😀…"),
        ("x", 0, ""),
    ],
)
def test_cutting(text: str, limit: int, end: str) -> None:
    assert cut(text, limit) == end
    assert length(end) <= limit


@pytest.mark.parametrize(
    ("method", "path", "text"),
    [
        ("GET", "/contacts/stats", "Get contacts stats"),
        ("GET", "/api/v1/contacts/{contactId}/stats", "Get contacts stats by contact id"),
        ("DELETE", "/items/{item_id}", "Delete items by item id"),
        ("POST", "/", "Send the root"),
    ],
)
def test_an_operation_without_any_text_gets_a_summary(method: str, path: str, text: str) -> None:
    assert made_up(method, path) == text
    if method == "GET":
        assert only(openapi({path: {"get": OK}}))["summary"] == text


# ---- what a person has to agree to ----


@pytest.mark.parametrize(
    ("method", "more", "asks"),
    [
        ("get", {}, False),
        ("post", {}, True),
        ("delete", {}, True),
        ("get", {"x-openai-isConsequential": True}, True),
        ("post", {"x-openai-isConsequential": False}, True),
        ("post", {"x-exposer-consequential": False}, False),
        ("get", {"x-exposer-consequential": True}, True),
    ],
)
def test_whether_a_person_is_asked_is_always_said(method: str, more: Any, asks: bool) -> None:
    document = openapi({"/a": {method: {**OK, **more}}})
    assert only(document)["x-openai-isConsequential"] is asks
    (tool,) = out(document, client="mcp")["tools"]
    assert tool["annotations"]["readOnlyHint"] is (method == "get" and not asks)


@pytest.mark.parametrize("item", [{"get": {**OK, "x-exposer-hide": True}}, {"x-exposer-hide": True, "get": OK}])
def test_what_the_document_hides_is_not_offered(item: Any) -> None:
    document = openapi({"/a": item, "/b": {"get": OK}})
    for client in ("gpt-action", "mcp", "openapi", "copilot"):
        assert [op.id for op in published(document, client=client).operations] == ["get_b"]


# ---- the other clients ----


def test_a_tool_says_how_it_is_called() -> None:
    schema = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    path = {"in": "path", "name": "body", "required": True, "schema": {"type": "string"}}
    document = openapi({"/a/{body}": {"put": {**OK, "parameters": [path], **sending(schema)["/a"]["post"]}}})
    (tool,) = out(document, client="mcp")["tools"]
    assert list(tool["inputSchema"]["properties"]) == ["body", "request_body"]
    assert tool["inputSchema"]["required"] == ["body", "request_body"]
    assert tool["_meta"]["io.exposer/call"] == {
        "method": "PUT",
        "path": "/a/{body}",
        "parameters": {"body": {"in": "path"}},
        "body": {"argument": "request_body", "media": "application/json"},
    }


def test_a_crowd_of_tools_is_told() -> None:
    result = published(openapi(gets(*(f"/p{number}" for number in range(129)))), client="mcp")
    assert [finding.step for finding in result.findings if finding.step == "crowd"] == ["crowd"]


def test_copilot_gets_single_types_and_a_body_parameter() -> None:
    schema = {"type": "object", "properties": {"n": {"type": ["integer", "null"]}, "c": {"const": "x"}}}
    document = openapi(sending(schema), openapi="3.1.0")
    operation = out(document, client="copilot")["paths"]["/a"]["post"]
    assert operation["parameters"] == [
        {
            "name": "body",
            "in": "body",
            "required": True,
            "schema": {
                "type": "object",
                "properties": {"n": {"type": "integer"}, "c": {"type": "string", "enum": ["x"]}},
            },
        }
    ]


def test_every_step_can_be_quoted() -> None:
    for name, step in STEPS.items():
        assert name == step.name
        assert step.changes
        assert step.prevents
