"""Tunnels under random kills and freezes: online again each time, and nothing piles up.

EXPOSER_TEST_STORM=200 makes it long (about ten minutes for each provider), EXPOSER_TEST_SEED another storm.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import fake_cloudflared, fake_ngrok, island, sshd
from tests.support.eventually import eventually
from tests.support.exposure import Exposure, get, sample_config
from tests.support.ports import free_port
from tests.support.unlucky import processes

pytestmark = [pytest.mark.nginx, pytest.mark.slow]
BLOWS = int(os.environ.get("EXPOSER_TEST_STORM", "12"))
SEED = int(os.environ.get("EXPOSER_TEST_SEED", "1"))
WARM_UP = 4
LONG = 100
SSH = [pytest.param(name, marks=pytest.mark.ssh) for name in ("ssh", "network", "standby")]
AGENT = {"User-Agent": "exposer-test"}


@dataclass
class Scene:
    """One exposure in the storm. `public` is where its tunnel ends, `blows` what may befall it."""

    exposure: Exposure
    public: Callable[[], str]
    blows: tuple[Callable[[], None], ...]

    def answers(self) -> bool:
        public = self.public()
        return bool(public) and get(f"{public}/api/notes", self.exposure.key, headers=AGENT).status == 200

    def is_back(self) -> bool:
        return self.exposure.phase() == "online" and self.answers()

    def expect_back(self, number: int) -> None:
        """Online, and answering from outside; else the story so far."""
        try:
            eventually(self.is_back, within=60)
        except AssertionError:
            said = self.exposure.run("logs", "supervisor").stdout[-3000:]
            tunnel = self.exposure.run("logs", "tunnel").stdout[-1500:]
            pytest.fail(f"blow {number} of seed {SEED}: {self.exposure.status()}\n{said}\n{tunnel}")


def signal_to(pid: int, number: int) -> None:
    try:
        if pid:
            os.kill(pid, number)
    except ProcessLookupError:
        return


def freeze(pid: int, wind: random.Random) -> None:
    """Stops a process for a moment."""
    signal_to(pid, signal.SIGSTOP)
    pause(wind.uniform(0.2, 2.0))
    signal_to(pid, signal.SIGCONT)


def pause(seconds: float) -> None:
    time.sleep(seconds)


def blows_at_the_agent(exposure: Exposure, wind: random.Random) -> tuple[Callable[[], None], ...]:
    return (
        lambda: signal_to(exposure.pid("tunnel"), signal.SIGKILL),
        lambda: signal_to(exposure.pid("tunnel"), signal.SIGTERM),
        lambda: freeze(exposure.pid("tunnel"), wind),
    )


def exposed(make: Callable[..., Exposure], lines: str, **env: str) -> Exposure:
    exposure = make(sample_config(free_port()).replace('provider = "local"', lines))
    exposure.env |= env
    exposure.up()
    return exposure


@pytest.fixture
def ssh(tmp_path: Path, make_exposure: Callable[..., Exposure], wind: random.Random) -> Iterator[Scene]:
    if not sshd.AVAILABLE:
        pytest.skip("there is no OpenSSH server")
    folder = tmp_path / "sshd"
    folder.mkdir()
    with sshd.Sshd(folder) as server:
        exposure = exposed(make_exposure, ssh_lines(server, f"http://127.0.0.1:{server.remote_port}"))
        yield Scene(
            exposure, lambda: exposure.url, (*blows_at_the_agent(exposure, wind), *blows_at_the_server(server, wind))
        )
        exposure.run("down")


@pytest.fixture
def network(tmp_path: Path, make_exposure: Callable[..., Exposure], wind: random.Random) -> Iterator[Scene]:
    """The same, with the server in a network of its own, which is cut off and mended."""
    if not sshd.AVAILABLE or not island.available():
        pytest.skip("no OpenSSH server, or no networks can be made here")
    folder = tmp_path / "sshd"
    folder.mkdir()
    land = island.Island()
    try:
        with sshd.Sshd(folder, address=land.address, inside=land.inside) as server:
            exposure = exposed(make_exposure, ssh_lines(server, land.publish(server.remote_port)))

            def cut_off() -> None:
                """Mostly short, so that the connection may last; in a long storm now and then until ssh gives up."""
                land.cut()
                pause(50.0 if BLOWS >= LONG and wind.random() < 0.1 else wind.uniform(0.2, 3.0))
                land.mend()

            near, far = blows_at_the_agent(exposure, wind), blows_at_the_server(server, wind)
            yield Scene(exposure, lambda: exposure.url, (*near, *far, cut_off, cut_off, cut_off))
            exposure.run("down")
    finally:
        land.close()


@pytest.fixture
def standby(tmp_path: Path, make_exposure: Callable[..., Exposure], wind: random.Random) -> Iterator[Scene]:
    """Two servers, of which either may fall: whichever is open, and never both."""
    if not sshd.AVAILABLE:
        pytest.skip("there is no OpenSSH server")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with sshd.Sshd(tmp_path / "one") as one, sshd.Sshd(tmp_path / "two") as two:
        first, second = (ssh_lines(each, f"http://127.0.0.1:{each.remote_port}") for each in (one, two))
        own = second.replace('provider = "ssh"', '[standby]\nafter = "2s"\nback = "1s"')
        exposure = exposed(make_exposure, f'{first}\nstandby = "ssh"\n{own}')

        def down_for_long() -> None:
            """Until the other one has taken over."""
            server = wind.choice((one, two))
            for pid in server.sessions():
                signal_to(pid, signal.SIGKILL)
            server.stop()
            pause(wind.uniform(1.0, 8.0))
            server.start()

        def kill_one() -> None:
            signal_to(exposure.pid(wind.choice(("tunnel", "standby"))), signal.SIGKILL)

        far = (*blows_at_the_server(one, wind), *blows_at_the_server(two, wind), down_for_long, down_for_long)
        yield Scene(
            exposure,
            lambda: exposure.status()["public_url"] or "",
            (*blows_at_the_agent(exposure, wind), kill_one, *far),
        )
        exposure.run("down")


def ssh_lines(server: sshd.Sshd, url: str) -> str:
    lines = [
        *('provider = "ssh"', f'host = "{server.address}"', f"port = {server.port}", f'user = "{server.user}"'),
        *(f'identity = "{server.identity}"', f'known_hosts = "{server.known_hosts}"'),
        *(f"remote_port = {server.remote_port}", f'url = "{url}"'),
    ]
    return "\n".join(lines)


def blows_at_the_server(server: sshd.Sshd, wind: random.Random) -> tuple[Callable[[], None], ...]:
    def lose_sessions() -> None:
        for pid in server.sessions():
            signal_to(pid, signal.SIGKILL)

    def restart_server() -> None:
        lose_sessions()
        server.stop()
        pause(wind.uniform(0.1, 1.0))
        server.start()

    return (lose_sessions, restart_server, lambda: freeze(server.pid, wind))


@pytest.fixture
def cloudflared(tmp_path: Path, make_exposure: Callable[..., Exposure], wind: random.Random) -> Scene:
    binary = fake_cloudflared.install(tmp_path)
    exposure = exposed(make_exposure, f'provider = "cloudflared"\nbinary = "{binary}"')

    def lose_the_edge() -> None:
        fake_cloudflared.turn(binary, drop=True)
        pause(wind.uniform(0.1, 1.0))
        fake_cloudflared.turn(binary)

    return Scene(
        exposure, lambda: fake_cloudflared.public(binary), (*blows_at_the_agent(exposure, wind), lose_the_edge)
    )


@pytest.fixture
def ngrok(tmp_path: Path, make_exposure: Callable[..., Exposure], wind: random.Random) -> Scene:
    binary = fake_ngrok.install(tmp_path)
    lines = f'provider = "ngrok"\nbinary = "{binary}"\ntoken = "env:NG_TOKEN"'
    exposure = exposed(make_exposure, lines, NG_TOKEN="2abcTOKENtokenTOKEN_3abcdefgh")

    def kill_the_agent_alone() -> None:
        helper = exposure.pid("tunnel")
        for pid in processes(exposure):
            if pid != helper and group_of(pid) == helper:
                signal_to(pid, signal.SIGKILL)

    return Scene(
        exposure, lambda: fake_ngrok.public(binary), (*blows_at_the_agent(exposure, wind), kill_the_agent_alone)
    )


def one_is_open(folder: Path) -> bool:
    names = os.listdir(folder)
    assert len(names) <= 1, names
    return bool(names)


def group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


@pytest.fixture
def wind() -> random.Random:
    return random.Random(SEED)


def weight(pid: int) -> tuple[int, int]:
    """Open files, and memory in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    resident = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    return len(os.listdir(f"/proc/{pid}/fd")), resident // 1024


