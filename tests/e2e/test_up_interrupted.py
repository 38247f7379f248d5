"""`up` is asked to end at its very beginning: the container that it has begun goes with it."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from exposer import procs
from exposer.procs import started_at
from tests.support.backends import engine_runs
from tests.support.eventually import eventually
from tests.support.exposure import Exposure
from tests.support.unlucky import left

pytestmark = [
    pytest.mark.docker,
    pytest.mark.nginx,
    pytest.mark.skipif(not engine_runs(), reason="no Docker engine runs"),
]

# Never healthy, so it is at its beginning however late the signal comes.
CONFIG = """
[backend]
image = "{image}"
port = 8080
health = "/health"
env = {{ SICK = "yes" }}
start_timeout = "110s"
openapi = "./doc.json"

[tunnel]
provider = "local"
"""
DOCUMENT = {
    "openapi": "3.0.3",
    "info": {"title": "t", "version": "1"},
    "paths": {"/request": {"get": {"responses": {"200": {"description": "ok"}}}}},
}
MOMENTS = ["network", "backend"]  # what has just gone on record
ENDS = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]


@pytest.fixture
def contained(make_exposure: Callable[..., Exposure]) -> Iterator[Exposure]:
    from tests.support.images import server_image

    exposure = make_exposure(CONFIG.format(image=server_image()))
    (exposure.folder / "doc.json").write_text(json.dumps(DOCUMENT))
    yield exposure
    exposure.close()


def ours(exposure: Exposure) -> list[str]:
    """Containers and networks that carry this exposure's label."""
    found = []
    for words in (("ps", "-a"), ("network", "ls")):
        argv = ["docker", *words, "-q", "--filter", f"label=io.exposer.name={exposure.name}"]
        found += subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    return found


def roles(exposure: Exposure) -> list[str]:
    found = []
    with suppress(ValueError):  # a line that is just being written
        found = [entry["role"] for entry in exposure.ledger()]
    return found


@pytest.mark.parametrize("number", ENDS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_in_the_foreground_it_is_taken_back(contained: Exposure, moment: str, number: int) -> None:
    with contained.begin("up") as process:
        eventually(lambda: moment in roles(contained), within=30)
        process.send_signal(number)
        text, _ = process.communicate(timeout=60)
    assert process.returncode == 130, text
    assert "Traceback" not in text
    assert ours(contained) == []
    assert not (remains := left(contained)), remains


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_background_process_takes_it_back_by_itself(contained: Exposure, number: int) -> None:
    """Whoever began it is gone, and cannot do it."""
    with contained.begin("up", "-d") as watcher:
        eventually(lambda: "network" in roles(contained), within=30)
        supervisor = contained.pid("supervisor")
        watcher.kill()
        os.kill(supervisor, number)
        watcher.communicate()
    if number == signal.SIGHUP and not procs.wait_until(lambda: not started_at(supervisor), 20):
        os.kill(supervisor, signal.SIGTERM)  # it came late: once it is a supervisor that means "read the config"
    eventually(lambda: not started_at(supervisor), within=60)
    assert ours(contained) == []
    assert not (remains := [line for line in left(contained) if "first key" not in line]), remains


def test_a_second_signal_does_not_keep_it_from_being_taken_back(contained: Exposure) -> None:
    with contained.begin("up") as process:
        eventually(lambda: "network" in roles(contained), within=30)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
        text, _ = process.communicate(timeout=60)
    assert process.returncode == 130, text
    assert ours(contained) == []
    assert not (remains := left(contained)), remains
