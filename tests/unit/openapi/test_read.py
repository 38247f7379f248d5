import json
import os
import socketserver
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from exposer.openapi.model import DocumentError
from exposer.openapi.read import candidates, read

DOCUMENT = json.dumps({"openapi": "3.0.3", "paths": {"/a": {}}, "servers": [{"url": "api"}]}).encode()
LOGIN = {"X-Upstream": "hunter2"}


class Stage:
    """A backend on loopback that answers as told and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.url = ""

    def says(self, path: str, body: bytes = b"", status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[path] = (status, named, body)

    def handler(self) -> type[BaseHTTPRequestHandler]:
        stage = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stage.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                status, headers, body = stage.answers.get(self.path, (404, {}, b"no"))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self) -> tuple[Any, Any]:
        return self.socket.accept()[0], ("unix", 0)


def serve(server: socketserver.BaseServer) -> Callable[[], None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return end


def start() -> tuple[Stage, Callable[[], None]]:
    stage = Stage()
    server = ThreadingHTTPServer(("127.0.0.1", 0), stage.handler())
    stage.url = f"http://127.0.0.1:{server.server_address[1]}"
    return stage, serve(server)


@pytest.fixture
def backend() -> Iterator[Stage]:
    stage, end = start()
    yield stage
    end()


@pytest.fixture
def stranger() -> Iterator[Stage]:
    stage, end = start()
    yield stage
    end()


def refused(source: str, upstream: str, **more: Any) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        read(source, upstream, headers=LOGIN, **more)
    assert "hunter2" not in caught.value.message + caught.value.hint
    assert caught.value.hint
    return caught.value


def test_a_document_is_read_from_the_backend_with_its_login(backend: Stage) -> None:
    backend.says("/docs/openapi.json?v=1", DOCUMENT)
    document = read("/docs/openapi.json?v=1", backend.url, headers=LOGIN)
    assert (document.spec, document.source) == ("3.0.3", "/docs/openapi.json?v=1")
    assert document.base_path == "/docs/api"
    assert backend.asked[0][1]["x-upstream"] == "hunter2"


@pytest.mark.parametrize("kind", ["text/plain", "text/x-yaml", "application/vnd.oai.openapi", "text/html"])
def test_the_media_type_does_not_matter(backend: Stage, kind: str) -> None:
    backend.says("/spec", b"swagger: 2.0\nbasePath: /api/v1\npaths: {}\n", content_type=kind)
    document = read("/spec", backend.url, headers={})
    assert (document.spec, document.base_path) == ("2.0", "/api/v1")


def test_a_document_is_read_over_a_unix_socket(tmp_path: Path) -> None:
    stage = Stage()
    stage.says("/old", status=302, Location="http://backend/openapi.json")
    stage.says("/openapi.json", DOCUMENT)
    path = str(tmp_path / "backend.sock")
    end = serve(UnixServer(path, stage.handler()))
    try:
        assert read("/old", f"unix:{path}", headers=LOGIN).base_path == "/api"
    finally:
        end()
    assert [headers["x-upstream"] for _, headers in stage.asked] == ["hunter2", "hunter2"]


def test_a_document_elsewhere_is_read_without_the_backends_login(backend: Stage, stranger: Stage) -> None:
    stranger.says("/openapi.json", DOCUMENT)
    document = read(f"{stranger.url}/openapi.json#top", backend.url, headers=LOGIN)
    assert document.base_path == ""
    assert "x-upstream" not in stranger.asked[0][1]


def test_the_backends_own_address_written_out_is_still_the_backend(backend: Stage) -> None:
    backend.says("/openapi.json", DOCUMENT)
    assert read(f"{backend.url}/openapi.json", backend.url, headers=LOGIN).base_path == "/api"
    assert backend.asked[0][1]["x-upstream"] == "hunter2"


def test_redirects_on_the_same_host_are_followed(backend: Stage) -> None:
    backend.says("/1", status=301, Location="/2")
    backend.says("/2", status=307, Location=f"{backend.url}/docs/3")
    backend.says("/docs/3", status=308, Location="4?x=y z")
    backend.says("/docs/4?x=y%20z", DOCUMENT)
    assert read("/1", backend.url, headers=LOGIN).base_path == "/docs/api"
    assert len(backend.asked) == 4


def test_a_fourth_redirect_is_too_many(backend: Stage) -> None:
    backend.says("/1", status=302, Location="/1")
    assert "redirected more than 3 times" in refused("/1", backend.url).message
    assert len(backend.asked) == 4


def test_a_redirect_to_somebody_else_is_not_followed(backend: Stage, stranger: Stage) -> None:
    stranger.says("/openapi.json", DOCUMENT)
    targets = [f"{stranger.url}/openapi.json", stranger.url.replace("http:", "") + "/openapi.json"]
    targets += [
        "file:///etc/passwd",
        "https://127.0.0.1/x",
        "http://[bad",
        backend.url.replace("//", "//u:p@") + "/x",
    ]
    for target in targets:
        backend.says("/openapi.json", status=302, Location=target)
        assert "another host" in refused("/openapi.json", backend.url).message
    assert stranger.asked == []


@pytest.mark.parametrize(
    ("status", "says", "hint"),
    [
        (401, "needs a login", "the document needs the backend's own login: set backend.auth"),
        (403, "needs a login", "set backend.auth"),
        (404, "there is no document", "remove backend.openapi and list calls in schema.include"),
        (410, "there is no document", "schema.include"),
        (302, "status 302", "exposer logs"),
        (500, "status 500", "exposer logs"),
    ],
)
def test_a_refusal_says_what_to_do(backend: Stage, status: int, says: str, hint: str) -> None:
    backend.says("/openapi.json", b"{}", status=status)
    error = refused("/openapi.json", backend.url)
    assert says in error.message
    assert hint in error.hint
    assert error.transient == (status >= 500)


def test_a_web_page_is_told_from_a_document(backend: Stage) -> None:
    backend.says("/docs", b"<!doctype html><title>Swagger UI</title>")
    error = refused("/docs", backend.url)
    assert "this is a web page, not a document" in error.message
    assert candidates[0] in error.hint


def test_a_document_over_the_limit_is_not_read(backend: Stage, tmp_path: Path) -> None:
    backend.says("/openapi.json", DOCUMENT + b" " * 5000)
    assert "more than 4,000 bytes" in refused("/openapi.json", backend.url, limit=4000).message
    file = tmp_path / "openapi.json"
    file.write_bytes(DOCUMENT + b" " * 5000)
    assert f"has {len(DOCUMENT) + 5000:,} bytes" in refused(f"file:{file}", "", limit=4000).message


def test_a_backend_that_does_not_answer_may_do_so_later(tmp_path: Path) -> None:
    assert refused("/openapi.json", f"unix:{tmp_path}/none.sock").transient


def test_a_login_that_cannot_be_sent_is_not_shown(backend: Stage) -> None:
    for value in ("hunter2\nX: y", "hunter2€"):
        with pytest.raises(DocumentError) as caught:
            read("/openapi.json", backend.url, headers={"X-Upstream": value})
        assert "hunter2" not in f"{caught.value.message} {caught.value.__cause__}"
    assert backend.asked == []


@pytest.mark.parametrize("prefix", ["file:", "file://"])
def test_a_document_is_read_from_a_file(tmp_path: Path, prefix: str) -> None:
    file = tmp_path / "openapi.yaml"
    file.write_text("openapi: 3.1.0\nservers: [{url: api}]\npaths: {}\n")
    document = read(f"{prefix}{file}", "", headers=LOGIN)
    assert (document.spec, document.base_path) == ("3.1.0", "")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert "no such file" in refused(f"file:{tmp_path}/none.json", "").message
    assert "not a file" in refused(f"file:{tmp_path}", "").message
    os.mkfifo(tmp_path / "pipe")
    assert "not a file" in refused(f"file:{tmp_path}/pipe", "").message
    for source in ("file:openapi.json", "file:", "file://host/openapi.json", "file:/a\0b"):
        assert "file:" in refused(source, "").message


@pytest.mark.parametrize(
    "source",
    ["", "openapi.json", "ftp://x.example/a", "http://", "http://[bad", "https://u:hunter2@x.example/a"],
)
def test_a_source_that_cannot_be_asked_is_told(source: str) -> None:
    assert "backend.openapi" in refused(source, "http://127.0.0.1:1").message


@pytest.mark.parametrize("host", ["a..b", "x" * 70, "no such.example", "a\x00b"])
def test_a_host_with_an_impossible_name_is_told(host: str) -> None:
    assert refused(f"http://{host}/openapi.json", "http://127.0.0.1:1").message


def test_references_to_other_files_are_left_alone(backend: Stage) -> None:
    split = {"openapi": "3.0.3", "paths": {"/a": {"$ref": "paths/a.yaml"}}}
    backend.says("/openapi.json", json.dumps(split).encode())
    assert read("/openapi.json", backend.url, headers={}).data["paths"] == split["paths"]
    assert len(backend.asked) == 1
