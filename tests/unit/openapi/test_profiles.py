"""Known backends: recognised by their document, with ids and texts made by a person, and nothing dangerous in them."""

import re
from pathlib import Path

import pytest

from exposer.config.model import Schema
from exposer.openapi.model import Document, DocumentError, Level
from exposer.openapi.operations import operations
from exposer.openapi.profiles import Entry, Profile, load_profiles
from exposer.openapi.read import read
from exposer.openapi.select import choose
from scripts.benchmarks.risk import DATA
from tests.unit.openapi.small import OK, gets, openapi

PROFILES = load_profiles()
NOTES = Profile(
    "notes",
    re.compile("^Shop"),
    ("/notes", "/notes/{anything}"),
    (
        Entry("GET", "/notes/{note}", "get_note", "One note", "Its text."),
        Entry("GET", "/notes", "list_notes", "List notes"),
        Entry("GET", "/gone", "get_gone", "Not there any more"),
        Entry("GET", "/export", "get_export", "An export"),
        Entry("POST", "/notes", "add_note", "A write"),
    ),
)
DOCUMENT = openapi({**gets("/a", "/export", "/notes", "/notes/{id}"), "/b": {"post": OK}})
REAL = {"welink": "welink.json", "immich": "immich.json", "mealie": "mealie.json", "vikunja": "vikunja.yaml"}
REAL |= {"gotify": "gotify.json"}
# What WeLink's own MCP server offers, and the status.
WELINK = (
    "/contacts/stats /contacts/detail /contacts/wordcloud /contacts/sentiment /contacts/messages /global /groups"
    " /groups/detail /stats/filter /contacts/self-portrait /contacts/money-overview /contacts/urls /contacts/cooling"
    " /fun/companion-time /contacts/common-circle /contacts/similarity /search /ai/usage-stats"
    " /contacts/relationship-forecast /status"
)


def chosen(document: Document = DOCUMENT, **schema: object) -> dict[str, str]:
    """Path → id of what is published, best first."""
    choices = choose(document, operations(document), Schema(**schema), profiles=(NOTES,))  # type: ignore[arg-type]
    return {c.operation.path: c.operation.id for c in sorted(choices, key=lambda c: c.rank) if c.published}


def test_a_recognised_backend_publishes_its_profile_in_its_order() -> None:
    assert list(chosen().items()) == [("/notes/{id}", "get_note"), ("/notes", "list_notes")]


def test_a_profile_gives_texts_and_the_reason() -> None:
    choices = choose(DOCUMENT, operations(DOCUMENT), Schema(), profiles=(NOTES,))
    found = {c.operation.path: c for c in choices}
    assert (found["/notes/{id}"].operation.summary, found["/notes/{id}"].operation.description) == (
        "One note",
        "Its text.",
    )
    assert found["/notes"].why == "published: in the profile notes"
    assert found["/a"].why == "not published: not in the profile notes"


def test_a_profile_opens_nothing_dangerous_and_no_method_that_was_not_chosen() -> None:
    assert "/export" not in chosen()
    document = openapi({**gets("/notes", "/notes/{id}"), "/notes": {"get": OK, "post": OK}})
    assert "POST" not in {
        c.operation.method for c in choose(document, operations(document), Schema(), profiles=(NOTES,)) if c.published
    }


def test_the_users_own_include_takes_the_place_of_the_profiles_list_but_its_ids_stay() -> None:
    assert chosen(include=("GET /a", "list_notes")) == {"/a": "get_a", "/notes": "list_notes"}
    assert chosen(include=("get_notes",)) == {"/notes": "list_notes"}


def test_exclude_wins_over_a_profile() -> None:
    assert "/notes" not in chosen(exclude=("list_notes",))


def test_a_profile_can_be_switched_off() -> None:
    assert "/a" in chosen(profile="none")


def test_another_title_or_a_missing_path_is_not_recognised() -> None:
    assert "/a" in chosen(openapi({**gets("/a", "/notes")}))
    assert "/a" in chosen(openapi(gets("/a", "/notes", "/notes/{id}"), info={"title": "Other", "version": "1"}))


def test_a_profile_can_be_named_and_a_wrong_name_is_told() -> None:
    other = openapi(gets("/a", "/notes"), info={"title": "Other", "version": "1"})
    assert chosen(other, profile="notes") == {"/notes": "list_notes"}
    with pytest.raises(DocumentError, match='there is no profile "nots"') as caught:
        chosen(profile="nots")
    assert "notes" in caught.value.hint


def test_an_id_that_the_document_has_already_is_not_taken_over() -> None:
    document = openapi({**gets("/notes", "/notes/{id}"), "/x": {"get": {**OK, "operationId": "list_notes"}}})
    choices = choose(document, operations(document), Schema(), profiles=(NOTES,))
    ids = [c.operation.id for c in choices]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_the_profiles_that_come_along_are_sound(profile: Profile) -> None:
    ids = [entry.id for entry in profile.entries]
    assert len(ids) == len(set(ids)) <= 30
    for entry in profile.entries:
        assert re.fullmatch(r"[a-z0-9_]{3,64}", entry.id)
        assert entry.method == "GET"
        assert entry.path.startswith("/")
        assert 3 <= len(entry.summary) <= 80
        assert len(entry.description) < 300


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
@pytest.mark.skipif(not DATA.is_dir(), reason="the folder with real documents is missing: set EXPOSER_TEST_DATA")
def test_each_is_recognised_by_the_real_document_and_publishes_all_it_has(profile: Profile) -> None:
    document = read(f"file:{Path(DATA, REAL[profile.name])}", "", headers={})
    choices = choose(document, operations(document), Schema(), profiles=PROFILES)
    published = [c for c in choices if c.published]
    assert {c.operation.id for c in published} == {entry.id for entry in profile.entries}
    assert all(c.verdict.level < Level.DANGER for c in published)


@pytest.mark.skipif(not (DATA / "welink.json").is_file(), reason="WeLink's document is missing: set EXPOSER_TEST_DATA")
def test_welink_publishes_what_its_own_mcp_server_offers_and_the_status() -> None:
    document = read(f"file:{DATA / 'welink.json'}", "", headers={})
    choices = choose(document, operations(document), Schema(), profiles=PROFILES)
    assert {c.operation.path for c in choices if c.published} == set(WELINK.split())
    assert {"get_contact_stats", "search_messages"} <= {c.operation.id for c in choices if c.published}
