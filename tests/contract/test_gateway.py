"""What the real gateway lets through, and what reaches the backend."""

import http.client
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exposer.gateway.host import find_nginx
from exposer.gateway.paths import canonical
from tests.support.eventually import eventually
from tests.support.gateway import HIDDEN, OPERATIONS, Gate, ask, basic, log, op
from tests.support.readings import means, readings

pytestmark = [pytest.mark.nginx, pytest.mark.skipif(not find_nginx(), reason="nginx is not installed")]

ATTACKS = """
/v1/items/../../admin /v1/items/..%2f..%2fadmin /v1/items/..%2F..%2Fadmin
/v1/items/%2e%2e/%2e%2e/admin /v1/items/.%2e/%2e./admin /v1/items/..;/..;/admin
/v1/items;/../../admin /v1/items/..%3b/..%3b/admin /v1/items;x=1 /v1/items/7;jsessionid=1
/v1/items\\..\\..\\admin /v1/items/..\\..\\admin /v1/items%5c..%5c..%5cadmin
/v1/items/..%5c..%5cadmin /admin/../v1/items /admin%2f..%2fv1%2fitems /admin/..%2fv1/items
/admin;/../v1/items /admin/%2e%2e/v1/items //admin //v1/items /v1//items /v1/items//
/v1/items//../admin /./v1/items /v1/./items /v1/items/. /v1/items/.. /v1/items/... /%76%31/items
/v1/%69tems /v1/items/%252e%252e/%252e%252e/admin /v1/items/%252fadmin /v1/items%2f7 /v1/items%0a
/v1/items%0d%0a /v1/items/7%00 /v1/items/7%00.json /v1/items%20 /v1/items/%20
/v1/items/..%20/..%20/admin /v1/items%3fx /v1/items/7%3f/../../admin /v1/items%23
/v1/items/7%23/../../admin /V1/ITEMS /v1/itemsadmin /7/secret /v1/items/7/secret
/v1/items/%c0%ae%c0%ae/admin /v1/items/..%c0%af..%c0%afadmin /v1/items/%ef%bc%8e%ef%bc%8e/admin
/v1/items/%e2%80%a5/admin /v1/items/%ef%bc%8fadmin /v1/items/\xff /v1/items/%zz /v1/items/%u002e
/api../admin /admin /v1/items/export /v1/items/EXPORT /v1/items/%65xport /v1/items/export/
""".split()  # noqa: SIM905


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

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(
            st.sampled_from(
                ["v1", "items", "files", "a.b", "rest", "v2", "x", "latest.j", "odata", "items(1)", "admin"]
            )
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


def test_a_busy_connection_serves_many_calls(gate: Gate) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=40)
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


@settings(max_examples=8, deadline=None)
@given(st.lists(st.text("a/{}%2;\"'\\$#\n ()é文", max_size=12) | st.text(max_size=6), min_size=5, max_size=25))
def test_hostile_templates_load_and_open_just_themselves(paths: list[str]) -> None:
    with tempfile.TemporaryDirectory() as root:
        gate = Gate(Path(root), operations=[op("GET", "/" + path) for path in paths], hidden=[])
        try:
            gate.start()
            for route in gate.part.policy.routes:
                assert gate.status(route.sample) == 200, route
            open_to_it = any(means("/" + "/".join(r.pattern.segments), "/zzz") for r in gate.part.policy.routes)
            assert gate.status("/zzz") == (200 if open_to_it else 404)
        finally:
            gate.close()
