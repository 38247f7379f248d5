"""One request with a limit on everything: time, size, and whom it trusts."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exposer.wire import Answer, NoAnswerError, request

Serve = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def listening(handle: Serve, listener: socket.socket | None = None) -> Iterator[str]:
    """A server that gives each connection to `handle`; the requests that came are in its log."""
    listener = listener or socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve() -> None:
        listener.settimeout(0.05)
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(5)
                try:
                    handle(connection)
                except OSError:  # the client may leave whenever it likes
                    pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield "" if listener.family == socket.AF_UNIX else f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        thread.join()
        listener.close()


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data and (chunk := connection.recv(65536)):
        data += chunk
    return data


def answering(answer: bytes, seen: list[bytes] | None = None) -> Serve:
    def handle(connection: socket.socket) -> None:
        got = read_request(connection)
        if seen is not None:
            seen.append(got)
        connection.sendall(answer)

    return handle


def dripping(start: bytes, drop: bytes) -> Serve:
    """Sends a byte now and then, always before a single read would time out."""

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(start)
        for _ in range(1000):
            threading.Event().wait(0.1)
            connection.sendall(drop)

    return handle


def refused(base: str, path: str = "/", **more: object) -> NoAnswerError:
    with pytest.raises(NoAnswerError) as caught:
        request(base, path, **more)  # type: ignore[arg-type]
    return caught.value


def test_an_answer_has_its_status_its_headers_and_its_body() -> None:
    said = b"HTTP/1.1 404 No\r\nX-Kind: one\r\nx-kind: two\r\nContent-Length: 4\r\n\r\nnope"
    with listening(answering(said)) as base:
        answer = request(base, "/x")
    assert answer == Answer(404, {"x-kind": "two", "content-length": "4"}, b"nope")


def test_path_method_headers_and_body_arrive_as_given() -> None:
    seen: list[bytes] = []
    with listening(answering(OK, seen)) as base:
        request(base, "/a%2Fb/../c?x=%20&y", method="POST", headers={"X-API-Key": "k"}, body=b"hi")
    lines = seen[0].split(b"\r\n")
    assert lines[0] == b"POST /a%2Fb/../c?x=%20&y HTTP/1.1"
    assert b"X-API-Key: k" in lines
    assert b"Content-Length: 2" in lines


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(status: int) -> None:
    seen: list[bytes] = []
    with listening(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", seen)) as elsewhere:
        moved = f"HTTP/1.1 {status} Moved\r\nLocation: {elsewhere}/stolen\r\nContent-Length: 0\r\n\r\n".encode()
        with listening(answering(moved)) as base:
            answer = request(base, "/", headers={"Authorization": "Bearer geheim"})
    assert (answer.status, answer.headers["location"]) == (status, f"{elsewhere}/stolen")
    assert seen == []


def test_a_proxy_in_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with listening(answering(OK)) as base:
        assert request(base, "/").body == b"ok"


@pytest.mark.parametrize("framing", ["length", "chunked", "until closed"])
def test_a_body_over_the_limit_is_refused_and_one_at_the_limit_is_not(framing: str) -> None:
    def answer(size: int) -> bytes:
        head, body = b"HTTP/1.1 200 OK\r\n", b"x" * size
        match framing:
            case "length":
                return head + f"Content-Length: {size}\r\n\r\n".encode() + body
            case "chunked":
                return head + b"Transfer-Encoding: chunked\r\n\r\n" + f"{size:x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
            case _:
                return head + b"Connection: close\r\n\r\n" + body

    with listening(answering(answer(5000))) as base:
        assert request(base, "/", limit=5000).body == b"x" * 5000
    with listening(answering(answer(5001))) as base:
        assert refused(base, limit=5000).stage == "size"


def test_an_endless_body_is_refused_early() -> None:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with listening(handle) as base:
        assert refused(base, limit=100_000).stage == "size"


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
    ],
)
def test_whoever_drips_does_not_get_more_time(start: bytes, drop: bytes) -> None:
    with listening(dripping(start, drop)) as base:
        begun = time.monotonic()
        error = refused(base, timeout=0.5)
        assert time.monotonic() - begun < 60
    assert error.stage == "answer"


def test_whoever_accepts_and_says_nothing_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        begun = time.monotonic()
        error = refused(f"http://127.0.0.1:{deaf.getsockname()[1]}", timeout=0.3)
        assert 0.2 < time.monotonic() - begun < 60
    assert error.stage == "answer"


def test_whoever_takes_nothing_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        begun = time.monotonic()
        body = b"x" * 50_000_000
        assert (
            refused(f"http://127.0.0.1:{deaf.getsockname()[1]}", method="POST", body=body, timeout=0.5).stage
            == "answer"
        )
        assert time.monotonic() - begun < 60


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\x00\x01\x02\x03",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"<html>hello</html>",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
        b"y" * 100_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
def test_garbage_is_no_answer(garbage: bytes) -> None:
    with listening(answering(garbage)) as base:
        error = refused(base, timeout=3)
    assert error.stage == "answer"
    assert len(error.message) < 400


def test_an_answer_that_ends_too_early_is_no_answer() -> None:
    """Half a document must not be taken for the whole one."""
    with listening(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 400)) as base:
        error = refused(base)
    assert error.stage == "answer"
    assert "cut short" in error.message


def test_the_answer_to_head_has_a_length_and_no_body() -> None:
    with listening(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")) as base:
        assert request(base, "/", method="HEAD").body == b""


def test_nobody_there_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert refused(f"http://127.0.0.1:{port}").stage == "connect"


@pytest.mark.parametrize(
    "base",
    [
        "",
        "127.0.0.1:80",
        "http://",
        "http://:80",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:x",
        "http://[::1",
        "http://" + "a" * 70 + ".invalid",
        "unix:/no\0where",
        "unix:/no/where.sock",
        "unix:/no/" + "where/" * 30 + "x.sock",
    ],
)
def test_what_is_no_address_is_no_answer(base: str) -> None:
    assert refused(base, timeout=1).stage in ("resolve", "connect")


@pytest.mark.parametrize("headers", [{"X-API-Key": "geheim\r\nX: y"}, {"X-API-Key": "geheim\u20ac"}, {"geheim\n": "x"}])
def test_a_header_that_cannot_be_sent_is_not_told(headers: dict[str, str]) -> None:
    with listening(answering(OK)) as base:
        error = refused(base, headers=headers)
    assert "geheim" not in repr(error) + error.message + error.hint
    assert error.__suppress_context__


@pytest.mark.parametrize("path", ["/geheim\r\nX: y", "/geheim x", "/geheim\u20ac", "/geheim\0"])
def test_a_path_that_cannot_be_sent_is_not_told(path: str) -> None:
    with listening(answering(OK)) as base:
        error = refused(base, path)
    assert "geheim" not in repr(error) + error.message
    assert error.__suppress_context__


@pytest.mark.parametrize("depth", [0, 3, 12])
def test_a_unix_socket_answers_however_long_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, depth: int
) -> None:
    folder = tmp_path.joinpath(*["a-long-name-of-a-folder"] * depth)
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(folder)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind("x.sock")
    listener.listen()
    if depth == 12:
        assert len(str(folder / "x.sock")) > 108
    with listening(answering(OK), listener):
        assert request(f"unix:{folder}/x.sock", "/").body == b"ok"


def test_it_leaves_no_socket_open_whatever_happens() -> None:
    """`filterwarnings = error` makes a socket that is forgotten fail the test."""
    import gc

    gc.collect()  # what other tests have left
    before = len(list(Path("/proc/self/fd").iterdir()))
    for answer in (OK, b"garbage", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok"):
        with listening(answering(answer)) as base:
            for _ in range(5):
                try:
                    request(base, "/", limit=1)
                except NoAnswerError:
                    pass
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
