"""The real gateway in front of a backend that records what reaches it."""

import base64
import hashlib
import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exposer.config.model import Auth, Limits, Rate
from exposer.gateway.host import find_nginx
from exposer.gateway.paths import canonical
from tests.support.echo import LARGE
from tests.support.eventually import eventually
from tests.support.gateway import ANSWER, HIDDEN, OPERATIONS, PROBE, Gate, ask, basic, op, secret_header, with_decoy
from tests.support.readings import means, readings

pytestmark = [pytest.mark.nginx, pytest.mark.skipif(not find_nginx(), reason="nginx is not installed")]

ATTACKS = """
/v1/items/../../admin /v1/items/..%2f..%2fadmin /v1/items/..%2F..%2Fadmin /v1/items/%2e%2e/%2e%2e/admin
/v1/items/.%2e/%2e./admin /v1/items/..;/..;/admin /v1/items;/../../admin /v1/items/..%3b/..%3b/admin /v1/items;x=1
/v1/items/7;jsessionid=1 /v1/items\\..\\..\\admin /v1/items/..\\..\\admin /v1/items%5c..%5c..%5cadmin /v1/items/..%5c..%5cadmin
/admin/../v1/items /admin%2f..%2fv1%2fitems /admin/..%2fv1/items /admin;/../v1/items /admin/%2e%2e/v1/items //admin
//v1/items /v1//items /v1/items// /v1/items//../admin /./v1/items /v1/./items /v1/items/. /v1/items/.. /v1/items/...
/%76%31/items /v1/%69tems /v1/items/%252e%252e/%252e%252e/admin /v1/items/%252fadmin /v1/items%2f7 /v1/items%0a
/v1/items%0d%0a /v1/items/7%00 /v1/items/7%00.json /v1/items%20 /v1/items/%20 /v1/items/..%20/..%20/admin /v1/items%3fx
/v1/items/7%3f/../../admin /v1/items%23 /v1/items/7%23/../../admin /V1/ITEMS /v1/itemsadmin /7/secret /v1/items/7/secret
/v1/items/%c0%ae%c0%ae/admin /v1/items/..%c0%af..%c0%afadmin /v1/items/%ef%bc%8e%ef%bc%8e/admin /v1/items/%e2%80%a5/admin
/v1/items/%ef%bc%8fadmin /v1/items/\xff /v1/items/%zz /v1/items/%u002e /api../admin /admin /v1/items/export
/v1/items/EXPORT /v1/items/%65xport /v1/items/export/
""".split()


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    gate = Gate(tmp_path_factory.mktemp("gate"))
    try:
        yield gate.start()
    finally:
        gate.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path)
    try:
        yield gate
    finally:
        gate.close()


