"""What each key may take at the real gateway, and what it is told when that is over."""

import http.client
import json
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from exposer.config.model import Auth, Limits, Rate
from exposer.gateway import folder as place
from exposer.gateway.host import find_nginx
from exposer.keys.model import KeyState
from tests.support.eventually import eventually
from tests.support.gateway import Gate, Reply, basic, slowed_down
from tests.support.keys import spoiled

pytestmark = [pytest.mark.nginx, pytest.mark.skipif(not find_nginx(), reason="nginx is not installed")]
MANY = Rate(100_000, 1)


@pytest.fixture
def gate(fresh: Gate) -> Gate:
    return fresh


def start(gate: Gate, own: dict[str, dict[str, Any]] | None = None, **limits: Any) -> Gate:
    gate.changes["limits"] = Limits(**({"rate": MANY, "timeout": 30.0} | limits))
    gate.own = own or {}
    gate.part = gate.make()
    return gate.start()


def problem(reply: Reply, status: int) -> dict[str, Any]:
    assert reply.status == status
    assert reply.headers["Content-Type"] == "application/problem+json"
    said: dict[str, Any] = json.loads(reply.body)
    assert said["status"] == status
    assert said["request_id"]
    return said


def hold(gate: Gate, label: str) -> http.client.HTTPConnection:
    """A call that stays open until the backend's gate is opened."""
    connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=40)
    connection.request("GET", "/v1/items/events", headers=gate.key(label))
    assert connection.getresponse().readline() == b"data: 0\n"
    return connection


class TestRates:
    def test_a_key_with_a_rate_of_its_own_is_told_that_rate(self, gate: Gate) -> None:
        start(gate, {"bob": {"rate": Rate(2, 60)}})
        got = [gate.call("/v1/items", gate.key("bob")) for _ in range(4)]
        assert [answer.status for answer in got] == [200, 200, 429, 429]
        assert got[-1].headers["Retry-After"] == "30"
        assert "2 calls a minute" in problem(got[-1], 429)["detail"]
        assert all(gate.call("/v1/items").status == 200 for _ in range(20))

    def test_after_the_time_that_it_was_told_it_may_call_again(self, gate: Gate) -> None:
        start(gate, {"bob": {"rate": Rate(90, 60)}})
        late = slowed_down(lambda: gate.call("/v1/items", gate.key("bob")))
        assert late[-1].headers["Retry-After"] == "1"
        threading.Event().wait(1.0)
        assert gate.call("/v1/items", gate.key("bob")).status == 200

    def test_all_keys_together_have_a_limit_too(self, gate: Gate) -> None:
        start(gate, total_rate=Rate(6, 60))
        begun = time.monotonic()
        got = [gate.call("/v1/items", gate.key(("alice", "bob")[n % 2])) for n in range(10)]
        more = int((time.monotonic() - begun) / 10)  # one each ten seconds
        refused = [answer for answer in got if answer.status == 429]
        assert 4 - more <= len(refused) <= 4
        assert refused[-1].headers["Retry-After"] == "10"
        assert "all keys together: 6 calls a minute" in problem(refused[-1], 429)["detail"]

    def test_a_wrong_secret_spends_nobody_s_quota(self, gate: Gate) -> None:
        start(gate, {"bob": {"rate": Rate(1, 60)}}, total_rate=Rate(10, 60))
        key = gate.keys["bob"]
        for _ in range(20):
            assert gate.call("/v1/items", {"X-API-Key": spoiled(key)}).status in (401, 429)
        assert [gate.call("/v1/items", gate.key("bob")).status for _ in range(2)] == [200, 429]

    def test_what_a_stranger_is_told_names_no_limit_of_a_key(self, gate: Gate) -> None:
        start(gate, rate=Rate(7, 60))
        refused = slowed_down(lambda: gate.call("/v1/items", {"X-API-Key": "wrong"}))[-1]
        assert "valid key" in problem(refused, 429)["detail"]
        assert b"7 calls" not in refused.body

    def test_its_own_rate_holds_however_the_key_is_shown_and_through_a_reload(self, gate: Gate) -> None:
        gate.changes["auth"] = Auth(methods=("api-key", "bearer", "basic"))
        start(gate, {"bob": {"rate": Rate(4, 60)}})
        key = gate.keys["bob"]
        ways = [gate.key("bob"), {"Authorization": f"Bearer {key}"}, basic(key), basic(f"bob:{key}")]
        begun = time.monotonic()
        assert [gate.call("/v1/items", way).status for way in ways] == [200] * 4
        gate.own = {"bob": {"rate": Rate(4, 60)}, "alice": {"rate": Rate(1, 60)}}
        gate.reload()
        again = [gate.call("/v1/items", way).status for way in ways]
        more = int((time.monotonic() - begun) / 15)  # one each fifteen seconds
        assert sorted(again) == [200] * again.count(200) + [429] * (4 - again.count(200))
        assert again.count(200) <= more
        assert [gate.call("/v1/items").status for _ in range(2)] == [200, 429]
        gate.own = {}
        gate.reload()
        assert gate.call("/v1/items", gate.key("bob")).status == 200


