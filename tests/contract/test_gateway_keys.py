"""Who gets through the real gateway."""

import base64
import time

import pytest

from exposer.config.model import Auth, Limits, Rate
from exposer.gateway.host import find_nginx
from tests.support.eventually import eventually
from tests.support.gateway import (
    Gate,
    basic,
    log,
    slowed_down,
    with_decoy,
)
from tests.support.keys import spoiled

pytestmark = [pytest.mark.nginx, pytest.mark.skipif(not find_nginx(), reason="nginx is not installed")]


class TestKeys:
    def test_each_configured_way_of_showing_a_key_is_accepted(self, gate: Gate) -> None:
        key = gate.keys["alice"]
        for headers in (
            {"X-API-Key": key},
            {"x-api-key": f"  {key}  "},
            {"Authorization": f"Bearer {key}"},
            {"Authorization": f"bearer   {key}"},
            basic(key),
            basic(f"alice:{key}"),
            basic(f"{gate.key_id('alice')}:{key}"),
        ):
            assert gate.call("/v1/items/7", headers).status == 200, headers
            assert b"exp_" not in gate.echo.heads[-1]
            assert b"uthorization" not in gate.echo.heads[-1]

    def test_everything_else_is_refused_before_it_learns_what_is_published(self, gate: Gate) -> None:
        key, other = gate.keys["alice"], gate.keys["bob"]
        swapped = key[:13] + other[13:]
        bad: list[dict[str, str]] = [
            {},
            {"X-API-Key": ""},
            {"X-API-Key": key.upper()},
            {"X-API-Key": key.swapcase()},
            {"X-API-Key": key[:-1]},
            {"X-API-Key": key + "A"},
            {"X-API-Key": swapped},
            {"X-API-Key": f"{key},{key}"},
            {"X-API-Key": f"Bearer {key}"},
            {"X-Other": key},
            {"Authorization": key},
            {"Authorization": f"Token {key}"},
            {"Authorization": f"Bearer {swapped}"},
            {"Authorization": f"Bearer {key} {key}"},
            basic(swapped),
            basic(key + ":"),
            basic(f":{key}"),
            basic(f"bob:{key}"),
            basic(f"ALICE:{key}"),
            basic(f"alice:{swapped}"),
            basic(f"nobody:{key}"),
            {"Authorization": "Basic " + base64.b64encode(key.encode()).decode().swapcase()},
            {"Authorization": "Basic !!!"},
        ]
        before = gate.echo.served
        for headers in bad:
            for target in ("/v1/items", "/nothing"):
                assert gate.refusal(target, headers).status == 401, headers
        assert gate.echo.served == before

    def test_two_credentials_at_once_are_refused(self, gate: Gate) -> None:
        key, login = gate.keys["alice"], basic(f"alice:{gate.keys['alice']}")
        for more in (
            {"Authorization": f"Bearer {key}"},
            {"Authorization": "Bearer other"},
            {"Authorization": "x"},
            basic(key),
            login,
        ):
            assert gate.refusal("/v1/items", {"X-API-Key": key, **more}).status == 401, more
        for odd in ("x", ":alice:", ":bob: ", "a:b"):
            assert gate.refusal("/v1/items", {"X-API-Key": odd, **login}).status == 401, odd
        assert gate.status("/v1/items", f"Authorization: Bearer {key}", f"Authorization: Bearer {key}") in (400, 401)

    def test_a_key_in_the_query_is_refused_in_every_way_of_showing_one(self, gate: Gate) -> None:
        key = gate.keys["alice"]
        for headers in (gate.key(), {"Authorization": f"Bearer {key}"}, basic(key), basic(f"alice:{key}"), {}):
            assert gate.refusal(f"/v1/items?api_key={key}", headers).status == 401
            assert gate.refusal(f"/v1/items?a=1&b=exp_{key[4:]}", headers).status == 401

    def test_a_way_that_is_not_configured_is_not_looked_at(self, fresh: Gate) -> None:
        fresh.changes["auth"] = Auth(methods=("api-key",), header="X-Own-Key2")
        fresh.part = fresh.make()
        fresh.start()
        key = fresh.keys["alice"]
        assert fresh.call("/v1/items", {"x-own-key2": key, "Authorization": "Bearer x"}).status == 200
        assert b"Bearer" not in fresh.echo.heads[-1]
        for headers in ({"Authorization": f"Bearer {key}"}, basic(key), basic(f"alice:{key}"), {"X-API-Key": key}):
            assert fresh.refusal("/v1/items", headers).status == 401

    def test_the_authorization_header_itself_may_hold_the_bare_key(self, fresh: Gate) -> None:
        fresh.changes["auth"] = Auth(methods=("api-key", "bearer"), header="Authorization")
        fresh.part = fresh.make()
        fresh.start()
        key = fresh.keys["alice"]
        assert fresh.call("/v1/items", {"Authorization": key}).status == 200
        assert fresh.call("/v1/items", {"Authorization": f"Bearer {key}"}).status == 200
        assert fresh.refusal("/v1/items", {"Authorization": f"Token {key}"}).status == 401

    def test_while_keys_overlap_both_log_in_under_the_same_label(self, fresh: Gate) -> None:
        old = fresh.rotate("alice", grace=60)
        fresh.part = fresh.make()
        fresh.start()
        for key in (old, fresh.keys["alice"]):
            assert fresh.call("/v1/items", basic(f"alice:{key}")).status == 200
            assert fresh.call("/v1/items", basic(key)).status == 200
        assert fresh.refusal("/v1/items", basic(f"alice:{fresh.keys['bob']}")).status == 401

    def test_a_decoy_is_refused_and_named_in_the_log(self, fresh: Gate) -> None:
        fresh.ring = with_decoy(fresh.ring, "bob")
        fresh.part = fresh.make()
        fresh.start()
        assert fresh.call("/v1/items", fresh.key("bob")).status == 401
        assert fresh.call("/v1/items", basic(f"bob:{fresh.keys['bob']}")).status == 401
        assert fresh.call("/v1/items").status == 200
        lines = eventually(lambda: (text := log(fresh)) and len(text) >= 3 and text)
        refused = [line["key"] for line in lines if line["status"] == 401]  # each worker writes its own when it likes
        assert refused == [fresh.key_id("bob")] * 2

    def test_bad_callers_are_slowed_down_and_good_ones_are_not(self, fresh: Gate) -> None:
        fresh.start()
        refused = slowed_down(lambda: fresh.call("/v1/items", {"X-API-Key": "wrong"}))
        assert refused[0].headers["Retry-After"] == "1"
        assert all(fresh.call("/v1/items").status == 200 for _ in range(20))

    def test_each_key_has_its_own_quota_however_it_is_shown(self, fresh: Gate) -> None:
        fresh.changes["limits"] = Limits(rate=Rate(6, 60))
        fresh.part = fresh.make()
        fresh.start()
        key = fresh.keys["alice"]
        ways = [fresh.key(), {"Authorization": f"Bearer {key}"}, basic(key), basic(f"alice:{key}")]
        for _ in range(3):  # a wrong secret must not spend it
            fresh.call("/v1/items", {"X-API-Key": spoiled(key)})
        begun = time.monotonic()
        got = [fresh.call("/v1/items", ways[n % 4]) for n in range(12)]
        more = int((time.monotonic() - begun) / 10)  # one each ten seconds
        refused = [answer for answer in got if answer.status == 429]
        assert 6 - more <= len(refused) <= 6
        assert refused[-1].headers["Retry-After"] == "10"
        assert fresh.call("/v1/items", fresh.key("bob")).status == 200