class TestPaths:
    def test_no_attack_reaches_anything_but_what_is_published(self, gate: Gate) -> None:
        assert len(ATTACKS) >= 50
        published = [o.full_path for o in OPERATIONS if o.method == "GET"]
        hidden = [o.full_path for o in HIDDEN if o.method == "GET"]
        gate.echo.heads.clear()
        for attack in ATTACKS:
            assert gate.status(attack) in (200, 400, 404), attack
        for target in gate.echo.targets:
            for reading in readings(target):
                assert any(means(template, reading) for template in published), (target, reading)
                assert not any(means(template, reading) for template in hidden), (target, reading)

    def test_what_could_be_read_in_two_ways_is_malformed_even_with_a_key(self, gate: Gate) -> None:
        for attack in ATTACKS[:40]:
            if not canonical(attack):
                assert gate.status(attack) == 400, attack

    @pytest.mark.parametrize(
        ("target", "status"),
        [
            ("/v1/items", 200),
            ("/v1/items?q=1", 200),
            ("/v1/items/7", 200),
            ("/v1/items/a%20b", 200),
            ("/v1/items/%E6%96%87", 200),
            ("/v1/items/%e6%96%87", 200),
            ("/%E5%9B%BE%E4%B9%A6/%E7%9B%AE%20%E5%BD%95", 200),
            ("/%e5%9b%be%e4%b9%a6/%e7%9b%ae%20%e5%bd%95", 200),
            ("/v1/files/a.b.txt", 200),
            ("/v1/files/atxt", 404),
            ("/v1/files/.txt", 404),
            ("/rest/v2/x", 200),
            ("/rest/v/x", 404),
            ("/rest/2/x", 404),
            ("/latest.json", 200),
            ("/latest", 404),
            ("/latestxjson", 404),
            ("/odata/items(7)", 200),
            ("/odata/items%287%29", 200),
            ("/odata/items7", 404),
            ("/trailing/", 200),
            ("/trailing", 404),
            ("/v1/items/", 404),
            ("/", 404),
        ],
    )
    def test_published_templates_pass_and_their_neighbours_do_not(self, gate: Gate, target: str, status: int) -> None:
        assert gate.status(target) == status

    def test_an_unpublished_call_is_not_opened_by_a_published_template(self, gate: Gate) -> None:
        assert gate.status("/v1/items/export") == 404
        assert gate.status("/v1/items/exported") == 200

    def test_a_path_as_long_as_nginx_takes_is_matched_and_a_longer_one_is_refused(self, gate: Gate) -> None:
        assert gate.status("/v1/items/" + "%E6%96%87" * 850) == 200
        assert gate.status("/v1/items/" + "%E6%96%87" * 1000) == 414

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.lists(
            st.sampled_from(["v1", "items", "files", "a.b", "rest", "v2", "x", "latest.j", "odata", "items(1)", "admin"])
            | st.text("abv1.%2eE6967/;~()", min_size=0, max_size=8)
            | st.text(min_size=1, max_size=3).map(lambda t: "".join(f"%{b:02x}" for b in t.encode("utf-8", "replace"))),
            max_size=5,
        )
    )
    def test_the_gateway_and_a_reference_agree_on_any_path(self, gate: Gate, parts: list[str]) -> None:
        target = "/" + "/".join(parts)
        listed = [o.full_path for o in OPERATIONS if o.method == "GET"]
        status = gate.status(target)
        if status == 200:
            assert any(means(template, target) for template in listed)
        elif status == 404:
            assert not any(means(template, target) for template in listed)
        else:
            assert status == 400
            assert not canonical(target)