class TestConcurrency:
    @pytest.mark.parametrize(
        ("own", "limits"),
        [
            ({}, {"concurrency": 2}),
            ({"alice": {"concurrency": 2}}, {"concurrency": 9}),
            ({"alice": {"concurrency": 2}}, {}),
        ],
    )
    def test_one_key_has_only_so_many_calls_at_once(
        self, gate: Gate, own: dict[str, dict[str, Any]], limits: dict[str, Any]
    ) -> None:
        start(gate, own, **limits)
        held = [hold(gate, "alice") for _ in range(2)]
        refused = gate.call("/v1/items")
        assert "2 at the same time" in problem(refused, 429)["detail"]
        assert int(refused.headers["Retry-After"]) >= 1
        assert gate.call("/v1/items", gate.key("bob")).status == 200
        for connection in held:
            connection.close()
        eventually(lambda: gate.call("/v1/items").status == 200)
        gate.echo.gate.set()

    def test_all_keys_together_have_only_so_many(self, gate: Gate) -> None:
        start(gate, total_concurrency=2)
        held = [hold(gate, "alice"), hold(gate, "bob")]
        assert "2 at the same time" in problem(gate.call("/v1/items"), 429)["detail"]
        for connection in held:
            connection.close()
        eventually(lambda: gate.call("/v1/items").status == 200)
        gate.echo.gate.set()


class TestOperations:
    def test_a_key_may_call_what_it_is_for_and_is_told_when_it_is_something_else(self, gate: Gate) -> None:
        start(gate, {"bob": {"operations": frozenset({"GET /v1/items", "GET /trailing/"})}})
        bob = gate.key("bob")
        assert gate.call("/v1/items", bob).status == 200
        assert gate.call("/v1/items", bob, method="HEAD").status == 200
        assert gate.call("/trailing/", bob).status == 200
        assert "another operation" in problem(gate.call("/v1/items/7", bob), 403)["detail"]
        assert gate.call("/v1/items", bob, method="POST", body=b"{}").status == 403
        assert gate.call("/nothing", bob).status == 404
        assert gate.call("/v1/items/7").status == 200

    def test_without_a_valid_key_it_is_401_for_all_of_them(self, gate: Gate) -> None:
        start(gate, {"bob": {"operations": frozenset({"GET /v1/items"})}})
        wrong = {"X-API-Key": spoiled(gate.keys["bob"])}
        for target in ("/v1/items", "/v1/items/7", "/nothing"):
            assert gate.refusal(target, wrong).status == 401

    def test_a_key_for_nothing_that_is_published_may_call_nothing(self, gate: Gate) -> None:
        start(gate, {"bob": {"operations": frozenset()}})
        assert gate.call("/v1/items", gate.key("bob")).status == 403
        assert gate.call("/v1/items").status == 200

    def test_a_login_is_held_to_them_too_and_so_is_an_oversized_call(self, gate: Gate) -> None:
        start(gate, {"bob": {"operations": frozenset({"GET /v1/items"})}}, body=100)
        login = basic(f"bob:{gate.keys['bob']}")
        assert gate.call("/v1/items", login).status == 200
        assert gate.call("/v1/items/7", login).status == 403
        for way in (login, gate.key("bob")):
            assert gate.call("/v1/items", way, method="POST", body=b"x" * 200).status == 403


class TestSizes:
    def test_a_larger_body_is_refused_with_the_limit_for_whoever_has_a_key(self, gate: Gate) -> None:
        start(gate, body=1000)
        assert "1,000 bytes" in problem(gate.call("/v1/items", method="POST", body=b"x" * 1001), 413)["detail"]
        assert gate.call("/v1/items", method="POST", body=b"x" * 1000).status == 200
        stranger = gate.refusal("/v1/items", {}, method="POST", body=b"x" * 1001)
        assert b"1,000" not in stranger.body
        assert stranger.status == 401

    def test_a_silent_backend_is_given_up_with_a_word_on_the_limit(self, gate: Gate) -> None:
        start(gate, timeout=0.4)
        assert "0.4 seconds" in problem(gate.call("/v1/items/silent"), 504)["detail"]


class TestPause:
    def test_a_paused_key_is_told_to_come_back_and_a_wrong_one_is_not(self, gate: Gate) -> None:
        start(gate)
        place.pause(gate.folder, gate.key_id("bob"))
        refused = gate.call("/v1/items", gate.key("bob"))
        assert "paused" in problem(refused, 429)["detail"]
        assert int(refused.headers["Retry-After"]) > 60
        assert gate.call("/v1/items", {"X-API-Key": spoiled(gate.keys["bob"])}).status == 401
        assert gate.call("/v1/items").status == 200

    def test_it_stays_paused_over_a_reload_and_a_restart_and_comes_back_with_the_ring(self, gate: Gate) -> None:
        start(gate)
        whole = gate.ring
        place.pause(gate.folder, gate.key_id("bob"))
        gate.ring = replace(
            whole,
            keys=tuple(replace(k, state=KeyState.SUSPENDED) if k.label == "bob" else k for k in whole.keys),
        )
        gate.reload()
        assert gate.call("/v1/items", gate.key("bob")).status == 429
        assert gate.entry is not None
        gate.part.stop(gate.entry)
        gate.start()
        assert gate.call("/v1/items", gate.key("bob")).status == 429
        gate.ring, suspended = whole, gate.part.digest
        gate.reload()
        assert gate.part.digest != suspended
        assert gate.call("/v1/items", gate.key("bob")).status == 200

    def test_letting_it_go_on_makes_no_key_valid_by_itself(self, gate: Gate) -> None:
        start(gate)
        place.pause(gate.folder, gate.key_id("bob"))
        place.resume(gate.folder, gate.key_id("bob"))
        assert gate.call("/v1/items", gate.key("bob")).status == 401
