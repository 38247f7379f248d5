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
from exposer.openapi.read import MAX_PIECES, Reader, candidates, read

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


SPLIT = {"openapi": "3.0.3", "info": {"title": "T", "version": "1"}, "paths": {"/a": {"$ref": "../paths/a.yaml"}}}
PIECE = b"get: {operationId: a, responses: {200: {description: fine}}}"


def test_pieces_are_read_from_the_backend_with_its_login(backend: Stage) -> None:
    backend.says("/docs/openapi.json", json.dumps(SPLIT).encode())
    backend.says("/paths/a.yaml", PIECE)
    document = read("/docs/openapi.json", backend.url, headers=LOGIN)
    assert document.data["paths"]["/a"]["get"]["operationId"] == "a"
    assert [headers["x-upstream"] for _, headers in backend.asked] == ["hunter2", "hunter2"]


def test_pieces_are_read_over_a_unix_socket(tmp_path: Path) -> None:
    stage = Stage()
    stage.says("/docs/openapi.json", json.dumps(SPLIT).encode())
    stage.says("/paths/a.yaml", PIECE)
    path = str(tmp_path / "backend.sock")
    end = serve(UnixServer(path, stage.handler()))
    try:
        assert read("/docs/openapi.json", f"unix:{path}", headers=LOGIN).data["paths"]["/a"]["get"]
    finally:
        end()


def test_a_piece_on_another_host_is_never_asked_for(backend: Stage, stranger: Stage) -> None:
    stranger.says("/a.yaml", PIECE)
    for ref in (f"{stranger.url}/a.yaml", stranger.url.removeprefix("http:") + "/a.yaml", "file:///etc/hostname"):
        document = {**SPLIT, "paths": {"/a": {"$ref": ref}}}
        backend.says("/openapi.json", json.dumps(document).encode())
        assert "is never asked for" in refused("/openapi.json", backend.url).message
    assert stranger.asked == []


def test_a_piece_that_redirects_away_is_not_followed(backend: Stage, stranger: Stage) -> None:
    backend.says("/docs/openapi.json", json.dumps(SPLIT).encode())
    backend.says("/paths/a.yaml", status=302, Location=f"{stranger.url}/a.yaml")
    assert "another host" in refused("/docs/openapi.json", backend.url).message
    assert stranger.asked == []


def test_a_piece_that_cannot_be_had_just_now_is_an_error_and_one_that_is_gone_is_not(backend: Stage) -> None:
    backend.says("/docs/openapi.json", json.dumps(SPLIT).encode())
    backend.says("/paths/a.yaml", status=503)
    assert refused("/docs/openapi.json", backend.url).transient
    backend.says("/paths/a.yaml", status=404)
    assert read("/docs/openapi.json", backend.url, headers={}).data["paths"] == {"/a": {}}


def test_the_limit_is_for_all_pieces_together(backend: Stage) -> None:
    paths = {f"/{number}": {"$ref": f"{number}.yaml"} for number in range(4)}
    backend.says("/openapi.json", json.dumps({**SPLIT, "paths": paths}).encode())
    for number in range(4):
        backend.says(f"/{number}.yaml", PIECE + b" " * 1000)
    assert len(read("/openapi.json", backend.url, headers={}, limit=5000).data["paths"]) == 4
    assert "not read" in refused("/openapi.json", backend.url, limit=3000).message


def test_a_document_over_very_many_files_is_refused(tmp_path: Path) -> None:
    paths = {f"/{number}": {"$ref": f"{number}.yaml"} for number in range(MAX_PIECES + 1)}
    (tmp_path / "openapi.json").write_text(json.dumps({**SPLIT, "paths": paths}))
    for number in range(MAX_PIECES + 1):
        (tmp_path / f"{number}.yaml").write_bytes(PIECE)
    assert "more than 300 files" in refused(f"file:{tmp_path}/openapi.json", "").message


