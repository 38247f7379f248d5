"""What the self-test asks: all that must be refused, and nothing that is published."""

import re

import pytest

from exposer.config.model import Auth
from exposer.gateway.own_keys import mint_keys
from exposer.gateway.probes import NOWHERE, Probe, probes, published, questions
from exposer.gateway.selftest import read
from exposer.keys.ring import new_ring
from tests.support.gateway import HIDDEN, OPERATIONS, make_policy, op

POLICY = make_policy(new_ring(), "http://127.0.0.1:1")
KEYS = mint_keys(POLICY)
ALL = probes(POLICY, HIDDEN, KEYS)


def line(probe: Probe) -> tuple[str, str]:
    method, target = probe.head.split(b" ", 2)[:2]
    return method.decode(), target.decode("latin-1")


def test_every_kind_of_call_is_tried() -> None:
    lines = [line(probe) for probe in ALL]
    assert {method for method, _ in lines} >= {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
    targets = " ".join(target for _, target in lines)
    for odd in ("%2e%2e", "%2E%2E", "%2f", "%2F", "//", ";", "%00", "..", "http://exposer/", "/admin", "\\"):
        assert odd in targets
    heads = b"".join(probe.head for probe in ALL)
    assert heads.count(b"Host: other") == 1
    assert b"Upgrade: websocket" in heads
    assert b"Upgrade: h2c" in heads
    names = " ".join(probe.name for probe in ALL)
    for who in ("without a key", "a wrong key", "a revoked key", "a key in the query", "two hosts", "without a host"):
        assert who in names


def test_none_of_them_can_reach_a_backend_and_do_something_there() -> None:
    """Each is short of a byte, and nginx passes on whole requests only."""
    for probe in ALL:
        front, _, body = probe.head.partition(b"\r\n\r\n")
        assert front.endswith(b"\r\nContent-Length: 1")
        assert body == b""


def test_no_key_that_lets_in_is_named() -> None:
    for probe in ALL:
        assert not re.search(r"exp_[a-z0-9]{8}_", probe.name)


def test_what_is_published_is_not_among_them() -> None:
    for probe in ALL:
        method, target = line(probe)
        whole = b"Host: other" in probe.head or b"Host" not in probe.head or b"Upgrade" in probe.head
        if "with a key" in probe.name and not whole and not probe.stranger:
            assert not published(POLICY, method, target)
    assert published(POLICY, "GET", "/v1/items")
    assert published(POLICY, "HEAD", "/v1/items/7?x=1")
    assert not published(POLICY, "PUT", "/v1/items")
    assert not published(POLICY, "GET", "/v1/items/../x")


def test_without_keys_of_its_own_it_asks_what_needs_none() -> None:
    found = probes(POLICY, HIDDEN, None)
    assert found
    assert all(probe.stranger for probe in found)
    assert all(b"exp_" not in probe.head or b"exp_00000000_" in probe.head for probe in found)


@pytest.mark.parametrize("methods", [("api-key",), ("bearer",), ("basic",), ("api-key", "bearer", "basic")])
def test_a_key_is_shown_in_a_way_that_is_configured(methods: tuple[str, ...]) -> None:
    policy = make_policy(new_ring(), "http://127.0.0.1:1", auth=Auth(methods=methods))
    heads = b"".join(probe.head for probe in probes(policy, (), mint_keys(policy)))
    assert (b"X-API-Key: " in heads) == (methods[0] == "api-key")
    assert (b"Authorization: Bearer" in heads) == (methods[0] == "bearer")
    assert (b"Authorization: Basic" in heads) == (methods[0] == "basic")


def test_with_nothing_published_there_is_something_to_ask_all_the_same() -> None:
    policy = make_policy(new_ring(), "http://127.0.0.1:1", operations=())
    assert len(probes(policy, (), mint_keys(policy))) > 40


def test_the_public_address_is_asked_few_things_and_no_key_is_shown_for_an_operation_but_once() -> None:
    found = questions(POLICY, KEYS, ["/v1/items", "/other"])
    assert len(found) < 20
    assert not found[0].with_key
    passing = [question for question in found if question.passes]
    assert [(question.method, question.path) for question in passing] == [("GET", "/v1/items")]
    assert all(question.path == NOWHERE for question in found if question.with_key and not question.passes)
    refused = [question for question in found if not question.with_key]
    assert len(refused) <= 10  # bad callers may make so many at once; and no more than that is taken from them


def test_behind_a_lock_of_addresses_no_key_is_tried_on_an_operation() -> None:
    policy = make_policy(new_ring(), "http://127.0.0.1:1", allow_from=["203.0.113.0/24"])
    assert not any(question.passes for question in questions(policy, mint_keys(policy), ["/v1/items"]))


def test_only_what_has_the_form_of_our_refusals_is_one() -> None:
    def reply(status: int, body: str, kind: str = "application/problem+json") -> bytes:
        return f"HTTP/1.1 {status} x\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    ours = '{"type":"about:blank","title":"Not found","status":404,"request_id":"abc"}'
    assert read(reply(404, ours)).refused
    assert read(reply(404, ours)).id == "abc"
    for other in (reply(404, "not found"), reply(200, ours), reply(404, '{"status":401,"request_id":"x"}'), b"", b"x"):
        assert not read(other).refused
    assert not read(reply(404, "")).refused
    assert read(reply(404, ""), bodiless=True).refused
    assert not read(reply(404, "", "text/html"), bodiless=True).refused


def test_each_key_of_it_is_new_and_none_is_valid_by_itself() -> None:
    assert len({key.id for key in (*KEYS, *mint_keys(POLICY))}) == 6
    assert not any(key.passer.passes or key.passer.label for key in KEYS)
    assert OPERATIONS
    assert published(make_policy(new_ring(), "http://127.0.0.1:1", operations=[op("GET", "/{x}")]), "GET")
