"""An authority that gives no certificate: how long it is left alone, over restarts too, and what is said of it."""

import base64
import http.server
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from exposer.config.model import SecretRef, Tunnel
from exposer.errors import ExposerError
from exposer.secret import Secret
from exposer.tls.acme import LIMITED, LONGEST, TRIES, AcmeError, obtain, wait_of
from exposer.tls.served import Served
from exposer.tunnels.server import Server
from tests.support.certificates import self_signed
from tests.support.eventually import eventually
from tests.support.ports import free_port

HOST = "api.example.com"
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


class Authority(http.server.BaseHTTPRequestHandler):
    """Answers whatever it is asked with the same refusal, and counts."""

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked += 1
        status, headers, body = self.server.says
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def authority() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Authority)
    server.asked = 0
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def limited(retry_after: str) -> tuple[int, dict[str, str], bytes]:
    problem = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many certificates already issued"}
    headers = {"Content-Type": "application/problem+json"} | ({"Retry-After": retry_after} if retry_after else {})
    return 429, headers, json.dumps(problem).encode()


def directory(server: http.server.ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/directory"


def part(folder: Path, acme: str) -> Server:
    """A new one, as after a restart of the supervisor."""

    def resolve(ref: SecretRef) -> Secret:
        raise AssertionError(ref)

    tunnel = Tunnel("server", hostname=HOST, acme=acme)
    return Server(tunnel, "x", "127.0.0.1:1", str(folder), str(folder), resolve)


def start(server: Server) -> ExposerError:
    with pytest.raises(ExposerError) as caught:
        server.start(lambda entry: None, lambda text: None)
    return caught.value


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7200", 7200.0),
        (format_datetime(NOW + timedelta(hours=1), usegmt=True), 3600.0),
        (format_datetime(NOW - timedelta(hours=1), usegmt=True), 1.0),
        ("99999999", LONGEST),
        ("", LIMITED),
        ("soon", LIMITED),
    ],
)
def test_how_long_an_authority_wants_to_be_left_alone_is_understood(said: str, seconds: float) -> None:
    assert wait_of(said, NOW) == seconds


@pytest.mark.parametrize(("retry_after", "wait"), [("86400", 86_400.0), ("", LIMITED)])
def test_a_certificate_that_cannot_be_had_the_rate_limit_is_respected_over_restarts(
    retry_after: str, wait: float, tmp_path: Path, authority: http.server.ThreadingHTTPServer
) -> None:
    authority.says = limited(retry_after)
    began = time.time()
    error = start(part(tmp_path, directory(authority)))
    assert "too many certificates" in error.message
    assert error.retry_after == wait
    asked = authority.asked
    again = start(part(tmp_path, directory(authority)))
    assert wait - 60 < again.retry_after <= wait
    assert authority.asked == asked, "a next supervisor does not ask before the time is over"
    assert began + wait <= Served(tmp_path).next_try() <= time.time() + wait


def test_a_certificate_that_has_ended_is_no_reason_to_ask_sooner(
    tmp_path: Path, authority: http.server.ThreadingHTTPServer
) -> None:
    authority.says = limited("86400")
    Served(tmp_path).keep(self_signed(HOST, datetime.now(UTC) - timedelta(days=99), 90))
    start(part(tmp_path, directory(authority)))
    asked = authority.asked
    start(part(tmp_path, directory(authority)))
    assert authority.asked == asked


def test_the_old_certificate_stays_in_force_while_the_authority_refuses(
    tmp_path: Path, authority: http.server.ThreadingHTTPServer
) -> None:
    authority.says = limited("86400")
    served = Served(tmp_path)
    old = self_signed(HOST, datetime.now(UTC) - timedelta(days=80), 90)
    served.keep(old)
    server = part(tmp_path, directory(authority))
    entry = server.start(lambda entry: None, lambda text: None)
    assert server.look(entry).healthy
    eventually(lambda: "too many" in server.look(entry).detail["warning"], within=20)
    asked = authority.asked
    assert server.look(entry).healthy
    assert part(tmp_path, directory(authority)).look(entry).healthy
    assert authority.asked == asked
    assert served.pair() == old
    assert "too many" in served.advice(datetime.now(UTC))[0]


def test_failures_in_a_row_are_counted_over_restarts_and_the_wait_grows(tmp_path: Path) -> None:
    waits = []
    for _ in range(3):
        waits.append(start(part(tmp_path, f"http://127.0.0.1:{free_port()}/directory")).retry_after)
        served = Served(tmp_path)
        served.try_again_at(0.0, served.failures(), "")
    assert waits == [60.0, 600.0, 3600.0]


class Nonces(http.server.BaseHTTPRequestHandler):
    """STAND-IN for an authority that dislikes the numbers of the first `worn` messages, and then says "too many". With
    `knows` it gives and knows accounts first, each time to whoever shows the key (RFC 8555, 6.2)."""

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        base = f"http://127.0.0.1:{self.server.server_address[1]}"
        self._say(200, {"newNonce": f"{base}/nonce", "newAccount": f"{base}/account", "newOrder": f"{base}/order"})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.knows and self.path == "/account":
            head = json.loads(base64.urlsafe_b64decode(message["protected"] + "=="))
            if "jwk" not in head or "kid" in head:
                self._say(400, {"type": "urn:ietf:params:acme:error:malformed", "detail": "the key is not shown"})
            else:
                self.server.accounts += 1
                self._say(201 if self.server.accounts == 1 else 200, {"status": "valid"})
            return
        self.server.posts += 1
        if self.server.posts <= self.server.worn:
            self._say(400, {"type": "urn:ietf:params:acme:error:badNonce", "detail": "that one was used"})
        else:
            self._say(429, {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many"})

    def _say(self, status: int, what: dict[str, str]) -> None:
        body = json.dumps(what).encode()
        self.send_response(status)
        kind = "application/json" if status < 400 else "application/problem+json"
        if self.path == "/account":
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_address[1]}/account/1")
        nonce = f"{self.server.posts + self.server.accounts:08d}"
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), "Replay-Nonce": nonce}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.mark.parametrize("knows", [False, True])
@pytest.mark.parametrize(("worn", "said"), [(0, "too many"), (7, "too many"), (9, "too many"), (99, "badNonce")])
def test_a_message_whose_number_the_authority_dislikes_is_no_refusal(
    worn: int, said: str, knows: bool, tmp_path: Path
) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nonces) as server:
        server.posts, server.worn, server.knows, server.accounts = 0, worn, knows, 0
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            with pytest.raises(AcmeError, match=said):
                obtain(directory(server), HOST, Served(tmp_path).account())
        finally:
            server.shutdown()
            thread.join()
        assert server.posts == min(worn + 1, 2 * TRIES), "each order repeats a message once"


def test_a_providers_page_in_place_of_json_is_no_certificate(
    tmp_path: Path, authority: http.server.ThreadingHTTPServer
) -> None:
    authority.says = (200, {"Content-Type": "text/html"}, b"<html>Please log in to this network</html>")
    with pytest.raises(AcmeError, match=r"gave no certificate|could not be asked"):
        obtain(directory(authority), HOST, Served(tmp_path).account())


def test_no_network_and_dns_failure_are_told_and_worth_another_try(tmp_path: Path) -> None:
    for place in (f"http://127.0.0.1:{free_port()}", "http://no-such-name.invalid"):
        with pytest.raises(AcmeError, match="could not be asked"):
            obtain(place, HOST, Served(tmp_path).account())
    assert not getattr(AcmeError(""), "fatal", False)
