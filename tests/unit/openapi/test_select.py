"""The choice: harmless reads by themselves, risky ones only by name, and each with its reason."""

from typing import Any

import pytest

from exposer.config.model import Schema
from exposer.openapi.model import DocumentError, Level, Operation
from exposer.openapi.operations import operations
from exposer.openapi.select import choose, from_include, unmatched
from tests.unit.openapi.small import OK, gets, openapi


def op(call: str, id_: str = "", *tags: str) -> Operation:
    method, _, path = call.partition(" ")
    return Operation(id_ or call, method, path, "/api" + path, tags)


OPS = (
    op("GET /users", "list_users", "users"),
    op("GET /users/{id}", "get_user", "users"),
    op("POST /users", "add_user", "users"),
    op("DELETE /users/{id}", "del_user", "users", "admin"),
    op("GET /files/{id}/raw/{name}", "raw", "files"),
    op("HEAD /users", "head_users", "users"),
    op("OPTIONS /users", "options_users", "users"),
    op("TRACE /users", "trace_users", "users"),
)


def published(**schema: Any) -> list[str]:
    return [choice.operation.id for choice in choose(None, OPS, Schema(**schema)) if choice.published]


def test_without_a_wish_all_harmless_reads_are_published() -> None:
    assert published() == ["list_users", "get_user", "raw"]


def test_methods_widen_the_choice_but_let_no_write_in() -> None:
    assert published(methods=("get", "POST")) == ["list_users", "get_user", "raw"]
    ops = (op("POST /search", "search"), op("POST /things", "add"))
    choices = choose(None, ops, Schema(methods=("GET", "POST")))
    assert [c.operation.id for c in choices if c.published] == ["search"]
    assert choose(None, ops, Schema())[0].why == "not published: POST is not in schema.methods"


@pytest.mark.parametrize(
    ("entry", "ids"),
    [
        ("get_user", ["get_user"]),
        ("users", ["list_users", "get_user"]),
        ("admin", []),
        ("GET /users", ["list_users"]),
        ("GET /api/users", ["list_users"]),
        ("get  /users", ["list_users"]),
        ("GET /users/*", ["get_user"]),
        ("GET /users/{whatever}", ["get_user"]),
        ("GET /*", ["list_users"]),
        ("GET /files/*", []),
        ("GET /files/**", ["raw"]),
        ("GET /**/raw/*", ["raw"]),
        ("GET /**", ["list_users", "get_user", "raw"]),
        ("* /users/*", ["get_user"]),
        ("GET /user", []),
        ("GET /users/", []),
        ("GET /users.", []),
        ("GET", []),
        ("Users", []),
    ],
)
def test_an_entry_of_include_is_an_id_a_tag_or_a_call(entry: str, ids: list[str]) -> None:
    assert published(include=(entry,)) == ids


@pytest.mark.parametrize(
    ("entry", "ids"),
    [
        ("del_user", ["del_user"]),
        ("DELETE /users/*", ["del_user"]),
        ("POST /users", ["add_user"]),
        ("POST /**", ["add_user"]),
    ],
)
def test_naming_an_operation_lets_it_in_whatever_its_method(entry: str, ids: list[str]) -> None:
    assert published(include=(entry,)) == ids


@pytest.mark.parametrize("entry", ["users", "* /**", "* /users"])
def test_a_tag_or_any_method_does_not_open_methods_that_were_not_chosen(entry: str) -> None:
    assert not {"add_user", "del_user"} & set(published(include=(entry,)))


@pytest.mark.parametrize("entry", ["head_users", "HEAD /users", "OPTIONS /users", "TRACE /users", "* /users"])
def test_head_options_and_trace_are_never_published(entry: str) -> None:
    chosen = published(include=(entry,), methods=("GET", "HEAD", "OPTIONS", "TRACE"))
    assert not {"head_users", "options_users", "trace_users"} & set(chosen)


@pytest.mark.parametrize("entry", ["get_user", "users", "* /users/**", "GET /api/users/*"])
def test_exclude_wins_over_include(entry: str) -> None:
    assert "get_user" not in published(include=("get_user", "GET /**"), exclude=(entry,))


def test_exclude_works_alone() -> None:
    assert published(exclude=("files",)) == ["list_users", "get_user"]


def test_the_limit_cuts_the_least_useful_and_says_so() -> None:
    choices = choose(None, OPS, Schema(max_operations=2))
    assert [c.operation.id for c in choices if c.published] == ["list_users", "get_user"]
    assert [c.why for c in choices if c.operation.id == "raw"] == ["over max_operations (rank 3)"]
    assert len(published(max_operations=0)) == 3


def test_what_was_named_comes_before_what_was_not() -> None:
    choices = choose(None, OPS, Schema(include=("users", "raw", "del_user"), max_operations=2))
    assert [c.operation.id for c in choices if c.published] == ["del_user", "raw"]