def families(exposure: Exposure) -> int:
    """How many process groups there are: one for each part, however many are in it."""
    return len({group for pid in processes(exposure) if (group := group_of(pid))})


def settled_families(exposure: Exposure) -> int:
    """The same, once it has stayed so for three seconds: a part that is made or tried out aside comes and goes."""
    seen: list[tuple[int, float]] = []  # how many there were, and since when

    def lasts() -> int:
        number, now = families(exposure), time.monotonic()
        if not seen or seen[-1][0] != number:
            seen.append((number, now))
        return number if now - seen[-1][1] > 3.0 else 0

    return eventually(lasts)


@pytest.mark.parametrize(
    "provider",
    [*SSH, "cloudflared", "ngrok"],
)
def test_it_is_online_again_after_each_blow_and_nothing_piles_up(
    provider: str, request: pytest.FixtureRequest, wind: random.Random
) -> None:
    scene: Scene = request.getfixturevalue(provider)
    exposure, supervisor = scene.exposure, scene.exposure.pid("supervisor")
    eventually(scene.answers, within=30)
    both = exposure.runtime / exposure.name / "gateway" / "open"
    eventually(lambda: provider != "standby" or exposure.pid("standby"), within=30)
    groups, begun = settled_families(exposure), (0, 0)
    for number in range(max(BLOWS, WARM_UP + 1)):
        if number == WARM_UP:
            begun = weight(supervisor)
        wind.choice(scene.blows)()
        pause(wind.uniform(0.0, 1.0))
        scene.expect_back(number)
        # one opens after the other has closed, never before; just then it may be none
        eventually(lambda: not both.is_dir() or one_is_open(both))
        pause(wind.uniform(0.0, 2.0))
    assert exposure.pid("supervisor") == supervisor, "the supervisor itself did not last"
    eventually(lambda: families(exposure) == groups, within=60)
    eventually(lambda: weight(supervisor)[0] <= begun[0] + 4)
    assert weight(supervisor)[1] <= begun[1] + 16 + BLOWS // 50
    exposure.run("down")
    eventually(lambda: not processes(exposure))


