"""Answers that the client would refuse for their size, at the real gateway."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exposer import wire
from exposer.config.model import Limits, Rate
from exposer.gateway.host import HostNginx, find_nginx, scripting
from tests.support.echo import LARGE
from tests.support.eventually import eventually
from tests.support.gateway import Gate, basic, log, secret_header

pytestmark = [pytest.mark.nginx, pytest.mark.skipif(not find_nginx(), reason="nginx is not installed")]
LARGE_ONES = {"GET /v1/items/{id}": ("limit", "$skip", 'bad"name'), "POST /v1/items": ()}
SMALL = b'{"ok": true}'


class WithoutModules(HostNginx):
    """nginx as many have it."""

    def scripting(self) -> str:
        return ""


@pytest.fixture
def make_gate(tmp_path: Path) -> Iterator[Callable[..., Gate]]:
    gates: list[Gate] = []

    def maker(limit: int, **changes: object) -> Gate:
        gates.append(Gate(tmp_path, **({"response": limit, "large": LARGE_ONES} | changes)))
        return gates[-1].start()

    yield maker
    for gate in gates:
        gate.close()


class TestSizes:
    def test_too_large_an_answer_is_replaced_by_a_word_on_how_to_ask_for_less(
        self, make_gate: Callable[..., Gate]
    ) -> None:
        gate = make_gate(100_000)
        answer = gate.call("/v1/items/large?limit=9")
        assert (answer.status, answer.headers["Content-Type"]) == (413, "application/problem+json")
        said = json.loads(answer.body)
        assert f"{len(LARGE)} bytes" in said["detail"]
        assert "less than 100,000" in said["detail"]
        assert said["detail"].endswith("use the parameters limit and $skip.")
        assert said["request_id"]
        assert answer.headers["ETag"] is None
        assert len(answer.body) < 500
        (line, *_) = eventually(lambda: log(gate))
        assert (line["status"], line["operation"]) == (413, "GET /v1/items/{id}")
        assert line["bytes"] == len(answer.body)

    def test_where_no_parameter_is_declared_it_is_said_in_general(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate(len(SMALL))
        said = json.loads(gate.call("/v1/items", method="POST", body=b"{}").body)
        assert "a single item" in said["detail"]

    @pytest.mark.parametrize(("limit", "status"), [(12, 413), (13, 200), (100, 200), (9, 413), (1, 413), (20, 200)])
    def test_it_is_so_from_the_limit_on_and_not_below(
        self, make_gate: Callable[..., Gate], limit: int, status: int
    ) -> None:
        gate = make_gate(limit)
        assert gate.call("/v1/items/7").status == status

    def test_the_answer_is_the_same_as_without_the_detour(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate(
            100_000_000, upstream_auth=secret_header("Bearer secret"), inject={"GET /v1/items/{id}": {"X_Odd": "1"}}
        )
        sent = {**gate.key(), "X-Own": "mine", "X-Forwarded-For": "1.2.3.4", "Accept": "a/b", "X-Exposer-Detour": "?"}
        assert gate.call("/v1/items/large", sent).body == LARGE
        head = gate.echo.heads[-1].lower()
        for line in (
            b"authorization: bearer secret",
            b"x-own: mine",
            b"host: app.internal",
            b"accept: a/b",
            b"x_odd: 1",
        ):
            assert head.count(line + b"\r\n") == 1, line
        for name in (b"detour", b"x-forwarded", b"x-api-key", b"connection: close"):
            assert name not in head
        assert b"x-request-id: " in head
        for word in ("teapot", "denied"):
            answer = gate.call(f"/v1/items/{word}")
            assert answer.status == {"teapot": 418, "denied": 401}[word]
        leaky = gate.call("/v1/items/leaky")
        assert (leaky.status, leaky.body) == (200, b"whole")
        assert {"X-Powered-By", "Set-Cookie", "X-Accel-Redirect"}.isdisjoint(leaky.headers)
        assert leaky.headers["X-Kept"] == "yes"
        assert gate.call("/v1/items/a%20b?x=%2F&y").status == 200
        assert gate.echo.targets[-1] == "/v1/items/a%20b?x=%2F&y"
        assert gate.call("/v1/items", method="POST", body=b"x" * 70_000).status == 200
        assert gate.echo.bodies[-1] == b"x" * 70_000

    def test_a_compressed_answer_cannot_hide_its_size(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate(100_000)
        gate.call("/v1/items/7", {**gate.key(), "Accept-Encoding": "gzip"})
        assert b"accept-encoding" not in gate.echo.heads[-1].lower()

    def test_head_and_operations_with_small_answers_are_left_alone(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate(5)
        assert gate.call("/v1/items/7", method="HEAD").status == 200
        assert gate.call("/v1/items").status == 200

    def test_a_stream_that_does_not_tell_its_size_goes_out_piece_by_piece(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate(100_000)
        connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=40)
        connection.request("GET", "/v1/items/events", headers=gate.key())
        response = connection.getresponse()
        assert response.status == 200
        for number in range(3):
            assert response.readline() == f"data: {number}\n".encode()
            assert response.readline() == b"\n"
            gate.echo.gate.set()
        connection.close()

    @pytest.mark.skipif(not scripting(find_nginx()), reason="this nginx has no module for JavaScript")
    @pytest.mark.parametrize(
        ("limit", "size"), [(1, 0), (1000, 1000), (1001, 1000), (65_000, 65_000), (200_000, 120_000)]
    )
    def test_an_answer_that_does_not_tell_its_size_is_cut_and_counted(
        self, make_gate: Callable[..., Gate], limit: int, size: int
    ) -> None:
        gate = make_gate(limit)
        answer = gate.call("/v1/items/untold")
        assert answer.status == 200
        assert answer.body == ("é" * 60_000).encode()[:size]
        (line, *_) = eventually(lambda: log(gate))
        assert line["bytes"] >= len(answer.body)
        assert gate.call("/v1/items/untold").body == answer.body

    def test_without_the_module_it_goes_out_whole_and_is_counted(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate(1000, runner=WithoutModules())
        assert len(gate.call("/v1/items/untold").body) == 120_000
        (line, *_) = eventually(lambda: log(gate))
        assert line["bytes"] >= 120_000

    def test_a_backend_that_is_gone_or_silent_is_told_as_ever(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate(100_000, limits=Limits(rate=Rate(1000, 1), timeout=0.4))
        silent = gate.call("/v1/items/silent")
        assert (silent.status, silent.headers["Content-Type"]) == (504, "application/problem+json")
        gate.reload(upstream="http://127.0.0.1:1")
        gone = gate.call("/v1/items/7")
        assert (gone.status, gone.headers["Content-Type"]) == (502, "application/problem+json")

    def test_keys_limits_and_a_reload_hold_on_the_way_round(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate(100, limits=Limits(rate=Rate(4, 60)))
        key = gate.keys["bob"]
        assert gate.refusal("/v1/items/7", {}).status == 401
        ways = (gate.key("bob"), {"Authorization": f"Bearer {key}"}, basic(key), basic(f"bob:{key}"))
        begun = time.monotonic()
        assert [gate.call("/v1/items/7", way).status for way in ways] == [200] * 4
        late = gate.call("/v1/items/7", gate.key("bob")).status
        assert late == 429 or time.monotonic() - begun > 15  # by then it may call again
        (gate.folder / "live").rename(gate.folder / "draining")
        answer = gate.call("/v1/items/7")
        assert (answer.status, answer.headers["Connection"]) == (200, "close")
        (gate.folder / "draining").rename(gate.folder / "live")
        gate.reload(response=5)
        assert gate.call("/v1/items/7").status == 413
        gate.reload(response=0)
        assert gate.call("/v1/items/7").status == 200

    def test_the_second_step_answers_nobody_but_the_first(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate(100)
        before = gate.echo.served
        for headers in ({}, gate.key(), {"X-Exposer-Detour": ""}, {"X-Exposer-Detour": "0" * 64}):
            with pytest.raises(wire.NoAnswerError):
                wire.request(f"unix:{gate.folder / 'detour.sock'}", "/v1/items/7", headers=headers)
        assert gate.echo.served == before
        assert (gate.folder / "nginx.conf").stat().st_mode & 0o077 == 0
