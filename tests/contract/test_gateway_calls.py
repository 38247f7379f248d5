"""What the real gateway makes of single operations: wide parameters, declared queries, added headers, redirects."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from exposer.gateway.host import find_nginx
from exposer.gateway.pointers import NOWHERE
from exposer.openapi.model import Operation
from tests.support.eventually import eventually
from tests.support.gateway import Gate, log, op, secret_header

pytestmark = [pytest.mark.nginx, pytest.mark.skipif(not find_nginx(), reason="nginx is not installed")]

OPERATIONS = (
    op("GET", "/items/{id}"),
    op("GET", "/jump"),
    replace(op("GET", "/files/{+path}"), wide=("+path",)),
    replace(op("GET", "/search"), query=("q", "a b", "filter[*]", "ids[]")),
    replace(op("GET", "/quiet"), query=()),
    Operation("Twin", "GET", "/twin", "/twin", query=("x",)),
    Operation("twin", "GET", "/TWIN", "/TWIN", query=("y",)),
)
HIDDEN = (op("GET", "/files/secret/{id}"), op("GET", "/files/admin"))
CONSTANT = 'tr$ue "x"; }\\'
INJECT = {"GET /items/{id}": {"OCS-APIRequest": CONSTANT, "Accept": "application/json"}, "Twin": {"X_Odd": "1"}}


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    gate = Gate(
        tmp_path_factory.mktemp("gate"),
        operations=OPERATIONS,
        hidden=HIDDEN,
        inject=INJECT,
        own_hosts=("demo.example.org",),
        upstream_auth=secret_header("Bearer s3cr3t"),
    )
    try:
        yield gate.start()
    finally:
        gate.close()


class TestWide:
    @pytest.mark.parametrize(
        "target", ["/files/a", "/files/a/b.c", "/files/a/", "/files/a%2Fb", "/files/a%252fb%2F", "/files/secret"]
    )
    def test_slashes_go_on_as_they_came(self, gate: Gate, target: str) -> None:
        assert gate.status(target) == 200
        assert gate.echo.targets[-1] == target

    @pytest.mark.parametrize(
        ("target", "status"),
        [
            ("/files/", 404),
            ("/files", 404),
            ("/files/secret/7", 404),
            ("/files/secret%2f7", 404),
            ("/files/SECRET%252F7", 404),
            ("/files/secret/7%2F", 404),
            ("/files/admin/", 404),
            ("/items/a%2Fb", 404),
            ("/files%2Fa", 404),
            ("/files/..%2Fitems", 400),
            ("/files/a%2F..%2Fb", 400),
            ("/files/a%252F%252e%252e/b", 400),
            ("/files/%2Fa", 400),
            ("/files/a%2F%2Fb", 400),
            ("/files/a%25252Fb", 400),
        ],
    )
    def test_they_open_nothing_else(self, gate: Gate, target: str, status: int) -> None:
        assert gate.status(target) == status


class TestQuery:
    @pytest.mark.parametrize(
        "target",
        ["/search", "/search?", "/search?q", "/search?q=1&q=2&&a+b=1&filter[x]=2&ids%5B%5D=3", "/quiet", "/twin?x=1"],
    )
    def test_declared_parameters_pass(self, gate: Gate, target: str) -> None:
        assert gate.status(target) == 200
        assert gate.echo.targets[-1] == target

    @pytest.mark.parametrize(
        "target",
        ["/search?z=1", "/search?q=1;z=1", "/search?%71=1", "/search?Q=1", "/quiet?q=1", "/twin?y=1", "/TWIN?x=1"],
    )
    def test_others_are_refused(self, gate: Gate, target: str) -> None:
        before = gate.echo.served
        answer = gate.call(target)
        assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
        assert gate.echo.served == before

    def test_a_caller_without_a_key_does_not_learn_what_is_declared(self, gate: Gate) -> None:
        assert gate.refusal("/search?z=1", {}).status == 401

    def test_where_nobody_is_strict_any_query_passes(self, gate: Gate) -> None:
        assert gate.status("/items/7?z=1") == 200


class TestHeaders:
    def test_a_constant_header_is_added_and_no_caller_overrules_it(self, gate: Gate) -> None:
        gate.status("/items/7", "OCS-APIRequest: mine", "ocs-apirequest: again", "Accept: text/html")
        lines = gate.echo.heads[-1].decode().split("\r\n")
        assert [line for line in lines if line.lower().startswith("ocs-")] == [f"OCS-APIRequest: {CONSTANT}"]
        assert [line for line in lines if line.lower().startswith("accept:")] == ["Accept: application/json"]

    def test_elsewhere_a_header_of_that_name_is_the_callers_own(self, gate: Gate) -> None:
        gate.status("/jump", "OCS-APIRequest: mine", "Accept: text/html")
        assert b"OCS-APIRequest: mine\r\n" in gate.echo.heads[-1]
        assert b"Accept: text/html\r\n" in gate.echo.heads[-1]
        gate.status("/jump")
        assert b"ocs-apirequest" not in gate.echo.heads[-1].lower()

    def test_a_name_with_an_underscore_is_added_too_and_only_where_it_belongs(self, gate: Gate) -> None:
        gate.status("/twin")
        assert b"X_Odd: 1\r\n" in gate.echo.heads[-1]
        gate.status("/TWIN", "X_Odd: mine")
        assert b"x_odd" not in gate.echo.heads[-1].lower()

    def test_the_backends_own_key_stays_beside_them(self, gate: Gate) -> None:
        gate.status("/items/7", "Authorization: mine")
        assert gate.echo.heads[-1].count(b"Authorization:") == 1
        assert b"Authorization: Bearer s3cr3t\r\n" in gate.echo.heads[-1]


class TestPointers:
    def shown(self, gate: Gate, field: str) -> list[str]:
        """What a caller gets of a header that the backend sends with a redirect."""
        answer = gate.call(f"/jump?say={quote(field.encode(), safe='')}")
        assert (answer.status, answer.body) == (302, b"<a href=...>")
        return answer.headers.get_all(field.partition(":")[0], [])

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ("{backend}/x?y=1#z", "/x?y=1#z"),
            ("{backend}", "/"),
            ("{backend}?a", "/?a"),
            ("//app.internal/x", "/x"),
            ("HTTPS://APP.internal:443/x", "/x"),
            ("https://demo.example.org/api/x", "/api/x"),
            ("/x", "/x"),
            ("x/../y", "x/../y"),
            ("/a b/é", "/a b/é"),
            ("https://accounts.example.com/o?x=1", "https://accounts.example.com/o?x=1"),
        ],
    )
    def test_a_redirect_leads_back_through_the_gateway_or_to_a_public_place(
        self, gate: Gate, value: str, shown: str
    ) -> None:
        value = value.format(backend=gate.echo.url)
        found = self.shown(gate, f"Location: {value}")
        assert [each.encode("latin-1").decode() for each in found] == [shown]

    @pytest.mark.parametrize(
        "value",
        [
            "http://10.0.0.8/x",
            "http://minio:9000/x",
            "http://db.svc/x",
            "http://127.0.0.1:1/x",
            "http://user:pw@app.internal/x",
            "{backend}//evil.example.com",
            "/\\evil.example.com",
            "ftp://example.com/x",
        ],
    )
    def test_an_address_of_the_inside_does_not_get_out(self, gate: Gate, value: str) -> None:
        value = value.format(backend=gate.echo.url)
        assert self.shown(gate, f"Location: {value}") == [NOWHERE]
        assert gate.call(NOWHERE).status == 404
        assert self.shown(gate, f"Link: <{value}>; rel=next") == []

    def test_what_nobody_follows_goes_whatever_it_says(self, gate: Gate) -> None:
        assert self.shown(gate, "Refresh: 5; url=/x") == self.shown(gate, "Content-Location: /x") == []

    def test_links_follow(self, gate: Gate) -> None:
        at = gate.echo.url
        links = f'<{at}/x?page=2>; rel="next", <https://docs.example.com/>; rel=help, <y>; rel="last"'
        assert self.shown(gate, f"Link: {links}") == [links.replace(at, "")]
        many = [f"<{at}/x?page={page}>; rel=p{page}" for page in range(6)]
        assert self.shown(gate, "Link: " + ", ".join(many)) == [", ".join(many).replace(at, "")]
        assert self.shown(gate, "Link: " + ", ".join([*many, *many])) == []

    def test_a_backend_has_no_second_say(self, gate: Gate) -> None:
        field = f"Location: {gate.echo.url}/x\r\nLocation: http://10.0.0.8/x"
        assert self.shown(gate, field)[:1] == ["/x"]
        assert "10.0.0.8" not in str(self.shown(gate, field))

    def test_refusals_point_nowhere(self, gate: Gate) -> None:
        assert "Location" not in gate.call("/nothing").headers


def test_an_operation_in_a_chunk_that_steps_back_is_found_behind_it(tmp_path: Path) -> None:
    """`/a/{x}` steps back from what may mean the hidden call, and `/{y}/latest.webp` is preferred to that anywhere."""
    many = tuple(op("GET", f"/many{n}/{{id}}") for n in range(40))
    gate = Gate(
        tmp_path,
        operations=(*many, op("GET", "/a/{x}"), op("GET", "/{y}/latest.webp")),
        hidden=[op("GET", "/{y}/latest.{ext}")],
    )
    try:
        gate.start()
        assert gate.call("/a/latest.webp").status == 200
        assert gate.call("/a/latest.png").status == 404
        assert gate.call("/a/b").status == 200
        assert gate.call("/many39/latest.webp").status == 200
        eventually(lambda: [line["operation"] for line in log(gate)].count("GET /{y}/latest.webp") == 2)
    finally:
        gate.close()
