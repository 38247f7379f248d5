"""What the real gateway says: the backend's words unchanged, its own refusals, and what is in its log."""

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from exposer.config.model import Limits
from exposer.gateway.host import find_nginx
from tests.support.echo import LARGE
from tests.support.eventually import eventually
from tests.support.gateway import ANSWER, PROBE, Gate, log, secret_header

pytestmark = [pytest.mark.nginx, pytest.mark.skipif(not find_nginx(), reason="nginx is not installed")]


class TestAnswer:
    def test_what_the_backend_says_is_left_as_it_is(self, gate: Gate) -> None:
        teapot = gate.call("/v1/items/teapot")
        assert (teapot.status, teapot.headers["Content-Type"], teapot.body) == (418, "text/x-odd", b"short and stout")
        denied = gate.call("/v1/items/denied")
        assert (denied.status, denied.body) == (401, b"the backend's own words")
        assert denied.headers["WWW-Authenticate"] == 'Backend realm="x"'

    def test_the_backend_can_neither_steer_the_gateway_nor_tell_what_it_is(self, gate: Gate) -> None:
        answer = gate.call("/v1/items/leaky")
        assert (answer.status, answer.body) == (200, b"whole")
        assert answer.headers["X-Kept"] == "yes"
        text = str(answer.headers).lower()
        assert not any(word in text for word in ("secret/1.2", "php", "sid=1", "x-accel", "set-cookie"))

    def test_ten_megabytes_arrive_unchanged(self, gate: Gate) -> None:
        answer = gate.call("/v1/items/large")
        assert len(answer.body) == len(LARGE)
        assert hashlib.sha256(answer.body).hexdigest() == answer.headers["ETag"]

    def test_events_arrive_one_by_one(self, gate: Gate) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", gate.port, timeout=40)
        connection.request("GET", "/v1/items/events", headers=gate.key())
        response = connection.getresponse()
        for number in range(3):
            assert response.readline() == b"data: %d\n" % number  # the backend waits until we have seen it
            response.readline()
            gate.echo.gate.set()
        assert response.read() == b""
        connection.close()

    def test_refusals_are_small_problem_documents(self, gate: Gate) -> None:
        wanted = {
            404: gate.call("/nothing"),
            400: gate.call("/v1//items"),
            401: gate.refusal("/v1/items", {}),
            413: gate.call("/v1/items", method="POST", body=b"x" * 1_000_001),
            414: gate.call("/" + "a" * 9000),
        }
        for status, answer in wanted.items():
            problem = json.loads(answer.body)
            assert (answer.status, problem["status"], problem["type"]) == (status, status, "about:blank")
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert len(problem["request_id"]) > 10
            assert "nginx/" not in str(answer.headers)
        challenges = " ".join(wanted[401].headers.get_all("WWW-Authenticate", []))
        assert all(challenges.count(word) == 1 for word in ("Basic", "Bearer", "ApiKey"))

    def test_malformed_http_gets_the_same_kind_of_answer(self, gate: Gate) -> None:
        for data in (
            b"GET /v1/items HTTP/1.1\r\n\r\n",
            b"nonsense\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            b"GET /v1/items HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        ):
            answer = gate.raw(data)
            assert answer.split(b" ")[1] == b"400", answer
            assert b"application/problem+json" in answer

    def test_no_request_can_name_the_places_of_refusals(self, gate: Gate) -> None:
        for target in ("/./refused/400", "/%2e/refused/400", "/refused/400", "/@refused_404", "/x/.././refused/400"):
            assert gate.status(target) in (400, 404)
            assert gate.raw(f"GET {target} HTTP/1.0\r\n\r\n".encode()).split(b" ")[1] in (b"400", b"401", b"429")

    def test_the_probe_answers_without_a_key_and_leaves_no_line_in_the_log(self, gate: Gate) -> None:
        answer = gate.call(f"/.exposer/{PROBE}", {})
        assert (answer.status, answer.body.decode()) == (200, ANSWER)
        assert answer.headers["Content-Type"] == "text/plain"
        assert gate.refusal("/.exposer/" + "6" * 40, {}).status == 401

    def test_a_backend_that_is_gone_is_a_502(self, fresh: Gate) -> None:
        fresh.start()
        fresh.echo.close()
        answer = fresh.call("/v1/items")
        assert (answer.status, json.loads(answer.body)["status"]) == (502, 502)

    def test_a_backend_that_says_nothing_is_a_504(self, fresh: Gate) -> None:
        fresh.changes["limits"] = Limits(timeout=0.3)
        fresh.part = fresh.make()
        fresh.start()
        assert fresh.call("/v1/items/silent").status == 504


