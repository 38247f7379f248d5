"""The server hands on its authority's word that its certificate still holds."""

import http.server
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509

from tests.e2e.test_server import HOST, config, listening
from tests.support.certificates import Authority
from tests.support.eventually import eventually
from tests.support.exposure import Exposure
from tests.support.ports import free_port


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed: nothing here reads staples")
def test_an_answer_by_ocsp_is_stapled(tmp_path: Path, make_exposure: Callable[..., Exposure]) -> None:
    class Responder(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = authority.answer(leaf)
            self.send_response(200)
            self.send_header("Content-Type", "application/ocsp-response")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Responder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        authority = Authority(f"http://127.0.0.1:{server.server_address[1]}/")
        pair = authority.pair(HOST)
        leaf = x509.load_pem_x509_certificate(pair.certificate.encode())
        (tmp_path / "chain.pem").write_text(pair.certificate)
        (tmp_path / "key.pem").write_text(pair.key.reveal())
        https = free_port()
        own = f'certificate = "{tmp_path}/chain.pem"\nkey = "{tmp_path}/key.pem"\n'
        exposure = make_exposure(config(https, free_port(), own))
        exposure.up()
        eventually(lambda: listening(https), within=20)
        eventually(lambda: "Cert Status: good" in staple(https))  # each worker asks for its own
        exposure.run("down")
        server.shutdown()


def staple(port: int) -> str:
    """What a client is told that asks for it; nginx fetches the answer when it is asked for the first time."""
    argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", HOST, "-status"]
    done = subprocess.run(argv, input=b"", capture_output=True, timeout=60, check=False)
    return done.stdout.decode(errors="replace")
