"""An unlucky user's machine: no Docker, a taken port, a missing program, a backend that does not run."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.backends import docker, engine_runs, left_over
from tests.support.exposure import EXPOSER, Exposure
from tests.support.images import server_image
from tests.support.ports import free_port
from tests.support.unlucky import config, left, moody, refused

Make = Callable[..., Exposure]
needs_engine = pytest.mark.skipif(not engine_runs(), reason="no Docker engine")


@pytest.fixture
def dead_socket(tmp_path: Path) -> str:
    """A socket file that nobody listens at any more."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "d.sock"))
    return f"unix://{tmp_path}/d.sock"


IMAGE = 'image = "nowhere.invalid/none:1"'


def test_without_a_docker_engine_it_says_so_and_how_to_get_one(make_exposure: Make, dead_socket: str) -> None:
    exposure = make_exposure(config(80, IMAGE))
    gone = f"unix://{exposure.folder}/no.sock"
    for host in (gone, dead_socket):
        for words in (("up", "-d"), ("up",)):
            refused(exposure, *words, code=4, says=["Docker", host, "DOCKER_HOST"], DOCKER_HOST=host)
    assert exposure.run("status", DOCKER_HOST=dead_socket).returncode == 0
    assert exposure.run("down", DOCKER_HOST=dead_socket).returncode == 0


def test_who_may_not_use_docker_is_told_how_to_be_let_in(make_exposure: Make) -> None:
    exposure = make_exposure(config(80, IMAGE))
    host = f"unix://{exposure.folder}/d.sock"
    powerless: list[str] = []
    if os.geteuid() == 0:
        powerless = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]
        if subprocess.run([*powerless, "true"], capture_output=True).returncode:
            pytest.skip("root's power over files cannot be taken away here")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(exposure.folder / "d.sock"))
        sock.listen()
        (exposure.folder / "d.sock").chmod(0)
        argv = [*powerless, *EXPOSER, "--file", str(exposure.file), "up", "-d"]
        env = exposure.env | {"DOCKER_HOST": host}
        done = subprocess.run(argv, env=env, cwd=exposure.folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 4, done.stderr
    assert "you may not use the Docker engine" in done.stderr
    assert "docker group" in done.stderr
    assert left(exposure) == []


@pytest.mark.docker
@needs_engine
def test_an_image_that_is_not_to_be_had_is_refused(make_exposure: Make) -> None:
    exposure = make_exposure(config(80, IMAGE))
    refused(exposure, "up", "-d", code=4, says=["the image nowhere.invalid/none:1", "docker load"])
    assert left_over(exposure.name) == []


@pytest.mark.docker
@needs_engine
def test_a_container_that_is_not_there_or_does_not_run_is_named(make_exposure: Make) -> None:
    exposure = make_exposure()
    exposure.write(config(80, f'container = "{exposure.name}-other"'))
    refused(exposure, "up", "-d", code=4, says=[f"there is no container {exposure.name}-other", "docker ps"])
    docker("create", "--name", f"{exposure.name}-other", server_image())
    try:
        says = ["does not run (it is created)", f"docker start {exposure.name}-other"]
        refused(exposure, "up", "-d", code=4, says=says)
        assert f"{exposure.name}-other" in docker("ps", "-a", "--format", "{{.Names}}"), "not ours to remove"
    finally:
        docker("rm", "-f", f"{exposure.name}-other")
    assert left_over(exposure.name) == []


@pytest.mark.docker
@needs_engine
def test_a_container_that_dies_at_once_shows_its_last_words_and_is_removed(make_exposure: Make) -> None:
    backend = f'image = "{server_image()}"\nenv = {{ DIE = "no database" }}\nhealth = "/health"'
    exposure = make_exposure(config(8080, backend))
    refused(exposure, "up", "-d", code=1, says=["exit code 3", "about to die: no database"])
    assert left_over(exposure.name) == []


def test_a_folder_to_build_without_a_dockerfile_is_named(make_exposure: Make) -> None:
    exposure = make_exposure(config(80, 'build = "."'))
    if not engine_runs():
        pytest.skip("no Docker engine")
    refused(exposure, "up", "-d", code=4, says=["there is no Dockerfile in", str(exposure.folder)])


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else has."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield int(sock.getsockname()[1])


def test_a_backend_port_that_is_taken_is_named(make_exposure: Make, taken: int) -> None:
    exposure = make_exposure(moody(taken))
    refused(exposure, "up", "-d", code=1, says=[f"port {taken} is in use already", "backend.port"])


@pytest.mark.nginx
def test_a_gateway_port_that_is_taken_is_named(make_exposure: Make, taken: int) -> None:
    exposure = make_exposure(moody(free_port(), more=f"[gateway]\nport = {taken}"))
    refused(exposure, "up", "-d", code=1, says=[f"port {taken} of 127.0.0.1", "gateway.port"])


@pytest.mark.parametrize("words", [("up",), ("up", "-d")])
def test_without_nginx_it_says_how_to_install_it(make_exposure: Make, words: tuple[str, ...]) -> None:
    exposure = make_exposure(moody(free_port(), more='[gateway]\nbinary = "/nonexistent"'))
    refused(exposure, *words, code=4, says=["nginx", "/nonexistent", "apt install", "brew install"])


@pytest.mark.nginx
@pytest.mark.parametrize(
    ("tunnel", "says"),
    [
        ('provider = "cloudflared"', ["cloudflared is not on PATH", "brew install cloudflared"]),
        ('provider = "ngrok"\ntoken = "env:NG"', ["the ngrok agent is not on PATH", "tunnel.binary"]),
        ('provider = "cloudflared"\nbinary = "/nonexistent"', ["/nonexistent"]),
    ],
)
def test_without_its_program_a_tunnel_says_how_to_get_it(make_exposure: Make, tunnel: str, says: list[str]) -> None:
    folder = Path(shutil.which("nginx") or "/usr/sbin/nginx").parent
    exposure = make_exposure(moody(free_port()).replace('provider = "local"', tunnel))
    path = f"{folder}:/bin:/usr/bin"
    if any(shutil.which(name, path=path) for name in ("cloudflared", "ngrok")):
        pytest.skip("they are installed among the system's programs")
    refused(exposure, "up", "-d", code=4, says=says, NG="x", PATH=path)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[backend]", '[backend]\nenv = { A = "env:MISSING_TOKEN" }'),
        ("[tunnel]", '[backend.auth]\nheader = "Authorization"\nvalue = "env:MISSING_TOKEN"\n[tunnel]'),
        ('provider = "local"', 'provider = "ngrok"\ntoken = "env:MISSING_TOKEN"'),
    ],
)
def test_a_secret_that_is_not_there_is_named_by_its_variable(make_exposure: Make, before: str, after: str) -> None:
    exposure = make_exposure(moody(free_port()).replace(before, after))
    refused(exposure, "up", "-d", code=4, says=["MISSING_TOKEN is not set or empty", "set MISSING_TOKEN"])


