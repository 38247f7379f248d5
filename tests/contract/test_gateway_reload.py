"""The real gateway takes a new wish over: nothing opens, nothing is lost, what is withdrawn is withdrawn."""

import http.client
import socket
import threading
import time
from pathlib import Path

import pytest

from exposer import files
from exposer.errors import ConfigError, ExposerError
from exposer.gateway.folder import DOOR
from exposer.gateway.host import find_nginx
from exposer.gateway.nginx import DRAIN, NginxProcess, revoke, sync_live
from exposer.keys import ring as rings
from tests.support.eventually import eventually
from tests.support.gateway import OPERATIONS, Gate, ask, log, make_policy, op, process, workers
from tests.support.overlay import overlay

pytestmark = [pytest.mark.nginx, pytest.mark.skipif(not find_nginx(), reason="nginx is not installed")]


@pytest.fixture
def gate(fresh: Gate) -> Gate:
    return fresh


def connected(gate: Gate, door: str) -> socket.socket:
    """As a caller by the port, or as the tunnel."""
    if door == "port":
        return socket.create_connection(("127.0.0.1", gate.port), timeout=40)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(40)
    connection.connect(str(gate.folder / DOOR))
    return connection


class Caller(threading.Thread):
    """Calls on one connection as fast as it can, opens a new one when told to close, and counts what gets lost.

    A reload leaves nobody a connection that lies idle for long: one that ends then, as when this thread had to wait for
    its turn, is no loss. A caller tries again, as HTTP has it (RFC 9112, 9.3.1).
    """

    def __init__(self, gate: Gate, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.gate, self.ended = gate, stop
        self.headers = gate.key()
        self.served = 0
        self.lost: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.gate.port, timeout=40)
        last = 0.0  # when the last answer came
        while not self.ended.is_set():
            is_kept = connection.sock is not None
            try:
                reply = ask(connection, "/v1/items/7", self.headers)
            except (OSError, http.client.HTTPException) as error:
                was_idle = is_kept and time.monotonic() - last > DRAIN / 2
                if not (was_idle and isinstance(error, ConnectionError)):
                    self.lost.append(repr(error))
                connection.close()
                continue
            last = time.monotonic()
            if reply.status != 200:
                self.lost.append(str(reply.status))
            self.served += 1
        connection.close()


