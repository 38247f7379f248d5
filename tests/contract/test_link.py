"""The link changes nothing between the gateway and the backend, with the real engine and nginx."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exposer import wire
from exposer.engine import client as engine
from exposer.engine.image import nginx_image
from exposer.procs import Entry
from tests.support import images
from tests.support.backends import Stage, ask, engine_runs, inspect
from tests.support.eventually import eventually

READY = engine_runs()
pytestmark = [
    pytest.mark.docker,
    pytest.mark.nginx,
    pytest.mark.skipif(not READY, reason="no running Docker engine"),
    pytest.mark.skipif(shutil.which("nginx") is None, reason="no nginx on PATH"),
]


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entry]:
    root = tmp_path_factory.mktemp("link")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPOSER_STATE_DIR", str(root / "state"))
        stage = Stage(root)
        try:
            yield stage.start(kind="image", image=images.server_image())[1]
        finally:
            engine.remove_all(stage.name)


def connect(entry: Entry) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(30)
    with wire.short_socket_path(entry.detail["upstream"].removeprefix("unix:")) as path:
        connection.connect(path)
    return connection


def test_ten_megabytes_go_through_unchanged_both_ways(entry: Entry) -> None:
    data = os.urandom(10_000_000)
    answer = wire.request(entry.detail["upstream"], "/echo", method="POST", body=data, timeout=60)
    assert json.loads(answer.body) == {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    answer = wire.request(entry.detail["upstream"], "/big", timeout=60, limit=20_000_000)
    assert answer.body == b"0123456789" * 1_000_000


def test_a_chunked_body_goes_through(entry: Entry) -> None:
    with connect(entry) as connection:
        connection.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b"5\r\nhello\r\n0\r\n\r\n")
        said = b"".join(iter(lambda: connection.recv(65536), b""))
    assert hashlib.sha256(b"hello").hexdigest().encode() in said


def test_a_look_leaves_no_connection_to_the_backend_behind(entry: Entry) -> None:
    assert entry.process is not None
    table = Path(f"/proc/{entry.process.pid}/net/tcp")  # of the backend's own network

    def connections() -> list[str]:
        return [line for line in table.read_text().splitlines() if line.split()[3] == "01"]

    wire.request(entry.detail["upstream"], "/health", headers={"Connection": "close"})
    eventually(lambda: not connections())
    eventually(lambda: wire.request(entry.detail["upstream"], "/health") and connections())  # a caller's is kept


def test_events_come_one_by_one_when_they_happen(entry: Entry) -> None:
    """They are two seconds apart; whoever looks too late to see that looks at others."""
    eventually(lambda: between_events(entry) > 0.5)


def between_events(entry: Entry) -> float:
    """How long after the first of three the last one came."""
    with connect(entry) as connection:
        connection.sendall(b"GET /sse HTTP/1.1\r\nHost: x\r\n\r\n")
        arrivals: dict[bytes, float] = {}
        said = b""
        while chunk := connection.recv(65536):
            said += chunk
            for number in (b"data: 0", b"data: 1", b"data: 2"):
                if number in said:
                    arrivals.setdefault(number, time.monotonic())
            if len(arrivals) == 3:
                break
    first, _, third = arrivals.values()
    return third - first


@pytest.mark.parametrize("path", ["/request?a=%20b&c=d;e", "/request/%2e%2e/x%2Fy", "//request//", "/%7Erequest"])
def test_the_request_line_is_the_callers(entry: Entry, path: str) -> None:
    wire.request(entry.detail["upstream"], path)
    container = entry.ids["container"]

    def logged() -> str:
        return subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True).stdout

    eventually(lambda: f'"GET {path} HTTP/1.1"' in logged())


def test_headers_pass_as_they_are_and_none_is_added(entry: Entry) -> None:
    sent = {
        "Host": "api.example:81",
        "X_Under_Score": "1",
        "x.dot": "2",
        "X-Empty": "",
        "Accept-Encoding": "br",
    }
    got = ask(entry, "/request", headers=sent)["headers"]
    assert dict(got) == sent | {"User-Agent": "exposer"}


def test_the_answers_headers_pass_too(entry: Entry) -> None:
    answer = wire.request(entry.detail["upstream"], "/request")
    assert answer.headers["set-cookie"] == "a=1"
    assert answer.headers["server"].startswith("BaseHTTP")


def test_one_connection_serves_many_requests(entry: Entry) -> None:
    with connect(entry) as connection:
        for _ in range(3):
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            said = b""
            while not said.endswith(b"}"):
                said += connection.recv(65536)
            assert said.startswith(b"HTTP/1.1 200")


def test_the_image_of_this_machines_nginx_is_made_once(entry: Entry) -> None:
    told: list[str] = []
    with engine.open_engine() as client:
        first = nginx_image(client, "", "", told.append)
        second = nginx_image(client, "", "", told.append)
    assert first == second == inspect(entry.detail["link"]["container"])["Image"]
    assert told == []
    labels = inspect(first)["Config"]["Labels"]
    assert labels.pop("io.exposer.from")
    assert labels == {"io.exposer.image": "nginx"}


def test_an_nginx_image_of_ones_own_is_taken_as_it_is(entry: Entry) -> None:
    with engine.open_engine() as client:
        assert nginx_image(client, images.server_image(), "", print) == inspect(images.server_image())["Id"]


def test_the_link_writes_nothing_about_requests(entry: Entry) -> None:
    wire.request(entry.detail["upstream"], "/health?token=s3cret")
    link = entry.detail["link"]["container"]
    said = subprocess.run(["docker", "logs", link], capture_output=True, text=True, check=True)
    assert said.stdout + said.stderr == ""


def test_only_the_gateways_workers_may_pass_to_the_socket(entry: Entry) -> None:
    path = Path(entry.detail["upstream"].removeprefix("unix:"))
    assert path.parent.stat().st_mode & 0o007 == 0
    assert path.parent.stat().st_mode & 0o060 == 0
    assert path.stat().st_mode & 0o777 == 0o666
    assert inspect(entry.detail["link"]["container"])["Config"]["User"] == f"{os.geteuid()}:{os.getegid()}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a worker")
def test_an_unprivileged_worker_gets_through_from_the_gateways_folder(entry: Entry) -> None:
    from exposer.backends import link

    gateway = Path(entry.detail["upstream"].removeprefix("unix:")).parent.parent
    code = "import socket; s = socket.socket(socket.AF_UNIX); s.connect('up/backend.sock'); print('through')"
    before = gateway.stat()
    os.chown(gateway, 0, link.worker_group() or 0)
    gateway.chmod(0o710)
    try:
        done = subprocess.run(
            ["/usr/bin/python3", "-I", "-c", code],
            cwd=gateway,
            user=65534,
            group=link.worker_group(),
            extra_groups=[],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        gateway.chmod(before.st_mode)
    assert done.stdout == "through\n", done.stderr
