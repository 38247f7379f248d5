"""The kill switch and a Docker engine that is not itself, or not one at all."""

import json
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exposer.procs import Entry
from tests.contract.test_panic import ALL, Engine, Exposure, exposed, nowhere
from tests.support.eventually import eventually
from tests.support.serving import serving

__all__ = ["nowhere"]


@pytest.fixture
def exposure(tmp_path: Path) -> Iterator[Exposure]:
    with exposed(tmp_path) as made:
        yield made


@contextmanager
def says(path: Path, get: bytes, post: bytes = b"", status: int = 200) -> Iterator[list[str]]:
    """An engine that answers every question so, and each order."""

    class Handler(Engine):
        asked: list[str] = []

        def do_GET(self) -> None:
            self.say(get)

        def do_POST(self) -> None:
            self.asked.append(self.path)
            self.say(post)

        def say(self, text: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    with serving(socketserver.UnixStreamServer(str(path), Handler)):
        yield Handler.asked


HUGE = b'["' + b"x" * 5_000_000 + b'"]'
NONSENSE = [b"<html>", b"", b"{}", b"[1, 2]", b"null", b"[" * 5000, b'[{"Labels": {}}]', HUGE]


@pytest.mark.parametrize("answer", NONSENSE, ids=lambda answer: repr(answer[:20]))
def test_an_answer_without_sense_is_not_taken_for_no_containers(exposure: Exposure, answer: bytes) -> None:
    with says(exposure.root / "docker.sock", answer):
        done = exposure.panic()
    assert done.returncode == 1
    assert "the Docker engine: its answer makes no sense" in done.stderr
    eventually(lambda: exposure.dead(*ALL))


@pytest.mark.parametrize(("answer", "status"), [(b"<html>", 200), (b'{"a": 1}', 200), (b"", 301)])
def test_an_order_is_done_only_when_the_engine_says_so(exposure: Exposure, answer: bytes, status: int) -> None:
    exposure.ledger.append(Entry("backend", ids={"container": "one"}))
    with says(exposure.root / "docker.sock", b"[]", answer, status) as asked:
        done = exposure.panic()
    assert asked == ["/containers/one/kill"]
    assert done.returncode == 1
    assert "the Docker engine" in done.stderr


def test_what_can_be_understood_is_ended_all_the_same(exposure: Exposure) -> None:
    with says(exposure.root / "docker.sock", json.dumps([5, {"Id": "one", "Labels": None}, {}]).encode()) as asked:
        assert exposure.panic().returncode == 1
    assert asked == ["/containers/one/kill"]


def test_a_kept_backend_that_cannot_be_taken_off_its_networks_is_said(exposure: Exposure) -> None:
    exposure.ledger.append(Entry("backend", ids={"container": "one"}))
    with says(exposure.root / "docker.sock", b"[]"):
        done = exposure.panic("--backend", "keep")
    assert done.returncode == 1
    assert "the Docker engine: its answer makes no sense" in done.stderr


def test_an_id_that_is_none_is_said_and_leads_nowhere_else(exposure: Exposure) -> None:
    for container in ("\ud800", "one/../two", "three?x=/"):
        exposure.ledger.append(Entry("link", ids={"container": container}))
    with says(exposure.root / "docker.sock", b"[]") as asked:
        done = exposure.panic()
    assert sorted(asked) == ["/containers/one%2F..%2Ftwo/kill", "/containers/three%3Fx%3D%2F/kill"]
    assert done.returncode == 1
    assert "the Docker engine: " in done.stderr
