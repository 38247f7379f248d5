"""Verdicts: what a person would not hand to an assistant is dangerous, with a reason that this person understands."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exposer.openapi.model import Level, Operation, Verdict
from exposer.openapi.operations import operations
from exposer.openapi.risk import verdict, verdicts
from scripts.benchmarks import risk as bench
from tests.unit.openapi.small import OK, answering, openapi, ref

SAFE, CAUTION, DANGER = Level
LIST = {"type": "array", "items": {"type": "object"}}
ONE = {"type": "object", "properties": {"name": {"type": "string"}}}


def of(call: str, summary: str = "", **item: Any) -> Verdict:
    """The verdict on a call of a document that says no more than is given here."""
    method, _, path = call.partition(" ")
    document = openapi({path: {method.lower(): {**OK, "summary": summary, **item}}})
    (found,) = verdicts(document, operations(document))
    return found


def query(name: str, **schema: Any) -> dict[str, Any]:
    return {"parameters": [{"name": name, "in": "query", "schema": {"type": "string", **schema}}]}


@pytest.mark.parametrize(
    ("call", "summary"),
    [
        ("GET /users", "List users"),
        ("GET /authors/{id}", "Get an author"),
        ("GET /tasks/{id}/comments", "All comments"),
        ("GET /keyboards", "List keyboards"),
        ("GET /stats/filter", "时间范围过滤统计"),
        ("GET /contacts/stats", "获取所有联系人统计"),
        ("GET /exporters-guild/members", "Members"),
        ("GET /releases/latest", "Get the latest release"),
        ("GET /podcasts/{id}/episodes", "Get episodes that were downloaded"),
        ("GET /episodes/{id}", "One episode"),
        ("GET /recipes/{slug}", "Get one recipe"),
        ("GET /sync-status", "How far the sync is"),
        ("GET /checkout/steps", "Steps"),
        ("GET /healthz", ""),
        ("GET /people", "Get user by login or email"),
    ],
)
def test_harmless_reads_are_not_barred(call: str, summary: str) -> None:
    assert of(call, summary).level < DANGER


@pytest.mark.parametrize(
    ("call", "summary", "reason"),
    [
        ("POST /users", "", "POST changes data"),
        ("PUT /users/{id}", "", "PUT changes data"),
        ("PATCH /users/{id}", "", "PATCH changes data"),
        ("DELETE /users/{id}", "", "DELETE removes data"),
        ("TRACE /users", "", "TRACE is no read"),
        ("GET /admin/users", "", "administrators"),
        ("GET /debug/pprof/heap", "", "administrators"),
        ("GET /system/restart", "", "restarts or stops"),
        ("GET /server/shutdown", "", "restarts or stops"),
        ("GET /settings", "", "settings"),
        ("GET /app/smtpConfig", "", "settings"),
        ("GET /vault/secrets", "", "secrets"),
        ("GET /api-keys", "", "keys"),
        ("GET /key/info", "", "keys"),
        ("GET /backup", "", "backs up"),
        ("GET /contacts/export", "", "exports"),
        ("GET /files/{id}/download", "", "downloads"),
        ("GET /db/dump", "", "backs up"),
        ("GET /sql", "", "query, code or a command"),
        ("GET /graphql", "", "query, code or a command"),
        ("GET /databases/{db}/tables", "", "raw database"),
        ("GET /proxy/{id}", "", "passes calls on"),
        ("GET /datasources/{id}/{proxy_route}", "", "any path"),
        ("GET /{path}", "", "any path"),
        ("GET /open-url", "", "acts on the machine"),
        ("GET /filesystem", "", "acts on the machine"),
        ("GET /oauth/callback", "", "signing in"),
        ("GET /users/login", "", "signing in"),
        ("GET /user/totp/setup", "", "signing in"),
        ("GET /accessTokens", "", "signing in"),
        ("GET /users/me/sessions", "", "sessions"),
        ("GET /sessions", "", "sessions"),
        ("GET /events/stream", "", "streams"),
        ("GET /containers/{id}/attach/ws", "", "streams"),
        ("GET /diagnostics", "", "long job"),
        ("GET /delay/{seconds}", "", "long job"),
        ("GET /v1/chat/completions", "", "language model"),
        ("GET /users/{id}/avatar", "", "file"),
        ("GET /camera/latest.{extension}", "", "file"),
        ("GET /cover/{id}.jpg", "", "file"),
        ("GET /notifications/test", "Send a test notification", "does something although"),
        ("GET /podcasts/{id}/clear-queue", "", "does something although"),
        ("GET /things/{id}", "Deletes a thing", "does something although"),
        ("GET /podcasts/{id}/new", "Check and download new episodes", "does something although"),
        ("GET /x", "导出联系人全量聊天记录", "exports"),
        ("GET /x", "读取用户偏好", "settings"),
        ("GET /x", "重启服务", "restarts"),
        ("GET /x", "删除缓存", "does something although"),
        ("GET /x", "调起原生文件夹选择器", "acts on the machine"),
        ("GET /x", "AI 群聊年度回顾", "language model"),
        ("GET /x", "設定を取得", "settings"),
        ("GET /x", "비밀번호 확인", "signing in"),
        ("GET /x", "Экспорт данных", "exports"),
        ("GET /x", "Einstellungen lesen", "settings"),
        ("GET /telecharger", "", "downloads"),
        ("GET /x", "Copia de seguridad", "backs up"),
        ("GET /x", "Réinitialiser le mot de passe", "signing in"),
    ],
)
def test_what_an_assistant_should_not_have_is_dangerous_and_says_why(call: str, summary: str, reason: str) -> None:
    found = of(call, summary)
    assert found.level is DANGER
    assert reason in " / ".join(found.reasons)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (query("url"), "the parameter url makes the backend fetch an address"),
        (query("imageUrl"), "makes the backend fetch an address"),
        (query("source", format="uri"), "makes the backend fetch an address"),
        (query("cmd"), "is run by the backend"),
        (query("include_secrets"), "has to do with secrets"),
        (query("print", type="boolean"), "print"),
        (query("follow", type="boolean", default=True), "streams without end"),
    ],
)
def test_a_parameter_that_gives_the_caller_power_is_dangerous(item: dict[str, Any], reason: str) -> None:
    found = of("GET /things", **item)
    assert found.level is DANGER
    assert reason in found.reasons[0]


@pytest.mark.parametrize("name", ["q", "page", "author", "curl_index", "email", "path_prefix"])
def test_ordinary_parameters_are_not(name: str) -> None:
    assert of("GET /things", **query(name)).level is SAFE


def test_an_address_that_only_filters_a_list_asks_for_caution() -> None:
    filtered = {"parameters": [*query("url")["parameters"], *query("page", type="integer")["parameters"]]}
    assert of("GET /bookmarks", **filtered).level is CAUTION


def test_a_place_on_the_machine_is_dangerous_where_files_are_meant() -> None:
    assert of("GET /manualimport", **query("folder")).level is DANGER
    assert of("GET /commits", **query("path")).level is CAUTION


@pytest.mark.parametrize(
    ("media", "level"),
    [
        ("application/json", SAFE),
        ("application/hal+json", SAFE),
        ("application/octet-stream", DANGER),
        ("image/png", DANGER),
        ("text/csv", DANGER),
        ("text/event-stream", DANGER),
        ("application/vnd.docker.raw-stream", DANGER),
        ("text/html", CAUTION),
    ],
)
def test_what_is_answered_counts(media: str, level: Level) -> None:
    answer = {"responses": {"200": {"description": "", "content": {media: {"schema": {}}}}}}
    assert of("GET /thing", **answer).level is level


def test_a_file_beside_json_only_asks_for_caution() -> None:
    content = {"application/json": {"schema": ONE}, "application/pdf": {}}
    assert of("GET /thing", responses={"200": {"description": "", "content": content}}).level is CAUTION


def test_a_picture_described_as_an_object_is_no_file() -> None:
    assert of("GET /albums/{id}/cover", **answering(ONE)).level is SAFE


@pytest.mark.parametrize("name", ["token", "plexToken", "client_secret", "apiKey", "password"])
def test_an_answer_with_a_secret_in_it_is_dangerous_also_inside_a_list(name: str) -> None:
    secret = {"type": "object", "properties": {name: {"type": "string"}}}
    pages = {"type": "object", "properties": {"items": {"type": "array", "items": ref("App")}}}
    for schema in (secret, {"type": "array", "items": secret}, pages):
        document = openapi({"/apps": {"get": answering(schema)}}, components={"schemas": {"App": secret}})
        (found,) = verdicts(document, operations(document))
        assert (found.level, found.reasons[0]) == (DANGER, f"its answer holds a secret ({name})")


@pytest.mark.parametrize("name", ["nextPageToken", "hasPassword", "csrf_token", "max_tokens", "tokens_used"])
def test_names_that_only_look_like_secrets_are_none(name: str) -> None:
    schema = {"type": "object", "properties": {name: {"type": "string"}}}
    assert of("GET /apps/{id}", **answering(schema)).level is SAFE


def test_a_list_without_a_limit_asks_for_caution() -> None:
    assert of("GET /things", **answering(LIST)) == Verdict(CAUTION, ("its list has no limit",))
    assert of("GET /things", **answering(LIST), **query("limit", type="integer")).level is SAFE


@pytest.mark.parametrize("call", ["POST /search", "POST /query", "POST /items/search/advanced"])
def test_a_post_that_only_asks_needs_caution(call: str) -> None:
    assert of(call, "Search items").level is CAUTION


@pytest.mark.parametrize(
    ("call", "summary"), [("POST /search", "Start a search job"), ("POST /auth/query", ""), ("POST /create/list", "")]
)
def test_a_post_that_does_more_than_ask_is_dangerous(call: str, summary: str) -> None:
    assert of(call, summary).level is DANGER


def test_a_post_that_asks_but_fetches_an_address_is_dangerous() -> None:
    body = {"content": {"application/json": {"schema": {"type": "object", "properties": {"url": {"type": "string"}}}}}}
    assert of("POST /feeds/lookup", requestBody=body).level is DANGER


def test_a_mention_in_the_description_does_not_condemn() -> None:
    text = "Lists notes. Use DELETE to remove one; see the settings, the admin guide and the export for backups."
    assert of("GET /notes", "List notes", description=text).level is SAFE


def test_the_names_of_path_parameters_in_an_id_do_not_condemn() -> None:
    found = of("GET /recipes/shared/{token_id}", operationId="get_shared_recipe_api_recipes_shared__token_id__get")
    assert found.level is SAFE


def test_parameters_shared_by_the_whole_path_count() -> None:
    shared = [{"name": "url", "in": "query", "required": True, "schema": {"type": "string"}}]
    document = openapi({"/thumb": {"parameters": shared, "get": OK}})
    assert verdicts(document, operations(document))[0].level is DANGER


def test_the_gravest_reason_comes_first() -> None:
    found = of("GET /users/export", **answering(LIST))
    assert found.level is DANGER
    assert found.reasons[0].startswith("it exports")
    assert found.reasons[-1] == "its list has no limit"


KEYS = ["parameters", "responses", "200", "content", "schema", "properties", "items", "name", "in", "$ref", "summary"]
KEYS += ["operationId", "type", "format", "application/json", "requestBody", "description", "anyOf", "token", "enum"]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("#/x") | st.just("#/paths"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(item=JUNK, data=JUNK, method=st.sampled_from(["GET", "POST", "BREW"]), path=st.text(max_size=30))
def test_nothing_that_a_document_can_hold_makes_it_fail(item: Any, data: Any, method: str, path: str) -> None:
    found = verdict(Operation("x", method, path, path), item, data)
    assert bool(found.reasons) == (found.level is not SAFE)


def test_an_answer_that_contains_itself_comes_to_an_end() -> None:
    node = {"type": "object", "properties": {"children": {"type": "array", "items": ref("Node")}, "up": ref("Node")}}
    document = openapi({"/nodes": {"get": answering(ref("Node"))}}, components={"schemas": {"Node": node}})
    assert verdicts(document, operations(document))[0].level is SAFE


def test_there_are_enough_labels_from_enough_documents() -> None:
    found = {name: bench.labels(name) for name in bench.DOCUMENTS}
    everything = [label for labels in found.values() for label in labels]
    assert len(found) >= 10
    assert len(everything) >= 400
    assert {label.said for label in everything} == {"safe", "caution", "danger"}
    assert 0.25 < sum(label.held_out for label in everything) / len(everything) < 0.42


@pytest.mark.skipif(not bench.DATA.is_dir(), reason="the folder with real documents is missing: set EXPOSER_TEST_DATA")
def test_the_verdicts_agree_with_the_labels_also_with_those_held_out() -> None:
    judged = list(bench.judged())
    for held_out in (False, True):
        score = bench.score([each for each in judged if each.label.held_out is held_out])
        assert score.recall >= bench.RECALL
        assert score.kept >= bench.KEPT
