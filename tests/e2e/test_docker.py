"""A backend in a container: private, online, adopted after a crash, and gone without a trace."""

import hashlib
import http.client
import json
import os
import signal
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from exposer.procs import started_at
from tests.support.backends import engine_runs
from tests.support.eventually import eventually
from tests.support.exposure import Exposure, get

pytestmark = [
    pytest.mark.docker,
    pytest.mark.nginx,
    pytest.mark.skipif(not engine_runs(), reason="no Docker engine runs"),
]

PATHS = ("/request", "/env", "/big", "/sse", "/more", "/reach", "/quit")
DOCUMENT = {
    "openapi": "3.0.3",
    "info": {"title": "t", "version": "1"},
    "paths": {path: {"get": {"responses": {"200": {"description": "ok"}}}} for path in PATHS},
}


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout.strip()


def ours(exposure: Exposure) -> list[str]:
    """Containers and networks that carry this exposure's label."""
    label = f"label=io.exposer.name={exposure.name}"
    return docker("ps", "-aq", "--filter", label).split() + docker("network", "ls", "-q", "--filter", label).split()


def config(image: str, extra: str = "", top: str = "") -> str:
    return f"""{top}
[backend]
image = "{image}"
port = 8080
health = "/health"
openapi = "./doc.json"
env = {{ API_TOKEN = "env:THE_TOKEN", PLAIN = "yes" }}
{extra}
[tunnel]
provider = "local"
[schema]
include = ["GET /**"]
[limits]
rate = "6000/min"
response = "100MB"
"""


@pytest.fixture
def contained(make_exposure: Callable[..., Exposure], request: pytest.FixtureRequest) -> Iterator[Exposure]:
    """An exposure of a container; the engine of the gateway is the parameter, else `auto`."""
    from tests.support.images import server_image

    top = f'engine = "{request.param}"' if hasattr(request, "param") else ""
    exposure = make_exposure(config(server_image(), top=top))
    exposure.env["THE_TOKEN"] = "tok-3f9c 'quoted'"
    (exposure.folder / "doc.json").write_text(json.dumps(DOCUMENT))
    yield exposure
    exposure.close()
    assert ours(exposure) == []


def container_id(exposure: Exposure) -> str:
    """The backend's container, as the ledger knows it; "" while there is none."""
    return next((entry["container"] for entry in exposure.ledger() if entry["role"] == "backend"), "")


def container_of(exposure: Exposure, role: str = "backend") -> dict:
    identity = [entry for entry in exposure.ledger() if entry["role"] == role][-1]["container"]
    return json.loads(docker("inspect", identity))[0]


@pytest.mark.parametrize("contained", ["process", "docker"], indirect=True)
def test_a_container_is_online_and_only_through_the_gateway(contained: Exposure) -> None:
    contained.up()
    assert f'engine = "{contained.status()["gateway"]["engine"]}"' in contained.file.read_text()
    answer = contained.get("/request?a=1&b=%20x")
    assert answer.status == 200
    assert answer.json()["line"] == "GET /request?a=1&b=%20x HTTP/1.1"
    sent = {name.lower() for name, _ in answer.json()["headers"]}
    assert not sent & {"x-api-key", "authorization", "cookie", "origin"}
    assert contained.get("/request", key="").status == 401
    assert contained.get("/health").status == 404
    big = contained.get("/big")
    assert hashlib.sha256(big.body).hexdigest() == hashlib.sha256(b"0123456789" * 1_000_000).hexdigest()


def test_the_container_is_closed_in(contained: Exposure) -> None:
    contained.up()
    found = container_of(contained)
    host = found["HostConfig"]
    assert host["PortBindings"] in ({}, None)
    assert host["RestartPolicy"]["Name"] in ("no", "")
    assert any("no-new-privileges" in option for option in host["SecurityOpt"])
    assert host["Memory"] > 0
    assert host["PidsLimit"] > 0
    assert found["Config"]["Labels"]["io.exposer.name"] == contained.name
    assert found["Config"]["Labels"]["io.exposer.role"] == "backend"
    (network,) = found["NetworkSettings"]["Networks"]
    assert json.loads(docker("network", "inspect", network))[0]["Internal"] is True


def test_a_secret_reaches_the_container_and_nobody_else(contained: Exposure) -> None:
    contained.up()
    assert contained.get("/env").json()["API_TOKEN"] == "tok-3f9c 'quoted'"
    seen = json.dumps([container_of(contained, role) for role in ("backend", "link")])
    assert "tok-3f9c" not in seen
    for entry in contained.ledger():
        if "pid" in entry and entry["role"] != "supervisor":
            with open(f"/proc/{entry['pid']}/cmdline", "rb") as file:
                assert b"tok-3f9c" not in file.read()
    for root in (contained.state, contained.runtime):
        for path in root.rglob("*"):
            with suppress(FileNotFoundError):  # written anew just then
                assert not path.is_file() or b"tok-3f9c" not in path.read_bytes(), path


