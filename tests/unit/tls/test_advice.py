"""An authority that wants a certificate renewed sooner is followed (ARI); one that says nonsense is not."""

import http.server
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exposer.config.model import SecretRef, Tunnel
from exposer.procs import Entry
from exposer.secret import Secret
from exposer.tls.acme import AcmeError, advice
from exposer.tls.served import Served
from exposer.tunnels import server as part
from exposer.tunnels.server import Server
from tests.support.certificates import self_signed
from tests.support.eventually import eventually

HOST = "api.example.com"


class Authority(http.server.BaseHTTPRequestHandler):
    """STAND-IN for an ACME authority that is asked about renewal; the rest it refuses, and remembers."""

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append(self.path.split("/")[1])
        status, body = self.server.pages.get(self.path.split("/")[1], (404, b"{}"))
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.send_header("Retry-After", self.server.again)
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_POST = do_GET


@pytest.fixture
def authority() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Authority)
    server.asked, server.pages, server.again = [], {}, "21600"
    url = f"http://127.0.0.1:{server.server_address[1]}"
    known = {"renewalInfo": f"{url}/renewal", "newNonce": f"{url}/nonce", "newAccount": f"{url}/account"}
    server.pages["directory"] = (200, json.dumps(known).encode())
    server.url = f"{url}/directory"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def window(begins: datetime, lasts: timedelta = timedelta(hours=1)) -> tuple[int, bytes]:
    said = {"start": f"{begins:%Y-%m-%dT%H:%M:%SZ}", "end": f"{begins + lasts:%Y-%m-%dT%H:%M:%SZ}"}
    return 200, json.dumps({"suggestedWindow": said}).encode()


def kept(folder: Path, age: timedelta) -> Served:
    served = Served(folder)
    served.keep(self_signed(HOST, datetime.now(UTC) - age, 90))
    return served


def ask(authority: http.server.ThreadingHTTPServer, folder: Path) -> tuple[float | None, float]:
    served = kept(folder, timedelta(days=5))
    pair = served.pair()
    assert pair is not None
    return advice(authority.url, pair.certificate, served.account())


def test_a_moment_within_its_window_is_chosen_and_when_to_ask_again(
    authority: http.server.ThreadingHTTPServer, tmp_path: Path
) -> None:
    begins = datetime.now(UTC) + timedelta(days=3)
    authority.pages["renewal"] = window(begins)
    at, again = ask(authority, tmp_path)
    assert at is not None
    assert begins.timestamp() - 1 <= at <= begins.timestamp() + 3601
    assert abs(again - datetime.now(UTC).timestamp() - 21600) < 600


def test_one_that_does_not_know_of_it_has_no_advice(authority: http.server.ThreadingHTTPServer, tmp_path: Path) -> None:
    authority.pages["directory"] = (200, b"{}")
    assert ask(authority, tmp_path)[0] is None


@pytest.mark.parametrize("page", [(500, b""), (200, b"<html>"), (200, b"{}"), (200, b'{"suggestedWindow": 5}')])
def test_nonsense_is_an_error_of_ours(
    authority: http.server.ThreadingHTTPServer, tmp_path: Path, page: tuple[int, bytes]
) -> None:
    authority.pages["renewal"] = page
    with pytest.raises(AcmeError, match="no advice"):
        ask(authority, tmp_path)


def started(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Server, Entry]:
    monkeypatch.setattr(part, "FIRST_ASKED", 0.0)

    def resolve(ref: SecretRef) -> Secret:
        raise AssertionError(ref)

    made = Server(Tunnel("server", hostname=HOST, acme=url), "x", "127.0.0.1:1", str(folder), str(folder), resolve)
    return made, made.start(lambda entry: None, lambda text: None)


def test_a_certificate_that_the_authority_takes_back_is_renewed_long_before_its_end(
    authority: http.server.ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.pages["renewal"] = window(datetime.now(UTC) - timedelta(days=2))
    served = kept(tmp_path, timedelta(days=5))
    made, entry = started(tmp_path, authority.url, monkeypatch)

    def tried() -> bool:
        look = made.look(entry)
        assert look.healthy  # the old one stays in force, whatever comes of it
        return "could not be renewed" in str(look.detail["warning"])

    eventually(tried, within=20)
    assert "renewal" in authority.asked
    assert not served.due(datetime.now(UTC))


@pytest.mark.parametrize("why", ["later", "fresh", "nonsense"])
def test_without_need_nothing_is_renewed(
    authority: http.server.ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """`fresh`: an authority that always wants it at once is not asked for a new one each time."""
    begins = datetime.now(UTC) + timedelta(days=9 if why == "later" else -2)
    authority.pages["renewal"] = (200, b"{}") if why == "nonsense" else window(begins)
    kept(tmp_path, timedelta(hours=2) if why == "fresh" else timedelta(days=5))
    made, entry = started(tmp_path, authority.url, monkeypatch)

    def asked() -> bool:
        assert made.look(entry).detail["warning"] == ""
        return "renewal" in authority.asked

    eventually(asked, within=20)
    for _ in range(5):
        assert made.look(entry).detail["warning"] == ""
    assert "account" not in authority.asked
    assert authority.asked.count("renewal") == 1
