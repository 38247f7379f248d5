import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exposer.openapi.model import Document, DocumentError
from exposer.openapi.operations import operations, path_problem, skipped
from tests.unit.openapi.small import OK, gets, openapi, published, swagger


def ids(document: Document) -> list[str]:
    return [operation.id for operation in operations(document)]


def test_operations_come_in_document_order_with_their_full_path() -> None:
    document = openapi(
        {"/b": {"post": OK, "get": {**OK, "tags": ["t", 5], "summary": "lists"}}, "/a": {"delete": OK}},
        servers=[{"url": "/api/"}],
    )
    first, second, third = operations(document)
    assert [(op.method, op.full_path) for op in (first, second, third)] == [
        ("POST", "/api/b"),
        ("GET", "/api/b"),
        ("DELETE", "/api/a"),
    ]
    assert (second.path, second.tags, second.summary) == ("/b", ("t", "5"), "lists")


def test_all_eight_methods_count_and_nothing_else_does() -> None:
    methods = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
    item = dict.fromkeys(methods, OK) | {"query": OK, "GET": OK, "x-get": OK, "servers": [], "parameters": []}
    assert [op.method.lower() for op in operations(openapi({"/a": item}))] == list(methods)


def test_what_is_not_an_object_is_passed_over() -> None:
    document = openapi({"/a": None, "/b": [], "/c": {"get": "x", "put": None, "post": OK}, "x-y": {"get": OK}})
    assert ids(document) == ["post_c"]


def test_a_path_item_may_stand_elsewhere_in_the_document() -> None:
    document = openapi(
        {"/a": {"$ref": "#/x-items/a"}, "/b": {"$ref": "other.yaml"}, "/c": {"$ref": {"get": OK}}},
        **{"x-items": {"a": {"get": {**OK, "operationId": "listed"}}}},
    )
    assert [(op.id, op.path) for op in operations(document)] == [("listed", "/a")]


def test_own_ids_are_kept_where_they_are_legal() -> None:
    document = openapi({"/a": {"get": {**OK, "operationId": "listThings-v2_x"}}})
    assert ids(document) == ["listThings-v2_x"]


@pytest.mark.parametrize("bad", ["repos/get", "repoAddTopíc", "a b", "", "x" * 65, "a.b", None, 5, ["a"], "a\n"])
def test_an_illegal_id_gives_way_to_one_made_of_method_and_path(bad: object) -> None:
    assert ids(openapi({"/contacts/stats": {"get": {**OK, "operationId": bad}}})) == ["get_contacts_stats"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "get_root"),
        ("/users/{id}", "get_users_by_id"),
        ("/users/{user-id}/posts/{postId}", "get_users_by_user_id_posts_by_postId"),
        ("/rest/v{version}/x", "get_rest_v_by_version_x"),
        ("/latest.{extension}", "get_latest_by_extension"),
        ("/settings:batchGet", "get_settings_batchGet"),
        ("/a/", "get_a"),
        ("/{人}", "get"),
    ],
)
def test_derived_ids_can_be_read(path: str, expected: str) -> None:
    assert ids(openapi(gets(path))) == [expected]


def test_every_one_of_duplicate_ids_is_derived() -> None:
    same = {**OK, "operationId": "list"}
    document = openapi({"/a": {"get": same}, "/b": {"get": same}, "/c": {"get": {**OK, "operationId": "other"}}})
    assert ids(document) == ["get_a", "get_b", "other"]


def test_ids_that_would_be_the_same_all_get_a_hash_that_depends_on_nothing_else() -> None:
    two = dict(zip(("/file", "/file/*"), ids(openapi(gets("/file", "/file/*"))), strict=True))
    three = dict(
        zip(
            ("/file/", "/x", "/file/*", "/file"),
            ids(openapi(gets("/file/", "/x", "/file/*", "/file"))),
            strict=True,
        )
    )
    assert all(re.fullmatch(r"get_file_[0-9a-f]{8}", id_) for id_ in two.values())
    assert len(set(three.values())) == 4
    assert {path: three[path] for path in two} == two


def test_a_long_id_is_cut_and_hashed() -> None:
    long = "/" + "/".join(["segment"] * 20)
    first, second = ids(openapi(gets(long, long + "s")))
    assert len(first) <= 64
    assert len(second) <= 64
    assert first != second
    assert ids(openapi(gets("/else", long)))[1] == first


def test_an_own_id_wins_over_a_derived_one() -> None:
    document = openapi({"/users": {"get": OK}, "/x": {"get": {**OK, "operationId": "get_users"}}})
    derived, own = ids(document)
    assert own == "get_users"
    assert re.fullmatch(r"get_users_[0-9a-f]{8}", derived)


