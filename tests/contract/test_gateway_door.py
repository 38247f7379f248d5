"""The tunnel comes in by a socket of its own: only there is it believed who calls."""

import signal
import socket
import stat
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from exposer import procs, wire
from exposer.config.model import Tunnel
from exposer.gateway.folder import DOOR
from exposer.gateway.host import find_nginx
from exposer.procs import Entry
from exposer.secret import Secret
from exposer.tunnels import make
from tests.support import fake_cloudflared
from tests.support.eventually import eventually
from tests.support.gateway import Gate, log, slowed_down
from tests.support.sshd import AVAILABLE, Sshd

pytestmark = [pytest.mark.nginx, pytest.mark.skipif(not find_nginx(), reason="nginx is not installed")]
CALLER = "CF-Connecting-IP"


@pytest.fixture
def make_gate(tmp_path: Path) -> Iterator[Callable[..., Gate]]:
    gates: list[Gate] = []

    def maker(root: Path = tmp_path, **changes: object) -> Gate:
        gates.append(Gate(root, **({"caller": CALLER} | changes)))
        return gates[-1]

    yield maker
    for gate in gates:
        gate.close()


def by_door(gate: Gate, target: str = "/v1/items", **headers: str) -> wire.Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return wire.request(f"unix:{gate.folder / DOOR}", target, headers=named, timeout=40)


def addresses(gate: Gate, count: int) -> list[object]:
    lines = eventually(lambda: (found := log(gate)) and len(found) >= count and found)
    return [line["address"] for line in lines]


