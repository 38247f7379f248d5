"""What the self-test may ask of a backend: what needs nothing and does nothing."""

from exposer.openapi.model import Operation
from exposer.openapi.operations import operations
from exposer.openapi.plain import plain_reads
from tests.unit.openapi.small import OK, gets, openapi

NEEDED = {"name": "q", "in": "query", "required": True, "schema": {"type": "string"}}
FREE = {"name": "page", "in": "query", "schema": {"type": "integer"}}


def test_reads_without_parameters_that_have_to_be_given_are_plain() -> None:
    document = openapi(
        {
            "/search": {"get": {**OK, "parameters": [NEEDED]}},
            "/notes/{id}": {"get": {**OK, "parameters": [{**NEEDED, "name": "id", "in": "path"}]}},
            "/notes": {"get": {**OK, "parameters": [FREE]}, "post": OK},
            "/under": {"parameters": [{**NEEDED, "in": "header"}], "get": OK},
            "/tags": {"get": OK},
        }
    )
    assert plain_reads(document, operations(document)) == ("/notes", "/tags")


def test_a_read_that_may_do_something_is_not_tried_out() -> None:
    document = openapi(gets("/restart", "/logout", "/notes"))
    assert plain_reads(document, operations(document)) == ("/notes",)


def test_no_more_than_a_few_and_without_a_document_those_that_are_named() -> None:
    document = openapi(gets(*(f"/r{n}" for n in range(9))))
    assert len(plain_reads(document, operations(document))) == 3
    named = (Operation("a", "GET", "/notes", "/notes"), Operation("b", "POST", "/notes", "/notes"))
    assert plain_reads(None, named) == ("/notes",)