def test_events_of_a_stream_arrive_one_by_one(contained: Exposure) -> None:
    contained.up()
    connection = http.client.HTTPConnection(urlsplit(contained.url).netloc, timeout=20)
    connection.request("GET", "/sse?wait", headers={"X-API-Key": contained.key})
    response = connection.getresponse()
    events = 0
    while line := response.readline():
        if line.startswith(b"data:"):
            events += 1
            assert contained.get("/more").status == 200  # the next one is sent only now
    connection.close()
    assert events == 3


def test_a_new_supervisor_takes_over_the_same_container(contained: Exposure) -> None:
    contained.up()
    before = container_of(contained)["Id"]
    supervisor = contained.pid("supervisor")
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: started_at(supervisor) is None)
    assert contained.get("/request").status == 200
    url = contained.url
    contained.up()
    assert contained.url == url
    assert container_of(contained)["Id"] == before


def test_a_container_that_dies_is_started_again(contained: Exposure) -> None:
    contained.up()
    before = container_of(contained)["Id"]
    contained.get("/quit")
    eventually(lambda: container_id(contained) not in ("", before), within=30)
    eventually(lambda: contained.get("/request").status == 200, within=30)
    eventually(lambda: contained.status()["backend"]["restarts"] >= 1)


def test_a_link_that_dies_is_made_anew(contained: Exposure) -> None:
    contained.up()
    before = container_of(contained, "link")["Id"]
    docker("kill", before)
    eventually(lambda: contained.get("/request").status == 200, within=40)
    assert container_of(contained, "link")["Id"] != before


def test_down_removes_containers_and_networks(contained: Exposure) -> None:
    contained.up()
    assert len(ours(contained)) == 3
    assert contained.run("down").returncode == 0
    assert ours(contained) == []


@pytest.mark.parametrize("contained", ["process", "docker"], indirect=True)
def test_panic_ends_the_containers(contained: Exposure) -> None:
    contained.up()
    contained.run("panic")
    assert get(contained.url).status == 0
    assert docker("ps", "-q", "--filter", f"label=io.exposer.name={contained.name}") == ""
    assert contained.run("up", "-d").returncode == 6


def test_panic_can_keep_the_backend_running_without_a_network(contained: Exposure) -> None:
    contained.up()
    contained.run("panic", "--backend", "keep")
    found = container_of(contained)
    assert found["State"]["Running"] is True
    assert found["NetworkSettings"]["Networks"] == {}


def test_a_running_container_is_adopted_and_left_alone_afterwards(make_exposure: Callable[..., Exposure]) -> None:
    from tests.support.images import server_image

    exposure = make_exposure()
    name = f"adopt-{exposure.name}"
    docker("run", "-d", "--name", name, server_image())
    try:
        text = config(server_image()).replace(f'image = "{server_image()}"', f'container = "{name}"')
        exposure.write("\n".join(line for line in text.splitlines() if not line.startswith("env =")))
        (exposure.folder / "doc.json").write_text(json.dumps(DOCUMENT))
        exposure.up()
        assert exposure.get("/request").status == 200
        exposure.run("down")
        assert docker("inspect", "-f", "{{.State.Running}}", name) == "true"
        exposure.up()
        exposure.run("panic")
        assert get(exposure.url).status == 0
        assert docker("inspect", "-f", "{{.State.Running}}", name) == "true"
    finally:
        docker("rm", "-f", name)


def test_a_folder_is_built_and_run(make_exposure: Callable[..., Exposure]) -> None:
    from tests.support.images import server_image

    exposure = make_exposure()
    (exposure.folder / "Dockerfile").write_text(f"FROM {server_image()}\nENV BUILT=yes\nCOPY . /whole\n")
    text = config(server_image()).replace(f'image = "{server_image()}"', 'build = "."')
    exposure.write(text)
    exposure.env["THE_TOKEN"] = "x"
    (exposure.folder / "doc.json").write_text(json.dumps(DOCUMENT))
    exposure.up()
    assert exposure.get("/env").json()["BUILT"] == "yes"
    whole = exposure.folder.parent / "whole.tar"
    docker("export", "-o", str(whole), container_id(exposure))
    with tarfile.open(whole) as tar:
        top = {member.name.split("/")[1] for member in tar if member.name.startswith("whole/")}
    assert "doc.json" in top
    assert not top & {exposure.state.name, exposure.runtime.name}  # keys have no business in an image