def test_a_program_that_is_not_there_is_named(make_exposure: Make) -> None:
    exposure = make_exposure(config(free_port(), 'command = ["no-such-program"]'))
    refused(exposure, "up", "-d", code=4, says=["backend.command", "no-such-program"])


@pytest.mark.parametrize(
    ("mood", "why"),
    [("deaf", "Connection refused"), ("sick", "GET /health answers 503"), ("slow=60", "refused")],
)
def test_a_backend_that_is_never_healthy_is_given_up_with_its_answer_and_its_log(
    make_exposure: Make, mood: str, why: str
) -> None:
    exposure = make_exposure(moody(free_port(), mood, backend='start_timeout = "6s"'))
    says = ["not healthy after 6 s", why, "connecting to the database", "backend.start_timeout"]
    done = refused(exposure, "up", "-d", code=7, says=says, never=['"GET /health HTTP'])
    assert done.stderr.count("not healthy") == 1, "said once is enough"


def test_a_backend_that_dies_at_once_shows_its_last_lines(make_exposure: Make) -> None:
    exposure = make_exposure(moody(free_port(), "dead"))
    for words in (("up", "-d"), ("up",)):
        says = ["ended with exit code 1", "connecting to the database", "no database at db.internal"]
        refused(exposure, *words, code=1, says=says)
    assert "no database" in exposure.run("logs", "backend").stdout


@pytest.mark.nginx
def test_a_slow_backend_is_waited_for(make_exposure: Make) -> None:
    exposure = make_exposure(moody(free_port(), "slow=2"))
    exposure.up()
    assert exposure.get("/api/notes").status == 200


@pytest.mark.nginx
def test_a_start_that_takes_longer_than_its_timeout_is_taken_back(make_exposure: Make) -> None:
    exposure = make_exposure(moody(free_port(), "slow=60"))
    says = ["not online in time", "backend: still starting", "--timeout"]
    refused(exposure, "up", "-d", "--timeout", "15s", code=7, says=says)
