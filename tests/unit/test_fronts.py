"""Whom our own look from outside trusts when this machine is the public server."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import create_server

import pytest

from exposer.config.model import Tunnel
from exposer.errors import ExposerError
from exposer.files import Places
from exposer.fronts import Fronts
from exposer.tls.authority import Pair
from exposer.wire import NoAnswerError, request
from tests.support.certificates import self_signed

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@pytest.fixture
def pair() -> Pair:
    return self_signed("localhost", datetime.now(UTC) - timedelta(days=1), 30)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    for name in ("STATE", "RUNTIME"):
        monkeypatch.setenv(f"EXPOSER_{name}_DIR", str(tmp_path / name.lower()))
    return Places("one")


@contextmanager
def shown(pair: Pair, folder: Path) -> Iterator[str]:
    """A server that shows this certificate, and its address."""
    for name, text in (("crt", pair.certificate), ("key", pair.key.reveal())):
        (folder / f"shown.{name}").write_text(text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "shown.crt", folder / "shown.key")

    def serve() -> None:
        try:
            with context.wrap_socket(plain.accept()[0], server_side=True) as secure:
                secure.recv(65536)
                secure.sendall(OK)
        except OSError:
            return  # it was not trusted

    with create_server(("127.0.0.1", 0)) as plain:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"https://localhost:{plain.getsockname()[1]}"
        finally:
            thread.join(20)


def server(ca: Path) -> Tunnel:
    return Tunnel(provider="server", hostname="localhost", ca=str(ca))


def test_an_authority_of_ones_own_is_trusted_and_no_stranger(pair: Pair, places: Places, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(pair.certificate)
    with shown(pair, tmp_path) as url:
        assert request(url, "/", context=Fronts(server(ca), places).trust()).status == 200
    stranger = self_signed("localhost", datetime.now(UTC) - timedelta(days=1), 30)
    with shown(stranger, tmp_path) as url, pytest.raises(NoAnswerError, match="CERTIFICATE_VERIFY_FAILED"):
        request(url, "/", context=Fronts(server(ca), places).trust())


def test_the_systems_authorities_stay_trusted(pair: Pair, places: Places, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(pair.certificate)
    trust = Fronts(server(ca), places).trust()
    assert trust is not None
    assert trust.cert_store_stats()["x509"] == ssl.create_default_context().cert_store_stats()["x509"] + 1


def test_without_one_it_is_the_systems_alone(places: Places) -> None:
    assert Fronts(Tunnel(provider="server", hostname="localhost"), places).trust() is None


@pytest.mark.parametrize("text", [None, "", "hello"])
def test_a_file_that_is_no_certificate_is_said(places: Places, tmp_path: Path, text: str | None) -> None:
    ca = tmp_path / "ca.pem"
    if text is not None:
        ca.write_text(text)
    with pytest.raises(ExposerError, match=r"tunnel\.ca: .*ca\.pem"):
        Fronts(server(ca), places).trust()