@pytest.mark.parametrize("provider", [pytest.param("ssh", marks=pytest.mark.ssh), "cloudflared", "ngrok"])
def test_an_agent_that_is_frozen_for_good_is_replaced(provider: str, request: pytest.FixtureRequest) -> None:
    scene: Scene = request.getfixturevalue(provider)
    eventually(scene.answers, within=30)
    frozen = scene.exposure.pid("tunnel")
    signal_to(frozen, signal.SIGSTOP)
    eventually(lambda: scene.exposure.pid("tunnel") not in (0, frozen), within=180)
    eventually(scene.is_back, within=90)
    assert not os.path.exists(f"/proc/{frozen}/exe")


def test_a_killed_supervisors_tunnel_is_taken_over_with_its_process_and_address(cloudflared: Scene) -> None:
    exposure = cloudflared.exposure
    before, address = exposure.pid("tunnel"), exposure.url
    for _ in range(3):
        exposure.kill("supervisor")
        assert cloudflared.answers()
        exposure.up()
        assert (exposure.pid("tunnel"), exposure.url) == (before, address)
    assert cloudflared.answers()


def test_a_named_tunnel_keeps_its_address_when_its_agent_is_killed(
    tmp_path: Path, make_exposure: Callable[..., Exposure]
) -> None:
    binary = fake_cloudflared.install(tmp_path)
    credentials = tmp_path / "tunnel.json"
    credentials.write_text(
        '{"AccountTag": "a", "TunnelSecret": "c2VjcmV0", "TunnelID": "00000000-0000-4000-8000-000000000008"}'
    )
    credentials.chmod(0o600)
    lines = f'provider = "cloudflared"\nbinary = "{binary}"\nhostname = "api.example.org"\n'
    exposure = exposed(make_exposure, f'{lines}credentials = "file:{credentials}"')
    assert exposure.url == "https://api.example.org"
    before = exposure.pid("tunnel")
    os.kill(before, signal.SIGKILL)
    eventually(lambda: exposure.pid("tunnel") not in (0, before), within=30)
    exposure.wait_for("online", within=30)
    assert exposure.status()["public_url"] == "https://api.example.org"
    eventually(lambda: get(f"{fake_cloudflared.public(binary)}/api/notes", exposure.key).status == 200)
