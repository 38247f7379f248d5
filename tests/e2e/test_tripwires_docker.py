"""Containers that somebody else changes set off the panic; their restarts, and what we do ourselves, do not."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.test_docker import DOCUMENT, config, docker, ours
from tests.e2e.test_docker import pytestmark as needs_engine
from tests.e2e.test_tripwires import events, reason, tripped
from tests.support.eventually import eventually
from tests.support.exposure import Exposure
from tests.support.images import server_image

pytestmark = needs_engine
Make = Callable[..., Exposure]
WATCHED = '[panic]\non = ["tampered-container", "config-drift"]\n'


def made(make_exposure: Make, text: str, panic: str = WATCHED) -> Exposure:
    exposure = make_exposure(text + panic)
    exposure.env["THE_TOKEN"] = "token"
    (exposure.folder / "doc.json").write_text(json.dumps(DOCUMENT))
    exposure.up()
    return exposure


@contextmanager
def adopted(make_exposure: Make, *options: str) -> Iterator[tuple[Exposure, str]]:
    """An exposure of somebody's own container, and that container's name."""
    exposure = make_exposure()
    name = f"adopt-{exposure.name}"
    docker("run", "-d", "--name", name, *options, server_image())
    try:
        text = config(server_image()).replace(f'image = "{server_image()}"', f'container = "{name}"')
        exposure.write("\n".join(line for line in text.splitlines() if not line.startswith("env =")) + f"\n{WATCHED}")
        (exposure.folder / "doc.json").write_text(json.dumps(DOCUMENT))
        exposure.up()
        yield exposure, name
    finally:
        docker("rm", "-f", name)


def container(exposure: Exposure, role: str) -> str:
    label = f"label=io.exposer.name={exposure.name}"
    return docker("ps", "-q", "--filter", label, "--filter", f"label=io.exposer.role={role}")


def noticed(exposure: Exposure) -> int:
    """How often the backend's end was noticed."""
    return sum(1 for event in json.loads(events(exposure))["events"] if event["kind"] == "gone")


def test_a_backend_that_is_put_on_another_network_sets_off_the_panic(make_exposure: Make) -> None:
    exposure = made(make_exposure, config(server_image()))
    docker("network", "connect", "bridge", container(exposure, "backend"))
    tripped(exposure, "tampered-container")
    assert "networks: bridge" in reason(exposure)
    exposure.close()
    assert ours(exposure) == []


def test_a_container_that_was_changed_is_only_told_when_the_wire_is_off(make_exposure: Make) -> None:
    exposure = made(make_exposure, config(server_image()), "[panic]\non = []\n")
    docker("update", "--restart", "always", container(exposure, "link"))
    eventually(lambda: "container-changed" in events(exposure), within=30)
    assert "restart: always" in events(exposure)
    assert exposure.phase() == "online"


@pytest.mark.parametrize("role", ["gateway", "link"])
def test_a_part_of_ours_that_the_engine_is_told_to_start_again_sets_off_the_panic(
    make_exposure: Make, role: str
) -> None:
    exposure = made(make_exposure, config(server_image(), top='engine = "docker"'))
    docker("update", "--restart", "always", container(exposure, role))
    tripped(exposure, "tampered-container")
    assert "restart: always" in events(exposure)
    exposure.close()
    assert ours(exposure) == []


def test_another_container_in_the_place_of_an_adopted_one_sets_off_the_panic(make_exposure: Make) -> None:
    with adopted(make_exposure) as (exposure, name):
        docker("rm", "-f", name)
        docker("run", "-d", "--name", name, "--publish", "127.0.0.1::8080", server_image(shell=False))
        tripped(exposure, "tampered-container")
        said = events(exposure)
        assert "image: sha256:" in said
        assert "ports: 127.0.0.1:any->8080/tcp instead of none" in said
        assert docker("inspect", "-f", "{{.State.Running}}", name) == "true"


def test_restarts_reloads_and_a_container_made_anew_as_it_was_set_off_nothing(make_exposure: Make) -> None:
    with adopted(make_exposure, "-p", "127.0.0.1::8080") as (exposure, name):
        docker("restart", "-t", "1", name)
        eventually(lambda: noticed(exposure) >= 1, within=30)
        eventually(lambda: exposure.get("/request").status == 200, within=40)
        before = noticed(exposure)
        docker("rm", "-f", name)
        docker("run", "-d", "--name", name, "-p", "127.0.0.1::8080", server_image())
        eventually(lambda: noticed(exposure) > before, within=30)
        eventually(lambda: exposure.get("/request").status == 200, within=40)
        assert "ALARM" not in events(exposure)
        assert reason(exposure) == ""


@pytest.mark.parametrize("engine", ["process", "docker"])
def test_what_we_do_to_containers_ourselves_sets_off_nothing(make_exposure: Make, engine: str) -> None:
    exposure = made(make_exposure, config(server_image(), top=f'engine = "{engine}"'))
    for _ in range(3):
        done = exposure.run("rotate-key", "--json")
        assert done.returncode == 0, done.stderr
        exposure.key = json.loads(done.stdout)["key"]
    before = container(exposure, "backend")
    exposure.get("/quit")
    eventually(lambda: container(exposure, "backend") not in ("", before), within=30)
    eventually(lambda: exposure.get("/request").status == 200, within=40)
    docker("kill", link := eventually(lambda: container(exposure, "link"), within=30))
    eventually(lambda: container(exposure, "link") not in ("", link), within=60)
    eventually(lambda: exposure.get("/request").status == 200, within=40)
    if engine == "docker":
        docker("kill", gateway := eventually(lambda: container(exposure, "gateway"), within=30))
        eventually(lambda: container(exposure, "gateway") not in ("", gateway), within=40)
        eventually(lambda: exposure.get("/request").status == 200, within=40)
    assert "ALARM" not in events(exposure)
    assert reason(exposure) == ""
