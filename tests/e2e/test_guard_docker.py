"""Guard and kill switch where gateway and backend are containers."""

import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from exposer.procs import started_at
from tests.e2e.test_docker import DOCUMENT, config, docker, ours
from tests.e2e.test_docker import pytestmark as needs_engine
from tests.e2e.test_guard import kill, reasons, tethered
from tests.support.eventually import eventually
from tests.support.exposure import Exposure, get
from tests.support.images import server_image

pytestmark = needs_engine
Make = Callable[..., Exposure]


def contained(make_exposure: Make) -> Exposure:
    exposure = make_exposure(config(server_image(), top='engine = "docker"'))
    exposure.env["THE_TOKEN"] = "token"
    (exposure.folder / "doc.json").write_text(json.dumps(DOCUMENT))
    exposure.up()
    assert exposure.get("/request").status == 200
    eventually(lambda: len(exposure.guards(leash=True)) == 1, within=20)
    return exposure


def running(exposure: Exposure) -> str:
    return docker("ps", "-q", "--filter", f"label=io.exposer.name={exposure.name}")


def parts_of(exposure: Exposure, role: str) -> list[int]:
    """The processes of a container's nginx, as this machine numbers them."""
    pid = exposure.pid(role)
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def closed(exposure: Exposure) -> bool:
    return get(exposure.url).status == 0 and running(exposure) == ""


def test_a_supervisor_that_is_stopped_is_cut_containers_and_all_and_comes_back(make_exposure: Make) -> None:
    exposure = contained(make_exposure)
    exposure.shorten_lease(8)
    exposure.kill("supervisor", signal.SIGSTOP)
    eventually(lambda: closed(exposure), within=60)
    eventually(lambda: any("silent for longer than its lease" in why for why in reasons(exposure)), within=20)
    assert exposure.up()["first_key"] is None
    assert exposure.get("/request").status == 200
    exposure.close()
    assert ours(exposure) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_without_supervisor_and_guard_the_leash_cuts_containers_too(make_exposure: Make, how: int) -> None:
    exposure = contained(make_exposure)
    pids = [exposure.pid("supervisor"), *exposure.guards(leash=False)]
    if how == signal.SIGSTOP:
        exposure.shorten_lease(8)
    for number in dict.fromkeys((signal.SIGSTOP, how)):  # neither notices how the other ends
        for pid in pids:
            os.kill(pid, number)
    eventually(lambda: closed(exposure), within=60)


def test_killed_all_three_at_once_they_take_gateway_and_link_along(make_exposure: Make) -> None:
    exposure = contained(make_exposure)
    parts = [one for role in ("gateway", "link") for one in parts_of(exposure, role)]
    eventually(lambda: tethered(exposure, 2), within=20)
    kill(exposure.pid("supervisor"), *exposure.guards(leash=False), *exposure.guards(leash=True))
    eventually(lambda: get(exposure.url).status == 0 and not any(started_at(pid) for pid in parts), within=20)


def test_a_supervisor_that_is_killed_finds_its_containers_again(make_exposure: Make) -> None:
    exposure = contained(make_exposure)
    before, supervisor = running(exposure), exposure.pid("supervisor")
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: exposure.pid("supervisor") not in (0, supervisor) and exposure.phase() == "online", within=60)
    assert running(exposure) == before


def test_with_an_engine_that_hangs_panic_ends_containers_by_their_own_processes(
    make_exposure: Make, tmp_path: Path
) -> None:
    exposure = contained(make_exposure)
    pids = [
        entry["pid"]
        for entry in exposure.ledger()
        if entry["role"] in ("gateway", "link", "backend") and "pid" in entry
    ]
    assert len({*pids}) == 3
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(path := str(tmp_path / "deaf.sock"))
        deaf.listen(64)
        done = exposure.run("panic", "--json", DOCKER_HOST=f"unix://{path}")
    assert done.returncode == 1
    said = json.loads(done.stdout)["exposures"][0]
    assert any("Docker engine" in line for line in said["trouble"])
    assert said["still_open"] == []
    assert not any(started_at(pid) for pid in pids)
    eventually(lambda: closed(exposure), within=20)
    assert exposure.phase() == "panicked"