class TestSecrets:
    def test_the_backends_secret_is_added_and_is_in_no_argument_list_and_no_open_file(self, fresh: Gate) -> None:
        secret = 'Bearer s3cr3t-"$dollar"-\\x-{{ jinja }}'
        fresh.changes["upstream_auth"] = secret_header(secret)
        fresh.part = fresh.make()
        fresh.start()
        assert fresh.call("/v1/items", {"X-API-Key": fresh.keys["alice"]}).status == 200
        assert f"Authorization: {secret}\r\n".encode() in fresh.echo.heads[-1]
        assert fresh.entry is not None
        assert fresh.entry.process is not None
        assert b"s3cr3t" not in Path(f"/proc/{fresh.entry.process.pid}/cmdline").read_bytes()
        for path in fresh.folder.rglob("*"):
            assert path.stat().st_mode & 0o007 == 0, path
            if path.is_file() and b"s3cr3t" in path.read_bytes():
                assert path.stat().st_mode & 0o077 == 0, path

    def test_the_log_tells_who_called_what_and_nothing_else(self, fresh: Gate) -> None:
        fresh.start()
        fresh.call("/v1/items/private-7?secret=query")
        fresh.refusal(f"/v1/items?k={fresh.keys['bob']}", {})
        eventually(lambda: {line["status"] for line in log(fresh)} >= {200, 401})  # each worker writes when it likes
        (line,) = (line for line in log(fresh) if line["key"])
        assert line | {"time": 0, "duration": 0, "request": ""} == {
            "time": 0,
            "key": fresh.key_id("alice"),
            "operation": "GET /v1/items/{id}",
            "method": "GET",
            "status": 200,
            "bytes": 12,
            "duration": 0,
            "request": "",
            "address": "127.0.0.1",
        }
        text = "".join((fresh.folder / name).read_text() for name in ("access.log", "error.log"))
        assert not any(word in text for word in ("private-7", "query", "exp_"))

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root has workers of another user")
    def test_the_workers_of_root_are_not_root(self, gate: Gate) -> None:
        assert gate.entry is not None
        assert gate.entry.process is not None
        workers = gate.part._runner.workers(gate.entry.process)
        assert len(workers) == 2
        for worker in workers:  # a worker begins as root and is somebody else before it answers
            eventually(lambda path=f"/proc/{worker.pid}": Path(path).stat().st_uid != 0)
        assert gate.call("/v1/items").status == 200
        assert gate.folder.stat().st_mode & 0o777 == 0o710


class TestUpstream:
    def test_a_backend_on_a_unix_socket_in_the_gateways_folder(self, fresh: Gate) -> None:
        fresh.changes["upstream"] = "unix:backend.sock"
        fresh.part = fresh.make()
        fresh.start()
        with socket.socket(socket.AF_UNIX) as listener:
            with contextlib.chdir(fresh.folder):
                listener.bind("backend.sock")
            (fresh.folder / "backend.sock").chmod(0o666)  # the folder around it is closed
            listener.listen()
            thread = threading.Thread(target=answer_once, args=(listener,), daemon=True)
            thread.start()
            assert fresh.call("/v1/items?over=unix").body == b"GET /v1/items?over=unix HTTP/1.1"
            thread.join(5)

    @pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
    def test_an_https_backend_is_verified_by_name_and_authority(self, fresh: Gate, tmp_path: Path) -> None:
        good, wrong_name, stranger = (certificate(tmp_path, name) for name in ("localhost", "elsewhere", "localhost"))
        for shown, trusted, status in ((good, good, 200), (wrong_name, wrong_name, 502), (good, stranger, 502)):
            with tls_backend(shown) as port:
                fresh.changes["upstream"] = f"https://localhost:{port}"
                fresh.part = fresh.make(ca=f"{trusted}.crt")
                fresh.start()
                assert fresh.call("/v1/items").status == status, (shown, trusted)
                assert fresh.entry is not None
                fresh.part.stop(fresh.entry)


def answer_once(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        line = connection.recv(65536).split(b"\r\n")[0]
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(line) + line)


def certificate(root: Path, name: str) -> str:
    """A key and a self-signed certificate: PATH.key and PATH.crt."""
    path = f"{root}/{name}-{os.urandom(4).hex()}"
    subprocess.run(
        (
            f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN={name} "
            f"-addext subjectAltName=DNS:{name} -keyout {path}.key -out {path}.crt"
        ).split(),
        check=True,
        capture_output=True,
    )
    return path


@contextlib.contextmanager
def tls_backend(certified: str) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{certified}.crt", f"{certified}.key")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer_over_tls, args=(listener, context), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


def answer_over_tls(listener: socket.socket, context: ssl.SSLContext) -> None:
    with contextlib.suppress(OSError):
        connection, _ = listener.accept()
        with connection, context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(65536)
            secure.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
