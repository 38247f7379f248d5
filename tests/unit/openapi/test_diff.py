import pytest

from exposer.openapi.diff import Difference, compare, sentences
from exposer.openapi.model import Document
from tests.unit.openapi.small import OK, answering, gets, openapi, published

CLIENTS = ("gpt-action", "mcp", "openapi", "copilot")


def texts(document: Document, client: str = "gpt-action", **more: str) -> tuple[str, ...]:
    return tuple(pack.text for pack in published(document, client=client, **more).packs)


@pytest.mark.parametrize("client", CLIENTS)
def test_the_same_document_need_not_be_pasted_again(client: str) -> None:
    document = openapi(gets("/a"))
    found = compare(texts(document, client), texts(document, client))
    assert found == Difference()
    assert found.same
    assert sentences(found, 1) == ["nothing has changed: there is nothing to paste again"]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_new_address_alone_is_told_as_that(client: str) -> None:
    document = openapi(gets("/a"), servers=[{"url": "/api"}])
    found = compare(texts(document, client), texts(document, client, public_url="https://y.example"))
    assert found.server == ("https://x.example/api", "https://y.example/api")
    assert found.only_server
    assert not found.same
    said = sentences(found, 1)
    assert said[:2] == [
        "the address is now https://y.example/api (it was https://x.example/api)",
        "nothing else has changed: it is enough to change the address in the client",
    ]


@pytest.mark.parametrize("client", CLIENTS)
def test_operations_that_came_went_or_changed_are_named(client: str) -> None:
    old = openapi({"/a": {"get": OK}, "/b": {"get": OK}, "/c": {"get": OK}})
    new = openapi({"/a": {"get": OK}, "/c": {"get": {**OK, "summary": "new"}}, "/d": {"get": OK}})
    found = compare(texts(old, client), texts(new, client))
    assert (found.added, found.removed, found.changed) == (("get_d",), ("get_b",), ("get_c",))
    assert found.server is None
    assert not found.only_server
    said = sentences(found, 1)
    assert "1 operation added: get_d" in said
    assert said[-1] == "paste the document again: exposer schema show"


def test_a_new_way_to_show_the_key_is_told() -> None:
    document = openapi(gets("/a"))
    found = compare(texts(document), texts(document, header="X-Other"))
    assert found.front == ("the way to show the key",)
    assert "the way to show the key has changed" in sentences(found, 1)


def test_only_the_packs_that_changed_are_to_be_pasted_again() -> None:
    paths = gets(*(f"/p{number}" for number in range(65)))
    found = compare(texts(openapi(paths)), texts(openapi(paths | {"/p64": {"get": answering({"type": "string"})}})))
    assert found.packs == (3,)
    assert found.changed == ("get_p64",)
    assert sentences(found, 3)[-1] == "paste document 3 of 3 again: exposer schema show --pack N"


def test_packs_that_are_no_longer_needed_are_told() -> None:
    paths = gets(*(f"/p{number}" for number in range(31)))
    found = compare(texts(openapi(paths)), texts(openapi(dict(list(paths.items())[:30]))))
    assert found.gone == 1
    assert not found.same
    assert sentences(found, 1)[-1] == "1 document is no longer needed: take away the last"


def test_what_was_kept_damaged_counts_as_nothing() -> None:
    found = compare(("not JSON", "[]"), texts(openapi(gets("/a"))))
    assert found.added == ("get_a",)
