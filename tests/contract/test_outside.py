"""The look from outside, at a real gateway and at what may stand in its place."""

import http.client
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from exposer.gateway.host import find_nginx
from exposer.gateway.outside import check
from exposer.gateway.selftest import SelfTest
from exposer.keys.ring import new_ring
from exposer.state.facts import Checked
from exposer.tunnels.edges import diagnose
from tests.support.edge import Edge
from tests.support.eventually import eventually
from tests.support.gateway import ANSWER, PROBE, Gate, log, make_policy
from tests.support.ports import free_port

pytestmark = [pytest.mark.nginx, pytest.mark.skipif(not find_nginx(), reason="nginx is not installed")]


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    gate = Gate(tmp_path_factory.mktemp("outside")).start()
    yield gate
    gate.close()


def look(url: str, probe: str = PROBE, *, whole: bool = True) -> Checked:
    test = SelfTest(Path("nowhere"), make_policy(new_ring(), "http://127.0.0.1:1", probe=probe))
    return check(url, test, diagnose, whole=whole)


@contextmanager
def stranger(status: int, headers: dict[str, str], body: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_our_gateway_is_known_and_seen_to_refuse(gate: Gate) -> None:
    assert look(f"http://127.0.0.1:{gate.port}") == Checked(f"http://127.0.0.1:{gate.port}", True, True)


def test_the_answer_repeats_the_number_that_was_drawn_for_it_and_nothing_else(gate: Gate) -> None:
    number = "0123456789abcdef" * 2
    for query, said in (
        ("", ANSWER),
        (f"?nonce={number}", f"{ANSWER} {number}"),
        (f"?nonce={number}0", ANSWER),
        ("?nonce=<script>", ANSWER),
        (f"?nonce={number}%0d%0aX", ANSWER),
    ):
        reply = gate.call(f"/.exposer/{PROBE}{query}", {})
        assert (reply.status, reply.body.decode()) == (200, said)
        assert re.match("text/plain", reply.headers["Content-Type"])
        assert reply.headers["Cache-Control"] == "no-store"


def test_a_cache_that_repeats_an_old_answer_is_not_taken_for_the_gateway(gate: Gate) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=10)
    connection.request("GET", f"/.exposer/{PROBE}?nonce={'ab' * 16}")
    old = connection.getresponse().read()
    connection.close()
    with stranger(200, {"Content-Type": "text/plain"}, old) as url:
        found = look(url)
    assert (found.reachable, found.hop) == (False, "edge")
    assert "a cache is in the way" in found.why


def test_another_gateway_of_ours_is_not_taken_for_this_one(gate: Gate) -> None:
    found = look(f"http://127.0.0.1:{gate.port}", probe="6" * 40)
    assert (found.reachable, found.refuses, found.hop) == (False, None, "edge")
    assert "leads to another gateway" in found.why


def test_a_page_an_error_of_the_edge_and_nobody_at_all_are_told_apart() -> None:
    with stranger(200, {"Content-Type": "text/html"}, b"<html>Sign in to the hotel") as url:
        found = look(url)
        assert (found.reachable, found.hop, "a page answers" in found.why) == (False, "edge", True)
    with stranger(530, {"CF-RAY": "1"}, b"error code: 1033") as url:
        assert (look(url).hop, "1033" in look(url).why) == ("agent", True)
    found = look(f"http://127.0.0.1:{free_port()}")
    assert (found.reachable, found.resolvable, found.hop) == (False, False, "edge")


def test_whoever_answers_everything_is_no_gateway(tmp_path: Path) -> None:
    with stranger(200, {"Content-Type": "text/plain"}, ANSWER.encode() + b" " + b"0" * 32) as url:
        assert not look(url).reachable


def asked(gate: Gate, edge: Edge, **how: bool) -> Checked:
    return check(edge.url, gate.part.test, diagnose, **how)


@pytest.fixture
def edge(gate: Gate) -> Iterator[Edge]:
    made = Edge(gate.port)
    yield made
    made.close()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """One that knows of a call that does no harm."""
    gate = Gate(tmp_path_factory.mktemp("own"))
    gate.reads = ("/v1/items",)
    gate.part = gate.make()
    yield gate.start()
    gate.close()


def test_through_an_edge_that_changes_nothing_all_is_refused_and_a_key_lets_in(own: Gate) -> None:
    edge, served = Edge(own.port), own.echo.served
    assert asked(own, edge, whole=True) == Checked(edge.url, True, True)
    assert own.echo.served == served + 1
    assert asked(own, edge, waits=True).reachable
    edge.close()


def test_an_edge_that_adds_a_key_is_found_at_any_look_and_the_call_is_named(gate: Gate, edge: Edge) -> None:
    edge.adds = gate.key()
    for whole in (True, False):
        found = asked(gate, edge, whole=whole)
        assert (found.reachable, found.refuses) == (True, False)
        assert re.fullmatch(r"GET \S+ was answered without a key", found.why)


def test_an_edge_that_loses_the_key_makes_the_address_useless(own: Gate) -> None:
    edge = Edge(own.port)
    edge.adds = {"X-API-Key": ""}
    found = asked(own, edge, whole=True)
    assert (found.reachable, found.refuses, found.hop) == (False, True, "edge")
    assert "take the key away" in found.why
    edge.close()


def test_a_later_look_costs_three_calls_for_the_sake_of_free_quotas(gate: Gate, edge: Edge) -> None:
    for _ in range(10):
        before = edge.calls
        assert asked(gate, edge).reachable
        assert edge.calls - before <= 3


def test_looks_from_outside_are_not_on_record_and_a_strangers_call_is(tmp_path: Path) -> None:
    gate = Gate(tmp_path).start()
    edge = Edge(gate.port)
    try:
        asked(gate, edge, whole=True)
        assert edge.calls > 3
        gate.call("/v1/other", {})
        eventually(lambda: len(log(gate)) == 1)
        assert log(gate)[0]["path"] == "/v1/other"
    finally:
        edge.close()
        gate.close()