class TestRequest:
    def test_the_target_arrives_byte_for_byte(self, gate: Gate) -> None:
        for target in (
            "/v1/items/a%20b%7E?x=%2e%2e/&y=a+b&&z=%zz&'\"<>[]{}|`^=\\;%25",
            "/v1/items?",
            "/v1/items??a?b",
            "/%e5%9b%BE%E4%b9%a6/%E7%9B%AE%20%e5%bd%95?%e5=1",
        ):
            assert gate.status(target) == 200
            assert gate.echo.targets[-1] == target

    def test_the_host_is_fixed_and_what_tells_about_the_caller_is_gone(self, gate: Gate) -> None:
        told = {
            "Cookie": "a=1",
            "Origin": "https://evil.example",
            "Referer": "https://evil.example/",
            "Forwarded": "for=1.2.3.4",
            "X-Forwarded-For": "1.2.3.4",
            "X-Forwarded-Host": "evil",
            "X-Real-IP": "1.2.3.4",
            "CF-Connecting-IP": "1.2.3.4",
            "X-HTTP-Method-Override": "DELETE",
            "X-Original-URL": "/admin",
            "X-Rewrite-URL": "/admin",
            "Proxy": "http://evil",
            "X-Request-Id": "mine",
            "X-Accel-Mapping": "/a=/b",
        }
        gate.call("/v1/items", {**gate.key(), **told, "Accept": "text/csv"})
        head = gate.echo.heads[-1].decode().lower()
        for name, value in told.items():
            assert f"{name}: {value}".lower() not in head
        assert "\r\nhost: app.internal\r\n" in head
        assert "\r\naccept: text/csv\r\n" in head
        assert "exp_" not in head
        assert head.count("x-request-id") == 1

    def test_a_host_inside_the_target_changes_nothing(self, gate: Gate) -> None:
        assert gate.status("http://evil.example/v1/items?a=1") == 200
        assert gate.echo.targets[-1] == "/v1/items?a=1"
        assert b"evil" not in gate.echo.heads[-1]

    def test_head_counts_as_get(self, gate: Gate) -> None:
        assert gate.call("/v1/items", method="HEAD").status == 200
        assert gate.echo.heads[-1].startswith(b"HEAD /v1/items ")
        assert gate.call("/v1/items/export", method="HEAD").status == 404

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "PROPFIND"])
    def test_a_method_that_is_not_published_is_not_found(self, gate: Gate, method: str) -> None:
        assert gate.call("/v1/items", method=method).status == 404

    @pytest.mark.parametrize("method", ["TRACE", "CONNECT", "get"])
    def test_odd_methods_are_refused(self, gate: Gate, method: str) -> None:
        assert gate.status("/v1/items", method=method) in (400, 405)

    def test_an_upgrade_is_refused(self, gate: Gate) -> None:
        for upgrade in ("websocket", "h2c", "/v1/items?"):
            assert gate.status("/v1/items", f"Upgrade: {upgrade}") == 400
        assert gate.status("/admin", "Upgrade: /v1/items") == 400

    def test_a_body_arrives_whole_and_one_over_the_limit_is_refused(self, gate: Gate) -> None:
        body = os.urandom(900_000)
        assert gate.call("/v1/items", method="POST", body=body).status == 200
        assert gate.echo.bodies[-1] == body
        assert gate.call("/v1/items", method="POST", body=b"x" * 1_000_001).status == 413
        chunked = gate.head("/v1/items", "Transfer-Encoding: chunked", method="POST")
        assert b" 413 " in gate.raw(chunked + b"f4241\r\n" + b"x" * 1_000_001 + b"\r\n0\r\n\r\n").split(b"\r\n")[0]
        login = basic(f"alice:{gate.keys['alice']}")
        assert gate.call("/v1/items", login, method="POST", body=b"x" * 1_000_001).status == 413

    def test_a_caller_without_a_key_does_not_learn_the_limit(self, gate: Gate) -> None:
        assert gate.refusal("/v1/items", {}, "POST", b"x" * 1_000_001).status == 401

    def test_smuggling_is_refused(self, gate: Gate) -> None:
        before = gate.echo.served
        for fields in (
            ("Content-Length: 5", "Transfer-Encoding: chunked"),
            ("Content-Length: 5", "Content-Length: 6"),
            ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
            ("Transfer-Encoding: xchunked",),
            ("Content-Length: +5",),
        ):
            answer = gate.raw(gate.head("/v1/items", *fields, method="POST") + b"0\r\n\r\n")
            assert answer.split(b" ")[1] in (b"400", b"501"), fields
        assert gate.echo.served == before