class TestReload:
    @pytest.mark.slow
    def test_twenty_reloads_under_load_lose_no_request(self, gate: Gate) -> None:
        gate.start()
        stop = threading.Event()
        callers = [Caller(gate, stop) for _ in range(4)]
        for caller in callers:
            caller.start()
        try:
            for number in range(20):
                gate.reload(operations=[op("GET", "/v1/items/{id}"), op("GET", f"/number{number}")])
        finally:
            stop.set()
            for caller in callers:
                caller.join(60)
        assert [lost for caller in callers for lost in caller.lost] == []
        assert sum(caller.served for caller in callers) > 1000
        assert gate.call("/number19").status == 200
        assert gate.call("/number18").status == 404

    def test_new_keys_and_operations_are_in_force_when_it_returns_and_old_workers_are_gone(self, gate: Gate) -> None:
        gate.start()
        before = workers(gate)
        gate.mint("carol")
        assert gate.refusal("/other", gate.key("carol")).status == 401
        gate.reload(operations=[op("GET", "/other")])
        assert all(gate.call("/other", gate.key("carol")).status == 200 for _ in range(20))
        assert all(gate.call("/v1/items").status == 404 for _ in range(20))
        assert gate.entry is not None
        assert gate.entry.digest == gate.part.digest
        eventually(lambda: not any(worker.alive() for worker in before))
        assert len(workers(gate)) == len(before)

    def test_after_a_reload_connections_are_kept_again(self, gate: Gate) -> None:
        gate.start()
        gate.reload(operations=[op("GET", "/v1/items")])
        connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=40)
        assert ask(connection, "/v1/items", gate.key()).headers["Connection"] == "keep-alive"
        connection.close()
        assert not (gate.folder / "draining").exists()

    def test_a_stream_outlives_a_reload_for_a_while(self, gate: Gate) -> None:
        gate.start()
        connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=40)
        connection.request("GET", "/v1/items/events", headers=gate.key())
        response = connection.getresponse()
        assert response.readline() == b"data: 0\n"
        old = workers(gate)
        gate.reload(operations=[op("GET", "/v1/items/{id}")])
        assert "streams that began before may go on for 10 seconds" in gate.told
        gate.echo.gate.set()
        response.readline()
        assert response.readline() == b"data: 1\n"
        connection.close()
        gate.echo.gate.set()
        eventually(lambda: not any(worker.alive() for worker in old))

    def test_a_stream_of_a_key_that_has_ended_is_cut(self, gate: Gate) -> None:
        gate.start()
        streams = []
        for label in ("alice", "bob"):
            connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=40)
            connection.request("GET", "/v1/items/events", headers=gate.key(label))
            assert connection.getresponse().readline() == b"data: 0\n"
            streams.append(connection)
        revoke(gate.folder, gate.key_id("bob"))
        gate.ring, _ = rings.revoke(gate.ring, "bob", 1000.0)
        gate.reload()
        assert "a key has ended, so streams and calls that began before were cut" in gate.told
        for connection in streams:
            assert connection.sock.recv(1000) in (b"", b"\n")
            connection.close()
        assert gate.call("/v1/items").status == 200

    @pytest.mark.parametrize("by", ["the end of its key", "the end of the gateway"])
    @pytest.mark.parametrize("door", ["port", "socket"])
    def test_what_left_by_a_stream_that_is_cut_is_in_the_log(self, gate: Gate, by: str, door: str) -> None:
        gate.start()
        with connected(gate, door) as connection:
            connection.sendall(gate.head("/v1/items/events", key="bob"))
            seen = b""
            while b"data: 0" not in seen:
                seen += connection.recv(1000)
            if by == "the end of its key":
                gate.ring, _ = rings.revoke(gate.ring, "bob", 1000.0)
                gate.reload()
            else:
                assert gate.entry is not None
                gate.part.stop(gate.entry)
        mine = [line for line in log(gate) if line["key"] == gate.key_id("bob") and line["operation"]]
        assert [(line["status"], line["bytes"]) for line in mine] == [(200, len(b"9\r\ndata: 0\n\n\r\n"))]
        if by == "the end of its key":
            assert gate.call("/v1/items").status == 200

    def test_only_a_change_of_keys_alone_needs_no_rehearsal(self, gate: Gate) -> None:
        def rehearsals() -> int:
            return sum(bool(entry.detail.get("rehearsal")) for entry in gate.entries)

        gate.start()
        assert rehearsals() == 1
        gate.mint("carol")
        gate.reload()
        gate.ring, _ = rings.revoke(gate.ring, "bob", 1000.0)
        gate.reload()
        assert rehearsals() == 1
        assert gate.call("/v1/items", gate.key("carol")).status == 200
        assert gate.refusal("/v1/items", gate.key("bob")).status == 401
        gate.own = {"carol": {"operations": frozenset({"GET /v1/items"})}}
        gate.reload()
        assert rehearsals() == 2
        gate.mint("dave")
        gate.reload(operations=OPERATIONS[:2])
        assert rehearsals() == 3
        assert gate.call("/v1/items", gate.key("carol")).status == 200

    def test_a_new_key_that_is_withdrawn_at_once_stays_out(self, gate: Gate) -> None:
        gate.start()
        gate.mint("carol")
        passing = {gate.key_id("alice"), gate.key_id("bob")}
        part = NginxProcess(gate.folder, make_policy(gate.ring, gate.echo.url), passing=lambda: passing)
        assert gate.entry is not None
        gate.entry = part.reload(gate.entry, gate.entries.append, gate.told.append)
        assert gate.refusal("/v1/items", gate.key("carol")).status == 401
        assert set(files.names_in(str(gate.folder / "live"))) == passing

    def test_a_turn_of_keys_that_fails_lets_no_new_key_in(self, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
        gate.start()
        gate.mint("carol")
        monkeypatch.setattr("exposer.gateway.nginx.TURNOVER", 0.5)
        monkeypatch.setattr("exposer.gateway.host.HostNginx.reread", lambda self, process: None)
        with pytest.raises(ExposerError, match="does not answer"):
            gate.reload()
        monkeypatch.undo()
        assert gate.refusal("/v1/items", gate.key("carol")).status == 401
        assert gate.call("/v1/items").status == 200
        gate.reload()
        assert gate.call("/v1/items", gate.key("carol")).status == 200

    @pytest.mark.parametrize(
        ("name", "old", "new"),
        [
            ("gate.conf.j2", 'if (!-f "{{ paths.live }}/$key") { return 418; }', ""),
            ("nginx.conf.j2", "pcre_jit on;", "pcre_jit perhaps;"),
        ],
    )
    def test_a_bad_template_is_refused_and_the_old_site_stays_in_force(
        self, gate: Gate, tmp_path: Path, name: str, old: str, new: str
    ) -> None:
        gate.start()
        before = (gate.folder / "nginx.conf").read_bytes()
        with pytest.raises(ConfigError):
            gate.reload(templates=overlay(tmp_path, name, old, new))
        assert (gate.folder / "nginx.conf").read_bytes() == before
        assert gate.call("/v1/items").status == 200
        assert gate.refusal("/v1/items", {}).status == 401
        assert (gate.folder / "live" / gate.key_id("alice")).is_file()

    def test_a_generation_that_does_not_come_is_rolled_back(self, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
        gate.start()
        before = (gate.folder / "nginx.conf").read_bytes()
        monkeypatch.setattr("exposer.gateway.nginx.TURNOVER", 0.5)
        reread = gate.part._runner.reread
        monkeypatch.setattr("exposer.gateway.host.HostNginx.reread", lambda self, process: None)
        with pytest.raises(ExposerError, match="does not answer"):
            gate.reload(operations=[op("GET", "/other")])
        monkeypatch.undo()
        assert (gate.folder / "nginx.conf").read_bytes() == before
        assert gate.call("/v1/items").status == 200
        reread(process(gate))
        assert gate.call("/v1/items").status == 200

    def test_a_key_that_is_withdrawn_during_a_reload_stays_out(self, gate: Gate) -> None:
        gate.start()
        gone = gate.key_id("bob")
        thread = threading.Thread(target=gate.reload, kwargs={"operations": [op("GET", "/v1/items")]})
        thread.start()
        eventually(lambda: (gate.folder / "draining").exists() or not thread.is_alive())
        revoke(gate.folder, gone)
        thread.join(60)
        assert gate.refusal("/v1/items", gate.key("bob")).status == 401
        assert gate.call("/v1/items").status == 200
        assert files.names_in(str(gate.folder / "live")) == [gate.key_id("alice")]

    def test_a_policy_that_is_older_than_the_ring_does_not_bring_a_key_back(self, gate: Gate) -> None:
        gate.start()
        stale = make_policy(gate.ring, gate.echo.url, operations=[op("GET", "/v1/items")])
        revoke(gate.folder, gate.key_id("bob"))
        still = {gate.key_id("alice")}
        part = NginxProcess(gate.folder, stale, passing=lambda: still)
        assert gate.entry is not None
        gate.entry = part.reload(gate.entry, gate.entries.append, gate.told.append)
        assert gate.refusal("/v1/items", gate.key("bob")).status == 401
        assert gate.call("/v1/items").status == 200


class TestRevocation:
    def test_it_is_at_once_also_on_an_open_connection(self, gate: Gate) -> None:
        gate.start()
        connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=40)
        other = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=40)
        assert ask(connection, "/v1/items", gate.key("bob")).status == 200
        assert ask(other, "/v1/items", gate.key()).status == 200
        revoke(gate.folder, gate.key_id("bob"))
        assert ask(connection, "/v1/items", gate.key("bob")).status == 401
        assert ask(other, "/v1/items", gate.key()).status == 200
        connection.close()
        other.close()

    def test_syncing_withdraws_what_is_not_named_and_lets_nobody_in(self, gate: Gate) -> None:
        gate.start()
        sync_live(gate.folder, {gate.key_id("alice"), "zzzzzzzz"})
        assert files.names_in(str(gate.folder / "live")) == [gate.key_id("alice")]
        assert gate.refusal("/v1/items", gate.key("bob")).status == 401
        assert gate.call("/v1/items").status == 200

    def test_without_its_folders_of_keys_nobody_gets_in(self, gate: Gate) -> None:
        gate.start()
        (gate.folder / "live").rename(gate.folder / "live.off")
        for headers in (gate.key(), {"Authorization": f"Bearer {gate.keys['bob']}"}):
            assert gate.refusal("/v1/items", headers).status == 401

    @pytest.mark.parametrize("key_id", ["", "..", "a/b", "."])
    def test_no_id_can_reach_outside_the_folder(self, gate: Gate, key_id: str) -> None:
        gate.start()
        with pytest.raises(ExposerError):
            revoke(gate.folder, key_id)
        assert gate.call("/v1/items").status == 200
