import pytest

from exposer.openapi.refs import MISSING, follow, lookup, tokens

DATA = {
    "paths": {"/a/{id}": {"get": {"parameters": [{"name": "x"}, {"$ref": "#/a~b"}]}}},
    "a~b": {"name": "y"},
}


def test_a_reference_is_taken_apart_and_unescaped() -> None:
    assert tokens("#/paths/~1a~1%7Bid%7D/get") == ("paths", "/a/{id}", "get")
    assert tokens("#/a~0b") == ("a~b",)


@pytest.mark.parametrize("ref", ["", "#", "#anchor", "other.yaml#/a", "http://inside/a", "/a"])
def test_what_leads_out_of_the_document_is_not_taken_apart(ref: str) -> None:
    assert tokens(ref) is None


def test_items_of_lists_are_found_by_number() -> None:
    assert lookup(DATA, ("paths", "/a/{id}", "get", "parameters", "0")) == {"name": "x"}
    for bad in ("2", "-1", "x", "²", "9" * 5000):
        assert lookup(DATA, ("paths", "/a/{id}", "get", "parameters", bad)) is MISSING


def test_references_are_followed_to_their_end() -> None:
    assert follow(DATA, {"$ref": "#/paths/~1a~1{id}/get/parameters/1"}) == {"name": "y"}


def test_a_circle_of_references_has_no_end_and_is_missing() -> None:
    data = {"a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}}
    assert follow(data, data["a"]) is MISSING
    assert follow(data, {"$ref": "#/c"}) is MISSING
    assert follow(data, {"$ref": "c.yaml"}) is MISSING


def test_a_property_named_ref_is_no_reference() -> None:
    node = {"$ref": {"type": "string"}}
    assert follow({}, node) is node