class TestAnswer:
    def test_what_the_backend_says_is_left_as_it_is(self, gate: Gate) -> None:
        teapot = gate.call("/v1/items/teapot")
        assert (teapot.status, teapot.headers["Content-Type"], teapot.body) == (418, "text/x-odd", b"short and stout")
        denied = gate.call("/v1/items/denied")
        assert (denied.status, denied.body) == (401, b"the backend's own words")
        assert denied.headers["WWW-Authenticate"] == 'Backend realm="x"'

    def test_the_backend_can_neither_steer_the_gateway_nor_tell_what_it_is(self, gate: Gate) -> None:
        answer = gate.call("/v1/items/leaky")
        assert (answer.status, answer.body) == (200, b"whole")
        assert answer.headers["X-Kept"] == "yes"
        text = str(answer.headers).lower()
        assert not any(word in text for word in ("secret/1.2", "php", "sid=1", "x-accel", "set-cookie"))

    def test_ten_megabytes_arrive_unchanged(self, gate: Gate) -> None:
        answer = gate.call("/v1/items/large")
        assert len(answer.body) == len(LARGE)
        assert hashlib.sha256(answer.body).hexdigest() == answer.headers["ETag"]

    def test_events_arrive_one_by_one(self, gate: Gate) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=10)
        connection.request("GET", "/v1/items/events", headers=gate.key())
        response = connection.getresponse()
        for number in range(3):
            assert response.readline() == b"data: %d\n" % number  # the backend waits until we have seen it
            response.readline()
            gate.echo.gate.set()
        assert response.read() == b""
        connection.close()

    def test_refusals_are_small_problem_documents(self, gate: Gate) -> None:
        wanted = {
            404: gate.call("/nothing"),
            400: gate.call("/v1//items"),
            401: gate.refusal("/v1/items", {}),
            413: gate.call("/v1/items", method="POST", body=b"x" * 1_000_001),
            414: gate.call("/" + "a" * 9000),
        }
        for status, answer in wanted.items():
            problem = json.loads(answer.body)
            assert (answer.status, problem["status"], problem["type"]) == (status, status, "about:blank")
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert len(problem["request_id"]) > 10
            assert "nginx/" not in str(answer.headers)
        challenges = " ".join(wanted[401].headers.get_all("WWW-Authenticate", []))
        assert all(challenges.count(word) == 1 for word in ("Basic", "Bearer", "ApiKey"))

    def test_malformed_http_gets_the_same_kind_of_answer(self, gate: Gate) -> None:
        for data in (
            b"GET /v1/items HTTP/1.1\r\n\r\n",
            b"nonsense\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            b"GET /v1/items HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        ):
            answer = gate.raw(data)
            assert answer.split(b" ")[1] == b"400", answer
            assert b"application/problem+json" in answer

    def test_no_request_can_name_the_places_of_refusals(self, gate: Gate) -> None:
        for target in ("/./refused/400", "/%2e/refused/400", "/refused/400", "/@refused_404", "/x/.././refused/400"):
            assert gate.status(target) in (400, 404)
            assert gate.raw(f"GET {target} HTTP/1.0\r\n\r\n".encode()).split(b" ")[1] in (b"400", b"401", b"429")

    def test_the_probe_answers_without_a_key_and_leaves_no_line_in_the_log(self, gate: Gate) -> None:
        answer = gate.call(f"/.exposer/{PROBE}", {})
        assert (answer.status, answer.body.decode()) == (200, ANSWER)
        assert answer.headers["Content-Type"] == "text/plain"
        assert gate.refusal("/.exposer/" + "6" * 40, {}).status == 401

    def test_a_backend_that_is_gone_is_a_502(self, fresh: Gate) -> None:
        fresh.start()
        fresh.echo.close()
        answer = fresh.call("/v1/items")
        assert (answer.status, json.loads(answer.body)["status"]) == (502, 502)

    def test_a_backend_that_says_nothing_is_a_504(self, fresh: Gate) -> None:
        fresh.changes["limits"] = Limits(timeout=0.3)
        fresh.part = fresh.make()
        fresh.start()
        assert fresh.call("/v1/items/silent").status == 504


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
        assert (lines[0]["key"], lines[0]["status"]) == (fresh.key_id("bob"), 401)

    def test_bad_callers_are_slowed_down_and_good_ones_are_not(self, fresh: Gate) -> None:
        fresh.start()
        answers = [fresh.call("/v1/items", {"X-API-Key": "wrong"}) for _ in range(40)]
        refused = [answer for answer in answers if answer.status == 429]
        assert len(refused) >= 20
        assert refused[0].headers["Retry-After"] == "1"
        assert all(fresh.call("/v1/items").status == 200 for _ in range(20))

    def test_each_key_has_its_own_quota_however_it_is_shown(self, fresh: Gate) -> None:
        fresh.changes["limits"] = Limits(rate=Rate(6, 60))
        fresh.part = fresh.make()
        fresh.start()
        key = fresh.keys["alice"]
        ways = [fresh.key(), {"Authorization": f"Bearer {key}"}, basic(key), basic(f"alice:{key}")]
        for _ in range(3):  # a wrong secret must not spend it
            fresh.call("/v1/items", {"X-API-Key": key[:-8] + "00000000"})
        got = [fresh.call("/v1/items", ways[n % 4]) for n in range(12)]
        assert [answer.status for answer in got].count(200) == 6
        assert got[-1].status == 429
        assert got[-1].headers["Retry-After"] == "10"
        assert fresh.call("/v1/items", fresh.key("bob")).status == 200


