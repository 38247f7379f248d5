"""What a machine can do to a tunnel before it has begun: proxies in the environment, no IPv4, a busy port."""

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest

from exposer import ports, procs, wire
from exposer.errors import ExposerError
from exposer.gateway.front import has_ipv6
from tests.support.ports import free_port

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


class Answering(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"me")


class Server6(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


def serving(server: http.server.ThreadingHTTPServer) -> Iterator[http.server.ThreadingHTTPServer]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def here() -> Iterator[http.server.ThreadingHTTPServer]:
    yield from serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering))


@pytest.fixture
def here6() -> Iterator[http.server.ThreadingHTTPServer]:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    yield from serving(Server6(("::1", 0), Answering))


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every proxy variable leads to where nobody is."""
    nobody = f"http://127.0.0.1:{free_port()}"
    for name in PROXIES:
        monkeypatch.setenv(name, nobody)


def test_proxy_environment_variables_are_not_used_for_our_own_looks(
    proxied: None, here: http.server.ThreadingHTTPServer
) -> None:
    answer = wire.request(f"http://127.0.0.1:{here.server_address[1]}", "/", timeout=10)
    assert answer.body == b"me"


def test_proxy_environment_variables_do_not_reach_a_tunnels_program(proxied: None) -> None:
    assert not {name for name in procs.child_environment() if name.lower().endswith("_proxy")}


def test_ipv6_only_an_address_of_that_kind_is_asked_like_any_other(here6: http.server.ThreadingHTTPServer) -> None:
    answer = wire.request(f"http://[::1]:{here6.server_address[1]}", "/", timeout=10)
    assert answer.body == b"me"


def test_a_busy_port_is_told_by_its_number(here: http.server.ThreadingHTTPServer) -> None:
    port = here.server_address[1]
    with pytest.raises(ExposerError, match=str(port)):
        ports.check(port)


def test_dns_failure_is_told_apart_from_a_server_that_is_not_there() -> None:
    with pytest.raises(wire.NoAnswerError) as caught:
        wire.request("http://no-such-name.invalid", "/", timeout=10)
    assert caught.value.stage == "resolve"
    with pytest.raises(wire.NoAnswerError) as caught:
        wire.request(f"http://127.0.0.1:{free_port()}", "/", timeout=10)
    assert caught.value.stage == "connect"
