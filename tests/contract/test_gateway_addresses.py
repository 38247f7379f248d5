"""The second lock: who calls from an address that is not on the list is refused like one without a key."""

import http.client
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exposer import wire
from exposer.config.model import Auth
from exposer.gateway import proof
from exposer.gateway.folder import DOOR
from exposer.gateway.host import find_nginx
from tests.support.eventually import eventually
from tests.support.gateway import ANSWER, PROBE, Gate, basic, log
from tests.support.keys import spoiled

pytestmark = [pytest.mark.nginx, pytest.mark.skipif(not find_nginx(), reason="nginx is not installed")]
CALLER = "CF-Connecting-IP"
INSIDE, ELSEWHERE = "203.0.113.77", "198.51.100.1"


@pytest.fixture
def make_gate(tmp_path: Path) -> Iterator[Callable[..., Gate]]:
    gates: list[Gate] = []

    def maker(*allow_from: str, **changes: object) -> Gate:
        gates.append(Gate(tmp_path, caller=CALLER, allow_from=allow_from, **changes))
        return gates[-1].start()

    yield maker
    for gate in gates:
        gate.close()


def call(gate: Gate, address: str, headers: dict[str, str], target: str = "/v1/items") -> wire.Answer:
    return wire.request(
        f"unix:{gate.folder / DOOR}", target, headers={**headers, **({CALLER: address} if address else {})}, timeout=40
    )


def refusal(gate: Gate, address: str, headers: dict[str, str], target: str = "/v1/items") -> wire.Answer:
    """The answer as soon as bad callers have their quota back."""
    found: list[wire.Answer] = []
    eventually(lambda: (answer := call(gate, address, headers, target)).status != 429 and not found.append(answer))
    return found[0]


class TestLock:
    def test_a_key_opens_from_inside_only_and_without_one_nothing_does(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate("203.0.113.0/24", "2606:4700::/32")
        for address in (INSIDE, "2606:4700::1"):
            assert call(gate, address, gate.key()).status == 200
            assert refusal(gate, address, {}).status == 401
            assert call(gate, address, gate.key(), "/nothing").status == 404
        before = gate.echo.served
        for address in (ELSEWHERE, "203.0.114.1", "2606:4701::1", "", "unknown", "203.0.113.77, 198.51.100.1"):
            assert refusal(gate, address, gate.key()).status == 401, address
        assert gate.echo.served == before

    def test_from_elsewhere_a_right_key_looks_like_a_wrong_one(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate("203.0.113.0/24", auth=Auth(methods=("api-key", "bearer", "basic")))
        key = gate.keys["alice"]
        wrong = spoiled(key)

        def seen(headers: dict[str, str], target: str) -> tuple[object, ...]:
            answer = refusal(gate, ELSEWHERE, headers, target)
            told = {n: v for n, v in answer.headers.items() if n != "date"}
            head, _, identity = answer.body.partition(b'"request_id":')
            return answer.status, told, head, len(identity)

        for target in ("/v1/items", "/nothing", "/.exposer/nothing"):
            nobody = seen({}, target)
            for shown in (key, wrong):
                for way in ({"X-API-Key": shown}, {"Authorization": f"Bearer {shown}"}, basic(shown)):
                    assert seen(way, target) == nobody
            assert seen(basic(f"alice:{key}"), target) == seen(basic(f"alice:{wrong}"), target)

    def test_who_runs_it_finds_in_the_log_whose_key_it_was(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate("203.0.113.0/24")
        call(gate, ELSEWHERE, gate.key())
        (line, *_) = eventually(lambda: log(gate))
        assert (line["key"], line["status"], line["address"]) == (gate.key_id("alice"), 401, ELSEWHERE)

    def test_an_oversized_call_and_one_during_a_reload_find_it_locked_too(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate("203.0.113.0/24")
        (gate.folder / "live").rename(gate.folder / "draining")
        assert call(gate, INSIDE, gate.key()).status == 200
        assert refusal(gate, ELSEWHERE, gate.key()).status == 401
        assert refusal(gate, ELSEWHERE, gate.key() | {"Content-Length": "99000000"}).status == 401

    def test_this_machine_itself_may_show_its_key_and_no_more(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate("203.0.113.0/24")
        assert gate.refusal("/v1/items", {}).status == 401
        assert gate.call("/nothing").status == 404
        assert gate.call("/v1/items", {**gate.key(), CALLER: INSIDE, "X-Forwarded-For": INSIDE}).status == 403
        assert b"not on the list of addresses" in gate.call("/v1/items").body
        assert gate.echo.served == 0
        assert proof.refuses(f"http://127.0.0.1:{gate.port}", PROBE)
        assert gate.call(f"/.exposer/{PROBE}", {}).body.decode() == ANSWER

    def test_this_machine_may_be_named_too(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate("127.0.0.1/32")
        assert gate.call("/v1/items").status == 200
        assert gate.refusal("/v1/items", {}).status == 401

    def test_an_empty_list_lets_nobody_in(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate()
        for address in (INSIDE, ELSEWHERE, "255.255.255.255"):
            assert refusal(gate, address, gate.key()).status == 401
        assert gate.call("/v1/items").status == 403

    def test_a_list_that_changes_is_taken_over_on_open_connections_too(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate("203.0.113.0/24")
        gate.reload(allow_from=("198.51.100.0/24",))
        assert call(gate, ELSEWHERE, gate.key()).status == 200
        assert refusal(gate, INSIDE, gate.key()).status == 401
        gate.reload(allow_from=None)
        assert call(gate, INSIDE, gate.key()).status == 200
        assert gate.call("/v1/items").status == 200


@pytest.mark.parametrize("start", ["2001:db8:1:2:0:0:", "2001:db8::", "2001:db8:1:2::"])
def test_a_bad_caller_does_not_escape_to_another_address_of_its_network(tmp_path: Path, start: str) -> None:
    gate = Gate(tmp_path, caller=CALLER)
    try:
        gate.start()
        wrong = {"X-API-Key": spoiled(gate.keys["alice"])}
        tried = [call(gate, f"{start}{number:x}:{number:x}", wrong).status for number in range(1, 60)]
        assert set(tried) == {401, 429}
        assert call(gate, "2001:db8:1:3::1", wrong).status == 401
        assert call(gate, "203.0.113.9", wrong).status == 401
        assert call(gate, f"{start}1:1", gate.key("alice")).status == 200
    finally:
        gate.close()


def test_without_any_way_to_show_a_key_everything_is_refused_whatever_the_address(
    make_gate: Callable[..., Gate],
) -> None:
    gate = make_gate("203.0.113.0/24", "127.0.0.1/32", auth=Auth(methods=()))
    key = gate.keys["alice"]
    for way in ({}, {"X-API-Key": key}, {"Authorization": f"Bearer {key}"}, basic(key), basic(f"alice:{key}")):
        for target in ("/v1/items", "/nothing"):
            assert refusal(gate, INSIDE, way, target).status == 401
            assert gate.refusal(target, way).status == 401
    connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=40)
    connection.request("GET", f"/v1/items?key={key}")
    assert connection.getresponse().status in (401, 429)
    connection.close()
    assert gate.echo.served == 0