class TestSecrets:
    def test_the_backends_secret_is_added_and_is_in_no_argument_list_and_no_open_file(self, fresh: Gate) -> None:
        secret = 'Bearer s3cr3t-"$dollar"-\\x-{{ jinja }}'
        fresh.changes["upstream_auth"] = secret_header(secret)
        fresh.part = fresh.make()
        fresh.start()
        assert fresh.call("/v1/items", {"X-API-Key": fresh.keys["alice"]}).status == 200
        assert f"Authorization: {secret}\r\n".encode() in fresh.echo.heads[-1]
        assert fresh.entry is not None
        assert fresh.entry.process is not None
        assert b"s3cr3t" not in Path(f"/proc/{fresh.entry.process.pid}/cmdline").read_bytes()
        for path in fresh.folder.rglob("*"):
            assert path.stat().st_mode & 0o007 == 0, path
            if path.is_file() and b"s3cr3t" in path.read_bytes():
                assert path.stat().st_mode & 0o077 == 0, path

    def test_the_log_tells_who_called_what_and_nothing_else(self, fresh: Gate) -> None:
        fresh.start()
        fresh.call("/v1/items/private-7?secret=query")
        fresh.refusal(f"/v1/items?k={fresh.keys['bob']}", {})
        lines = eventually(lambda: (found := log(fresh)) and len(found) >= 2 and found)
        assert lines[0] | {"time": 0, "duration": 0, "request": ""} == {
            "time": 0,
            "key": fresh.key_id("alice"),
            "operation": "GET /v1/items/{id}",
            "method": "GET",
            "status": 200,
            "bytes": 12,
            "duration": 0,
            "request": "",
            "address": "127.0.0.1",
        }
        text = "".join((fresh.folder / name).read_text() for name in ("access.log", "error.log"))
        assert not any(word in text for word in ("private-7", "query", "exp_"))

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root has workers of another user")
    def test_the_workers_of_root_are_not_root(self, gate: Gate) -> None:
        assert gate.entry is not None
        assert gate.entry.process is not None
        workers = gate.part._runner.workers(gate.entry.process)
        assert len(workers) == 2
        for worker in workers:
            assert Path(f"/proc/{worker.pid}").stat().st_uid != 0
        assert gate.call("/v1/items").status == 200
        assert gate.folder.stat().st_mode & 0o777 == 0o710


def log(gate: Gate) -> list[dict[str, object]]:
    return [json.loads(line) for line in (gate.folder / "access.log").read_bytes().splitlines()]


def test_a_busy_connection_serves_many_calls(gate: Gate) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=10)
    for _ in range(50):
        assert ask(connection, "/v1/items", gate.key()).status == 200
    connection.close()


def test_many_operations_are_told_apart(fresh: Gate) -> None:
    many = [op("GET", f"/many{n}/{{id}}") for n in range(120)] + [op("GET", "/many7/fixed"), op("HEAD", "/only-head")]
    fresh.changes["operations"] = many
    fresh.part = fresh.make()
    fresh.start()
    for target, status in (("/many0/a", 200), ("/many119/a", 200), ("/many7/fixed", 200), ("/many120/a", 404)):
        assert fresh.call(target).status == status
    assert fresh.call("/only-head", method="HEAD").status == 200
    assert fresh.call("/many3/a", method="HEAD").status == 200
    assert fresh.call("/only-head").status == 404
    eventually(lambda: any(line["operation"] == "GET /many7/fixed" for line in log(fresh)))
