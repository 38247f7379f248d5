"""Two tunnels lead to one gateway, and only by the one that is open a key counts."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exposer import wire
from exposer.gateway import doors
from exposer.gateway.folder import DOOR, STANDBY_DOOR
from exposer.gateway.host import find_nginx
from tests.support.eventually import eventually
from tests.support.gateway import ANSWER, PROBE, Gate, log

pytestmark = [pytest.mark.nginx, pytest.mark.skipif(not find_nginx(), reason="nginx is not installed")]
PATHS = ("/v1/items", "/v1/items/7", "/v1/items?x=1")


@pytest.fixture
def make_gate(tmp_path: Path) -> Iterator[Callable[..., Gate]]:
    gates: list[Gate] = []

    def maker(**changes: object) -> Gate:
        gates.append(Gate(tmp_path, **changes).start())
        return gates[-1]

    yield maker
    for gate in gates:
        gate.close()


def ways(gate: Gate) -> dict[str, tuple[str, str]]:
    """How each tunnel may come in: by TCP, or by a socket."""
    assert gate.entry is not None
    first, second = gate.entry.detail["listen"], gate.entry.detail["second"]
    return {
        "tunnel": (f"http://{first}", f"unix:{gate.folder / DOOR}"),
        "standby": (f"http://{second}", f"unix:{gate.folder / STANDBY_DOOR}"),
    }


def statuses(gate: Gate, role: str, path: str = "/v1/items", **headers: str) -> set[int]:
    given = headers or {"X-API-Key": gate.keys["alice"]}
    return {wire.request(way, path, headers=given).status for way in ways(gate)[role]}


def test_no_tunnel_is_open_before_one_is_opened(make_gate: Callable[..., Gate]) -> None:
    gate = make_gate(doors=True)
    assert doors.opened(gate.folder) == ""
    for role in ("tunnel", "standby"):
        assert statuses(gate, role) == {503}


def test_only_by_the_open_tunnel_a_key_counts_and_the_switch_needs_no_reload(make_gate: Callable[..., Gate]) -> None:
    gate = make_gate(doors=True)
    for is_open, is_shut in (("tunnel", "standby"), ("standby", "tunnel"), ("tunnel", "standby")):
        doors.open_only(gate.folder, is_open)
        assert doors.opened(gate.folder) == is_open
        for path in PATHS:
            assert statuses(gate, is_open, path) == {200}
            assert statuses(gate, is_shut, path) == {503}
    doors.shut(gate.folder)
    assert statuses(gate, "tunnel") == statuses(gate, "standby") == {503}


def test_every_way_to_show_a_key_is_shut_at_the_tunnel_that_waits(make_gate: Callable[..., Gate]) -> None:
    gate = make_gate(doors=True, log_queries=True)
    doors.open_only(gate.folder, "tunnel")
    key = gate.keys["alice"]
    basic = base64.b64encode(f"alice:{key}".encode()).decode()
    for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {key}"}, {"Authorization": f"Basic {basic}"}):
        assert {wire.request(ways(gate)["standby"][0], "/v1/items", headers=headers).status} == {503}
    big = {"X-API-Key": key, "Content-Length": "99999999"}
    refused = wire.request(ways(gate)["standby"][0], "/v1/items", method="POST", headers=big)
    assert refused.status in (413, 503)


def test_a_tunnel_that_waits_refuses_strangers_like_any_other_and_can_be_looked_at_from_outside(
    make_gate: Callable[..., Gate],
) -> None:
    gate = make_gate(doors=True)
    doors.open_only(gate.folder, "tunnel")
    for way in ways(gate)["standby"]:
        assert wire.request(way, "/v1/items").status == 401
        found = wire.request(way, f"/.exposer/{PROBE}?nonce={'0' * 32}")
        assert (found.status, found.body.decode()) == (200, f"{ANSWER} {'0' * 32}")


def test_a_damaged_folder_opens_nothing(make_gate: Callable[..., Gate]) -> None:
    gate = make_gate(doors=True)
    doors.open_only(gate.folder, "tunnel")
    for name in ("standby", "none"):
        (gate.folder / doors.OPEN / name).touch()
    assert doors.opened(gate.folder) == "", "two names are no answer"
    doors.open_only(gate.folder, "standby")
    assert doors.opened(gate.folder) == "standby"
    assert (statuses(gate, "tunnel"), statuses(gate, "standby")) == ({503}, {200})


def test_a_second_tunnel_comes_and_goes_by_a_reload_and_the_first_address_stays(make_gate: Callable[..., Gate]) -> None:
    gate = make_gate()
    assert gate.entry is not None
    before = gate.entry.detail["listen"]
    doors.open_only(gate.folder, "tunnel")
    gate.reload(doors=True)
    assert gate.entry.detail["listen"] == before
    second = gate.entry.detail["second"]
    assert (statuses(gate, "tunnel"), statuses(gate, "standby")) == ({200}, {503})
    assert (gate.folder / STANDBY_DOOR).stat().st_mode & 0o077 == 0
    gate.mint("carol")
    gate.reload(doors=True)
    assert gate.entry.detail["second"] == second, "the second tunnel still finds us"
    gate.reload()
    assert gate.call("/v1/items").status == 200
    with pytest.raises(wire.NoAnswerError):
        wire.request(f"http://{second}", "/v1/items")


def test_a_gateway_that_is_started_anew_opens_none_by_itself(make_gate: Callable[..., Gate]) -> None:
    gate = make_gate(doors=True)
    doors.open_only(gate.folder, "standby")
    assert gate.entry is not None
    gate.part.stop(gate.entry)
    gate.start()
    assert doors.opened(gate.folder) == ""
    assert statuses(gate, "standby") == {503}


def test_the_log_says_by_which_shut_tunnel_a_key_came(make_gate: Callable[..., Gate]) -> None:
    gate = make_gate(doors=True)
    doors.open_only(gate.folder, "tunnel")
    assert statuses(gate, "standby") == {503}
    lines = eventually(lambda: (found := log(gate)) and len(found) >= 2 and found)
    assert {(line["key"], line["status"], line["door"]) for line in lines} == {(gate.key_id("alice"), 503, "standby")}


def test_the_log_says_by_which_other_name_a_caller_came(make_gate: Callable[..., Gate]) -> None:
    gate = make_gate(hosts=("api.example.com",))
    for host in ("api.example.com", "Old.Example.com", 'a"b.example', "upstream", "127.0.0.1:8080"):
        head = f"GET /v1/items HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nX-API-Key: {gate.keys['alice']}\r\n\r\n"
        assert b" 200 " in gate.raw(head.encode())[:20]
    lines = eventually(lambda: (found := log(gate)) and len(found) >= 5 and found)
    assert sorted(str(line["host"]) for line in lines) == ["", "", "", "", "old.example.com"]
