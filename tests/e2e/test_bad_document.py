"""An unlucky user's OpenAPI document: missing, not one, far too large, or with nothing in it to publish."""

import json
from collections.abc import Callable

import pytest

from tests.support.eventually import eventually
from tests.support.exposure import Exposure
from tests.support.ports import free_port
from tests.support.unlucky import config, left, moody, refused

Make = Callable[..., Exposure]
INCLUDE = '[schema]\ninclude = ["GET /api/notes"]'
UNUSABLE = [
    ("document=404", "there is no document (status 404)"),
    ("document=500", "answered with status 500"),
    ("document=html", "this is a web page, not a document"),
    ("document=broken", "neither JSON nor YAML (line 1 is not JSON)"),
    ("document=text", "not an OpenAPI document"),
    ("document=empty", "the document is empty"),
    ("document=huge", "the document is too large"),
]


@pytest.mark.parametrize(("mood", "why"), UNUSABLE)
def test_a_document_that_is_none_is_said_with_the_way_on(make_exposure: Make, mood: str, why: str) -> None:
    exposure = make_exposure(moody(free_port(), mood))
    done = refused(exposure, "up", "-d", code=1, says=["/openapi.json: ", why, "exposer up --without-document"])
    assert done.stderr.count(why) == 1, "said once is enough"
    again = refused(exposure, "up", "--json", code=1, says=())
    assert json.loads(again.stderr)["error"]["code"] == "document"


def test_a_document_in_a_file_that_is_not_there_is_named(make_exposure: Make) -> None:
    exposure = make_exposure(moody(free_port()).replace('"/openapi.json"', '"missing.json"'))
    says = [f"{exposure.folder}/missing.json", "there is no such file", "--without-document"]
    refused(exposure, "up", "-d", code=1, says=says)


@pytest.mark.nginx
@pytest.mark.parametrize("mood", ["document=404", "document=html"])
def test_without_a_document_the_calls_that_are_named_go_online(make_exposure: Make, mood: str) -> None:
    exposure = make_exposure(moody(free_port(), mood, more=INCLUDE))
    exposure.up("--without-document")
    assert exposure.get("/api/notes").json() == [{"text": "buy milk"}]
    assert exposure.get("/api/notes", key="").status == 401
    assert exposure.get("/api/other").status == 404
    document = json.loads(exposure.run("schema", "show").stdout)
    assert [(path, list(item)) for path, item in document["paths"].items()] in (
        [("/api/notes", ["get"])],
        [("/notes", ["get"])],
    )


@pytest.mark.parametrize(
    ("mood", "more", "words", "why"),
    [
        ("document=nothing", "", (), "the document has no operations"),
        ("document=post", "", (), "2 operations, and none of them is chosen"),
        ("document=404", "", ("--without-document",), "schema.include names no calls"),
        ("", '[schema]\nexclude = ["GET /**"]', (), "none of them is chosen"),
    ],
)
def test_with_nothing_to_publish_it_does_not_go_online(
    make_exposure: Make, mood: str, more: str, words: tuple[str, ...], why: str
) -> None:
    exposure = make_exposure(moody(free_port(), mood, more=more))
    refused(exposure, "up", "-d", *words, code=1, says=["nothing would be published", why])


@pytest.mark.nginx
def test_taking_the_last_operation_out_of_a_running_exposure_is_obeyed(make_exposure: Make) -> None:
    """Refusing the change would keep open what a person has just closed."""
    port = free_port()
    exposure = make_exposure(moody(port))
    exposure.up()
    assert exposure.get("/api/notes").status == 200
    exposure.write(moody(port, more='[schema]\nexclude = ["GET /**"]'))
    eventually(lambda: exposure.get("/api/notes").status == 404, within=15)
    assert exposure.phase() == "online"


def test_without_any_document_named_the_calls_must_be(make_exposure: Make) -> None:
    exposure = make_exposure(moody(free_port()).replace('openapi = "/openapi.json"\n', ""))
    says = ["there is no document, and schema.include names no calls", 'schema.include = ["GET']
    refused(exposure, "up", "-d", code=1, says=says)
    assert left(exposure) == []


def test_a_url_that_nobody_answers_at_is_given_up_with_its_reason(make_exposure: Make) -> None:
    backend = f'url = "http://127.0.0.1:{free_port()}"\nstart_timeout = "1s"\nopenapi = "/openapi.json"'
    exposure = make_exposure(config(0, backend).replace("port = 0\n", ""))
    refused(exposure, "up", "-d", code=7, says=["not healthy after 1 s", "Connection refused", "backend.health"])