def test_every_operation_has_a_reason() -> None:
    schema = Schema(include=("users", "POST /users"), exclude=("admin",))
    assert {c.operation.id: c.why for c in choose(None, OPS, schema)} == {
        "list_users": 'published: schema.include has "users"',
        "get_user": 'published: schema.include has "users"',
        "add_user": 'published: schema.include has "POST /users", although POST changes data or starts something',
        "del_user": 'not published: schema.exclude has "admin"',
        "raw": "not published: not in schema.include",
        "head_users": "not published: HEAD is never published",
        "options_users": "not published: OPTIONS is never published",
        "trace_users": "not published: TRACE is never published",
    }
    assert [c.why for c in choose(None, OPS[:4], Schema())] == [
        "published: a list, safe",
        "published: one thing in detail, safe",
        "not published: POST changes data or starts something",
        "not published: DELETE removes data",
    ]


def test_a_risky_operation_under_a_wanted_tag_says_how_to_get_it() -> None:
    (choice,) = choose(None, OPS[2:3], Schema(include=("users",)))
    assert choice.why.endswith("to publish it all the same, name it in schema.include: add_user")


RISKY = openapi({**gets("/notes", "/notes/export", "/settings"), "/wipe": {"delete": OK}})


@pytest.mark.parametrize("include", [(), ("* /**",), ("* /notes/export",)])
def test_no_dangerous_operation_is_published_unless_it_is_named(include: tuple[str, ...]) -> None:
    choices = choose(RISKY, operations(RISKY), Schema(include=include, methods=("GET", "DELETE")))
    assert all(c.verdict.level < Level.DANGER for c in choices if c.published)
    assert all(c.verdict.reasons for c in choices if c.verdict.level)


@pytest.mark.parametrize("entry", ["get_notes_export", "GET /notes/export", "GET /notes/*", "GET /**"])
def test_naming_a_dangerous_read_publishes_it_and_says_what_it_does(entry: str) -> None:
    choices = choose(RISKY, operations(RISKY), Schema(include=(entry,)))
    why = {c.operation.path: c.why for c in choices if c.published}["/notes/export"]
    assert why.startswith(f'published: schema.include has "{entry}", although it exports')


def test_the_rank_is_given_to_all_that_could_be_published() -> None:
    choices = choose(None, OPS, Schema(max_operations=1))
    assert [c.rank for c in choices] == [1, 2, 0, 0, 3, 0, 0, 0]


def test_what_was_really_called_comes_first() -> None:
    choices = choose(None, OPS, Schema(max_operations=1), used={"raw": 3, "get_user": 2})
    assert [c.operation.id for c in choices if c.published] == ["raw"]


def test_signs_in_a_path_are_not_taken_for_patterns() -> None:
    ops = (op("GET /a.b", "dot"), op("GET /axb", "letter"), op("GET /f/*", "star"), op("GET /f(1)", "parens"))
    choices = choose(None, ops, Schema(include=("GET /a.b", "GET /f(1)")))
    assert [c.operation.id for c in choices if c.published] == ["dot", "parens"]
    assert [c.operation.id for c in choose(None, ops, Schema(include=("GET /f/*",))) if c.published] == ["star"]


def test_entries_that_nothing_answers_to_are_found() -> None:
    schema = Schema(include=("users", "get_usr"), exclude=("DELETE /user/*", "admin"))
    assert unmatched(OPS, schema) == ("get_usr", "DELETE /user/*")


def test_without_a_document_the_included_calls_are_the_operations() -> None:
    first, second, third = from_include(("GET /items/{id}", "post /items", "GET /x/*/y/*.json", "GET /items/{id}"))
    assert first == Operation("get_items_by_id", "GET", "/items/{id}", "/items/{id}")
    assert (second.id, second.method) == ("post_items", "POST")
    assert third.path == "/x/{p1}/y/{p2}.json"


def test_made_up_parameters_do_not_clash_with_given_ones() -> None:
    (operation,) = from_include(("GET /x/{p1}/*",))
    assert operation.path == "/x/{p1}/{p2}"


def test_included_calls_choose_themselves_without_a_document() -> None:
    include = ("GET /items/*", "POST /items", "DELETE /x/{id}/*")
    choices = choose(None, from_include(include), Schema(include=include))
    assert [c.published for c in choices] == [True, True, True]


@pytest.mark.parametrize(
    "entry",
    [
        "users",
        "get_user",
        "* /users",
        "GET /files/**",
        "HEAD /users",
        "GET /a/../b",
        "GET /a?b=1",
        "GET /{a",
        "BREW /pot",
    ],
)
def test_an_entry_that_needs_a_document_is_refused_without_one(entry: str) -> None:
    with pytest.raises(DocumentError) as caught:
        from_include((entry,))
    assert entry in caught.value.message
    assert "GET /items/{id}" in caught.value.hint