class TestAddress:
    def test_by_the_socket_the_tunnel_says_who_calls_and_the_backend_is_not_told(
        self, make_gate: Callable[..., Gate]
    ) -> None:
        gate = make_gate().start()
        key = gate.keys["alice"]
        assert by_door(gate, X_API_Key=key, CF_Connecting_IP="203.0.113.9").status == 200
        assert by_door(gate, X_API_Key=key, CF_Connecting_IP="2001:db8::7").status == 200
        assert sorted(addresses(gate, 2)) == ["2001:db8::7", "203.0.113.9"]  # each worker writes when it likes
        assert not any(b"connecting-ip" in head.lower() or b"203.0.113.9" in head for head in gate.echo.heads)

    def test_on_the_port_nobody_is_believed(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate().start()
        claims = {CALLER: "203.0.113.9", "X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9"}
        assert gate.call("/v1/items", {**gate.key(), **claims}).status == 200
        assert addresses(gate, 1) == ["127.0.0.1"]

    def test_other_headers_are_not_believed_by_the_socket_either(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate().start()
        key = gate.keys["alice"]
        assert by_door(gate, X_API_Key=key, X_Forwarded_For="203.0.113.9", X_Real_IP="203.0.113.9").status == 200
        assert addresses(gate, 1) == ["unix:"]

    def test_a_tunnel_without_such_a_header_has_none_believed(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate(caller="").start()
        assert by_door(gate, X_API_Key=gate.keys["alice"], CF_Connecting_IP="203.0.113.9").status == 200
        assert addresses(gate, 1) == ["unix:"]

    def test_bad_callers_are_slowed_down_each_by_its_own_address(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate().start()
        slowed_down(lambda: by_door(gate, X_API_Key="wrong", CF_Connecting_IP="203.0.113.1"))
        assert by_door(gate, X_API_Key="wrong", CF_Connecting_IP="203.0.113.2").status == 401
        assert by_door(gate, X_API_Key=gate.keys["alice"], CF_Connecting_IP="203.0.113.1").status == 200
        assert gate.call("/v1/items", {"X-API-Key": "wrong"}).status == 401

    def test_on_the_port_a_forged_address_gives_no_quota_of_its_own(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate().start()
        forged = (f"203.0.113.{number % 250}" for number in count())
        slowed_down(lambda: gate.call("/v1/items", {"X-API-Key": "wrong", CALLER: next(forged)}))


class TestSocket:
    def test_others_cannot_enter_its_folder(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate().start()
        assert stat.S_ISSOCK((gate.folder / DOOR).stat().st_mode)
        assert gate.folder.stat().st_mode & stat.S_IRWXO == 0
        assert gate.folder.parent.stat().st_mode & (stat.S_IRWXO | stat.S_IRWXG) == 0

    def test_it_is_refused_there_too_without_a_key(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate().start()
        assert by_door(gate).status == 401
        assert by_door(gate, "/nothing", X_API_Key=gate.keys["alice"]).status == 404

    def test_it_is_there_through_a_reload_and_gone_after_the_end(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate().start()
        gate.reload(operations=gate.part.policy.routes and [])
        assert by_door(gate, X_API_Key=gate.keys["alice"]).status == 404
        gate.reload()
        assert by_door(gate, X_API_Key=gate.keys["alice"]).status == 200
        assert gate.entry is not None
        gate.part.stop(gate.entry)
        assert not (gate.folder / DOOR).exists()

    def test_one_that_a_killed_gateway_left_behind_is_in_nobody_s_way(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate().start()
        assert gate.entry is not None
        assert gate.entry.process is not None
        procs.stop(gate.entry.process, ((signal.SIGKILL, 3.0),))
        assert (gate.folder / DOOR).exists()
        gate.start()
        assert by_door(gate, X_API_Key=gate.keys["alice"]).status == 200

    def test_a_gateway_that_is_found_again_still_has_it(self, make_gate: Callable[..., Gate]) -> None:
        gate = make_gate().start()
        assert gate.make().adopt([gate.entry] if gate.entry else []) is not None
        assert by_door(gate, X_API_Key=gate.keys["alice"]).status == 200


@pytest.fixture
def visit(tmp_path: Path) -> Iterator[Callable[..., wire.Answer]]:
    """A call from outside through a stand-in for cloudflared that leads to a gateway."""
    started: list[tuple[object, Entry]] = []

    def visitor(gate: Gate, headers: dict[str, str], **knobs: object) -> wire.Answer:
        binary = fake_cloudflared.install(tmp_path, **knobs)
        runtime = gate.folder.parent
        part = make(
            Tunnel("cloudflared", binary=str(binary)), "tests", f"127.0.0.1:{gate.port}", str(runtime), str(runtime),
            lambda ref: Secret(""), door=str(gate.folder / DOOR), alone=True,
        )  # fmt: skip
        entry = part.start(lambda entry: None, lambda text: None)
        started.append((part, entry))
        assert part.look(entry).healthy
        return wire.request(fake_cloudflared.public(binary), "/v1/items", headers=headers)

    yield visitor
    for part, entry in started:
        part.stop(entry)  # type: ignore[attr-defined]


class TestTunnel:
    def test_what_comes_through_a_quick_tunnel_bears_the_visitor_s_address_not_his_claims(
        self, make_gate: Callable[..., Gate], visit: Callable[..., wire.Answer]
    ) -> None:
        gate = make_gate().start()
        claims = {CALLER: "198.51.100.1", "X-Forwarded-For": "198.51.100.1"}
        assert visit(gate, {**gate.key(), **claims}, visitor="203.0.113.44").status == 200
        assert addresses(gate, 1) == ["203.0.113.44"]

    def test_a_folder_with_a_path_too_long_for_a_socket_does_no_harm(
        self, make_gate: Callable[..., Gate], visit: Callable[..., wire.Answer], tmp_path: Path
    ) -> None:
        deep = tmp_path / ("deep-" * 20) / ("deeper-" * 10)
        deep.mkdir(parents=True)
        gate = make_gate(deep).start()
        with pytest.raises(OSError, match="too long"), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(gate.folder / DOOR))
        assert visit(gate, gate.key()).status == 200


@pytest.mark.ssh
@pytest.mark.skipif(not AVAILABLE, reason="needs OpenSSH's client and server")
class TestSsh:
    @pytest.mark.parametrize("deep", ["", f"{'deep-' * 20}/{'deeper-' * 10}"])
    def test_it_leads_to_the_socket_or_where_ssh_cannot_name_it_to_the_port(
        self, make_gate: Callable[..., Gate], tmp_path: Path, deep: str
    ) -> None:
        (tmp_path / deep).mkdir(parents=True, exist_ok=True)
        (tmp_path / "sshd").mkdir(mode=0o700)
        gate = make_gate(tmp_path / deep, caller="").start()
        with Sshd(tmp_path / "sshd") as server:
            tunnel = Tunnel(
                provider="ssh", host="127.0.0.1", user=server.user, port=server.port, identity=str(server.identity),
                known_hosts=str(server.known_hosts), remote_port=server.remote_port, url="https://api.example.org",
            )  # fmt: skip
            runtime, door = str(gate.folder.parent), str(gate.folder / DOOR)
            part = make(tunnel, "tests", f"127.0.0.1:{gate.port}", runtime, runtime, lambda ref: Secret(""), door)
            entry = part.start(lambda entry: None, lambda text: None)
            try:
                again = part.adopt([entry])
                assert again is not None
                base = f"http://127.0.0.1:{server.remote_port}"
                claims = {CALLER: "203.0.113.9", "X-Forwarded-For": "203.0.113.9"}
                assert wire.request(base, "/v1/items", headers={**gate.key(), **claims}).status == 200
                assert wire.request(base, "/v1/items").status == 401
            finally:
                part.stop(entry)
        assert addresses(gate, 2) == (["127.0.0.1"] * 2 if deep else ["unix:"] * 2)
