"""The gateway in a container, before a backend in a container, with the real engine."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from exposer import procs, wire
from exposer.config.model import Auth, Limits
from exposer.engine import client as engine
from exposer.errors import ConfigError
from exposer.gateway.container import ContainerNginx
from exposer.gateway.folder import DOOR
from exposer.gateway.host import find_nginx, scripting
from exposer.gateway.nginx import NginxProcess
from exposer.gateway.policy import compile as compile_policy
from exposer.keys import ring as rings
from exposer.keys.model import Ring
from exposer.openapi.model import Operation
from exposer.procs import Entry
from tests.support import images
from tests.support.backends import Stage, docker, engine_runs, inspect, left_over
from tests.support.keys import spoiled

pytestmark = [
    pytest.mark.docker,
    pytest.mark.nginx,
    pytest.mark.skipif(not engine_runs(), reason="no running Docker engine"),
]

NOW = 1_000_000.0
PUBLISHED = (Operation("env", "GET", "/request", "/request"),)


class Front:
    """A gateway before a backend, and the keys for it."""

    def __init__(self, stage: Stage, upstream: str) -> None:
        self.stage = stage
        self.upstream = upstream
        self.ring, first = rings.mint(rings.new_ring(), "first", NOW)
        self.key = first.reveal()
        self.running: tuple[NginxProcess, Entry] | None = None

    def part(self, ring: Ring, templates: str = "", response: int = 0) -> NginxProcess:
        policy = compile_policy(
            ring=ring,
            operations=PUBLISHED,
            auth=Auth(),
            limits=Limits(),
            upstream=self.upstream,
            upstream_host="localhost",
            now=NOW,
            probe="ab" * 16,
            probe_answer="cd" * 16,
            response=response,
            large={"env": ()},
        )
        runner = ContainerNginx(self.stage.name)
        folder = Path(self.stage.runtime, "gateway")
        return NginxProcess(folder, policy, runner=runner, templates=templates)

    def start(self) -> tuple[NginxProcess, Entry]:
        part = self.part(self.ring)
        self.running = part, part.start(self.stage.ledger.append, self.stage.told.append)
        return self.running

    def status(self, entry: Entry, key: str = "", path: str = "/request") -> int:
        headers = {"X-API-Key": key} if key else {}
        return wire.request(f"http://{entry.detail['listen']}", path, headers=headers, timeout=30).status


@pytest.fixture
def front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    monkeypatch.setenv("EXPOSER_STATE_DIR", str(tmp_path / "state"))
    stage = Stage(tmp_path)
    try:
        _, backend = stage.start(kind="image", image=images.server_image())
        inside = f"unix:{stage.runtime}/gateway/"  # the gateway's working folder, wherever it runs
        front = Front(stage, backend.detail["upstream"].replace(inside, "unix:"))
        yield front
        if front.running:
            part, entry = front.running
            part.stop(entry)
        stage.close()
        assert left_over(stage.name) == []
    finally:
        engine.remove_all(stage.name)


def container_of(front: Front) -> str:
    labels = [f"label=io.exposer.name={front.stage.name}", "label=io.exposer.role=gateway"]
    return docker("ps", "-q", "--filter", labels[0], "--filter", labels[1]).strip()


def test_a_key_gets_through_to_the_backend_and_nothing_else_does(front: Front) -> None:
    part, entry = front.start()
    assert part.look(entry).healthy is True
    assert front.status(entry, front.key) == 200
    assert front.status(entry) == 401
    assert front.status(entry, spoiled(front.key)) == 401
    assert front.status(entry, front.key, "/env") in (403, 404)


def test_it_is_hardened_and_listens_on_the_loopback_only(front: Front) -> None:
    _, entry = front.start()
    found = inspect(container_of(front))
    host = found["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["NetworkMode"] == "host"
    assert host["RestartPolicy"]["Name"] == "no"
    assert found["Config"]["User"] == f"{os.geteuid()}:{os.getegid()}"
    assert entry.detail["listen"].startswith("127.0.0.1:")
    assert {mount["Destination"] for mount in found["Mounts"] if mount["RW"]} == {"/gateway"}


def test_the_tunnel_s_socket_leads_into_the_container_and_is_gone_with_it(front: Front) -> None:
    part, entry = front.start()
    door = Path(front.stage.runtime, "gateway", DOOR)
    assert wire.request(f"unix:{door}", "/request", headers={"X-API-Key": front.key}).status == 200
    assert wire.request(f"unix:{door}", "/request").status == 401
    docker("kill", container_of(front))
    assert procs.wait_until(lambda: part.look(entry).alive is False, 30)
    part, entry = front.start()
    assert wire.request(f"unix:{door}", "/request", headers={"X-API-Key": front.key}).status == 200
    part.stop(entry)
    assert not door.exists()


def test_keys_are_rotated_by_a_reload_in_the_same_container(front: Front) -> None:
    _, entry = front.start()
    before = container_of(front)
    ring, second = rings.mint(front.ring, "second", NOW)
    ring, _ = rings.revoke(ring, "first", NOW)
    part = front.part(ring)
    entry = part.reload(entry, front.stage.ledger.append, front.stage.told.append)
    front.running = part, entry
    assert container_of(front) == before
    assert front.status(entry, second.reveal()) == 200
    assert front.status(entry, front.key) == 401


def test_a_template_that_nginx_refuses_changes_nothing(front: Front, tmp_path: Path) -> None:
    _, entry = front.start()
    (tmp_path / "own" / "nginx").mkdir(parents=True)
    (tmp_path / "own" / "nginx" / "upstream.conf.j2").write_text("this is no directive;\n")
    broken = front.part(front.ring, str(tmp_path / "own"))
    with pytest.raises(ConfigError, match="nginx refuses"):
        broken.reload(entry, front.stage.ledger.append, front.stage.told.append)
    assert front.status(entry, front.key) == 200
    assert front.status(entry) == 401


def test_a_stopped_gateway_is_gone_with_its_container(front: Front) -> None:
    part, entry = front.start()
    part.stop(entry)
    assert container_of(front) == ""
    assert part.look(entry).alive is False
    with pytest.raises(wire.NoAnswerError):
        front.status(entry)
    part.stop(entry)


def test_a_killed_gateway_is_seen_and_the_next_one_starts(front: Front) -> None:
    part, entry = front.start()
    docker("kill", container_of(front))
    assert procs.wait_until(lambda: part.look(entry).alive is False, 30)
    _, entry = front.start()
    assert front.status(entry, front.key) == 200


@pytest.mark.skipif(not scripting(find_nginx()), reason="this nginx has no module for JavaScript")
def test_the_module_that_cuts_answers_comes_along(front: Front) -> None:
    part = front.part(front.ring, response=1_000_000)
    front.running = part, part.start(front.stage.ledger.append, front.stage.told.append)
    assert front.status(front.running[1], front.key) == 200
    assert Path(front.stage.runtime, "gateway", "nginx.conf").read_text().count("load_module ") == 1