def test_pieces_of_a_file_lie_below_its_folder(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    (docs / "paths").mkdir(parents=True)
    (tmp_path / "paths").mkdir()
    (tmp_path / "paths" / "a.yaml").write_bytes(PIECE)
    (docs / "paths" / "a b.yaml").write_bytes(PIECE)
    (docs / "link.yaml").symlink_to(tmp_path / "paths" / "a.yaml")
    for ref in (
        "../paths/a.yaml",
        "link.yaml",
        f"{tmp_path}/paths/a.yaml",
        "paths/../../paths/a.yaml",
        "%2e%2e/paths/a.yaml",
    ):
        (docs / "openapi.json").write_text(json.dumps({**SPLIT, "paths": {"/a": {"$ref": ref}}}))
        assert "not beside it" in refused(f"file:{docs}/openapi.json", "").message
    for ref in ("paths/a%20b.yaml", "./paths/a b.yaml", "paths\\a b.yaml"):
        (docs / "openapi.json").write_text(json.dumps({**SPLIT, "paths": {"/a": {"$ref": ref}}}))
        assert "get" in read(f"file:{docs}/openapi.json", "", headers={}).data["paths"]["/a"]


def test_a_document_that_has_not_changed_is_the_very_same(backend: Stage) -> None:
    backend.says("/openapi.json", DOCUMENT)
    reader = Reader("/openapi.json", backend.url)
    first = reader.read(headers=LOGIN)
    assert reader.read(headers=LOGIN) is first
    backend.says("/openapi.json", DOCUMENT.replace(b'"/a"', b'"/b"'))
    second = reader.read(headers=LOGIN)
    assert (list(second.data["paths"]), len(backend.asked)) == (["/b"], 3)
    assert reader.read(headers={}) is not second


def test_a_server_that_knows_etags_is_asked_for_changes_only(backend: Stage) -> None:
    backend.says("/openapi.json", DOCUMENT, ETag='"1"', Last_Modified="Thu, 01 Jan 2026 00:00:00 GMT")
    reader = Reader("/openapi.json", backend.url)
    first = reader.read(headers=LOGIN)
    backend.says("/openapi.json", status=304)
    assert reader.read(headers=LOGIN) is first
    assert reader.read(headers=LOGIN) is first
    asked = backend.asked[-1][1]
    assert (asked["if-none-match"], asked["if-modified-since"]) == ('"1"', "Thu, 01 Jan 2026 00:00:00 GMT")
    assert "if-none-match" not in backend.asked[0][1]


def test_not_modified_without_a_question_is_no_document(backend: Stage) -> None:
    backend.says("/openapi.json", status=304)
    assert "status 304" in refused("/openapi.json", backend.url).message


def test_a_change_in_a_piece_is_a_change(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "openapi.json").write_text(
        json.dumps({**SPLIT, "paths": {"/a": {"$ref": "a.yaml"}, "/b": {"$ref": "b.yaml"}}})
    )
    (docs / "a.yaml").write_bytes(PIECE)
    reader = Reader(f"file:{docs}/openapi.json", "")
    first = reader.read(headers={})
    assert reader.read(headers={}) is first
    (docs / "a.yaml").write_bytes(PIECE.replace(b": a,", b": changed,"))
    second = reader.read(headers={})
    assert second.data["paths"]["/a"]["get"]["operationId"] == "changed"
    (docs / "b.yaml").write_bytes(PIECE)
    assert "get" in reader.read(headers={}).data["paths"]["/b"]


def test_after_a_broken_reading_the_good_one_is_still_known(backend: Stage) -> None:
    backend.says("/openapi.json", DOCUMENT)
    reader = Reader("/openapi.json", backend.url)
    first = reader.read(headers={})
    for body, status in ((b"{", 200), (b"", 500)):
        backend.says("/openapi.json", body, status=status)
        with pytest.raises(DocumentError):
            reader.read(headers={})
    backend.says("/openapi.json", DOCUMENT)
    assert reader.read(headers={}) is first