def test_nobody_can_take_the_id_that_a_hash_would_make() -> None:
    wanted = ids(openapi(gets("/a/b", "/a-b")))[0]
    document = openapi({**gets("/a/b", "/a-b"), "/evil": {"get": {**OK, "operationId": wanted}}})
    assert len(set(ids(document))) == 3
    assert ids(document)[2] == wanted


@pytest.mark.parametrize(
    "path",
    [
        "relative",
        "",
        "/a b",
        "/a\tb",
        "/a\nb",
        "/a\x7f",
        "/a\u2028b",
        "/a\u202eb",
        "/a\ud800",
        '/a"b',
        "/a'b",
        "/a`b",
        "/a\\b",
        "/a?b=1",
        "/a#b",
        "/a<b>",
        "/../etc",
        "/a/%2e%2e/b",
        "/a/./b",
        "/a%2Fb",
        "/a%5cb",
        "/a%00b",
        "/a%zz",
        "/a%0ab",
        "//evil.example/a",
        "/a//b",
        "/a/{id",
        "/a/id}",
        "/a/{{id}}",
        "/a/{}",
        "/a/{b/c}",
    ],
)
def test_a_path_that_could_fool_the_gateway_is_left_out_and_reported(path: str) -> None:
    document = openapi({path: {"get": OK}, "/good": {"get": OK}})
    assert ids(document) == ["get_good"]
    ((reported, reason),) = skipped(document)
    assert reported == path
    assert reason


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/a/",
        "/file/*",
        "/rest/v{version}/x",
        "/settings:batchGet",
        "/$metadata",
        "/日本",
        "/a.b/~c",
    ],
)
def test_odd_but_honest_paths_are_taken(path: str) -> None:
    assert path_problem(path) == ""


def test_a_path_that_is_described_nowhere_is_reported() -> None:
    document = openapi(
        {"/a": {"$ref": "paths/a.yaml"}, "/b": {"$ref": "#/nowhere"}, "/c": {"get": OK, "$ref": "c.yaml"}}
    )
    assert ids(document) == ["get_c"]
    assert [(repair.where, repair.what) for repair in document.repairs] == [
        ("/paths/~1a", "the reference paths/a.yaml leads nowhere and was left out"),
        ("/paths/~1b", "the reference #/nowhere leads nowhere and was left out"),
        ("/paths/~1c", "the reference c.yaml leads nowhere and was left out"),
    ]


def test_a_hostile_path_without_operations_is_not_worth_a_word() -> None:
    assert skipped(openapi({"a b": {}, "x-note": {"get": OK}})) == ()


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=12,
)
refs_to = st.sampled_from(
    [
        "#/components/schemas/A",
        "#/definitions/A",
        "#/paths/~1a/get",
        "#/paths/~1a/get/responses/200",
        "#",
        "#/",
        "x.yaml",
        "#/components/parameters/P",
        "#/components/schemas/A/properties/b",
        "#/paths/~1a/get/parameters/0",
        "#/components",
    ]
)
keys = st.sampled_from(
    [
        "$ref",
        "schema",
        "properties",
        "items",
        "parameters",
        "responses",
        "requestBody",
        "content",
        "headers",
        "examples",
        "example",
        "links",
        "allOf",
        "200",
        "get",
        "discriminator",
        "mapping",
        "name",
        "in",
        "tags",
        "operationId",
        "summary",
        "description",
        "security",
        "servers",
        "callbacks",
        "x-y",
    ]
)
openapi_like = st.recursive(
    json_like | refs_to,
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(keys, children, max_size=4)
        | st.fixed_dictionaries({"$ref": refs_to | children})
    ),
    max_leaves=15,
)
sections = st.fixed_dictionaries(
    {
        "paths": openapi_like
        | st.dictionaries(st.sampled_from(["/a", "/b/{id}", "x"]), st.dictionaries(keys, openapi_like))
    },
    optional={
        "components": openapi_like
        | st.dictionaries(
            st.sampled_from(["schemas", "parameters", "responses"]),
            st.dictionaries(st.sampled_from("AP"), openapi_like),
        ),
        "definitions": st.dictionaries(st.sampled_from("AP"), openapi_like),
        "info": openapi_like,
        "tags": openapi_like,
        "servers": openapi_like,
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(
    data=sections | st.dictionaries(st.text(max_size=8), json_like),
    spec=st.sampled_from(["2.0", "3.0.3", "3.1.0"]),
)
def test_no_document_makes_anything_but_operations_or_a_clear_error(data: dict[str, object], spec: str) -> None:
    document = Document(data, "test", "digest", "", spec)
    found = operations(document)
    skipped(document)
    assert len({op.id for op in found}) == len(found)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", op.id) for op in found)
    try:
        once = published(document)
    except DocumentError:
        return
    assert once == published(document)
    assert once.operations == found


def test_swagger_operations_stand_below_their_base_path() -> None:
    (operation,) = operations(swagger(gets("/pets"), basePath="/v1"))
    assert operation.full_path == "/v1/pets"
