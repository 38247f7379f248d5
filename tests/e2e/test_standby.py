"""A second tunnel: connected and closed, open once the first is down from outside, and never both."""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from exposer.journal import Journal
from tests.support import fake_cloudflared, fake_ngrok, sshd
from tests.support.backends import engine_runs
from tests.support.eventually import eventually
from tests.support.exposure import Exposure, get, sample_config
from tests.support.ports import free_port
from tests.support.unlucky import processes

pytestmark = pytest.mark.nginx
TOKEN = "2abcTOKENtokenTOKEN_3abcdefgh"
AGENT = {"User-Agent": "exposer-test"}
HOOK = "import json, sys; open(sys.argv[1], 'a').write(json.dumps(json.load(sys.stdin)) + chr(10))"


class Scene:
    """One exposure with two tunnels; `ways` say where each ends for the outside."""

    def __init__(self, exposure: Exposure, **ways: Callable[[], str]) -> None:
        self.exposure = exposure
        self.ways = ways

    def by(self, role: str) -> int:
        """The status of a call with the key by one of the two tunnels; 0 for none."""
        try:
            return get(f"{self.ways[role]()}/api/notes", self.exposure.key, headers=AGENT).status
        except OSError:
            return 0

    def passing(self) -> list[str]:
        return [role for role in self.ways if self.by(role) == 200]

    def opened(self) -> list[str]:
        """What the gateway goes by."""
        place = self.exposure.runtime / self.exposure.name / "gateway" / "open"
        try:
            return sorted(os.listdir(place))
        except FileNotFoundError:
            return []

    def standby(self) -> dict:
        return self.exposure.status()["standby"] or {}

    def events(self) -> list[tuple[str, str]]:
        journal = Journal(self.exposure.state / self.exposure.name / "journal.db")
        try:
            return [(event.kind, str(event.data.get("text", ""))) for event in journal.events()]
        finally:
            journal.close()

    def count(self, kind: str) -> int:
        return [what for what, _ in self.events()].count(kind)


class NeverBoth:
    """Looks all the time whether more than one is open."""

    def __init__(self, scene: Scene) -> None:
        self.most, self._scene, self._over = 0, scene, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._over.wait(0.002):
            self.most = max(self.most, len(self._scene.opened()))

    def __enter__(self) -> "NeverBoth":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()
        assert self.most == 1


@pytest.fixture
def stand_ins(tmp_path: Path, make_exposure: Callable[..., Exposure]) -> Scene:
    """cloudflared first, ngrok second: stand-ins, whose names cannot be resolved here."""
    first, second = fake_cloudflared.install(tmp_path), fake_ngrok.install(tmp_path)
    lines = f'provider = "cloudflared"\nbinary = "{first}"\nstandby = "ngrok"\n'
    own = f'[standby]\nbinary = "{second}"\ntoken = "env:NG_TOKEN"\nafter = "2s"\n'
    exposure = make_exposure(sample_config(free_port()).replace('provider = "local"', lines + own))
    exposure.env["NG_TOKEN"] = TOKEN
    scene = Scene(exposure, tunnel=lambda: fake_cloudflared.public(first), standby=lambda: fake_ngrok.public(second))
    scene.first, scene.second = first, second  # type: ignore[attr-defined]
    return scene


def ssh_lines(server: sshd.Sshd) -> str:
    lines = [
        *('host = "127.0.0.1"', f"port = {server.port}", f'user = "{server.user}"'),
        *(f'identity = "{server.identity}"', f'known_hosts = "{server.known_hosts}"'),
        *(f"remote_port = {server.remote_port}", f'url = "http://127.0.0.1:{server.remote_port}"'),
    ]
    return "\n".join(lines)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[sshd.Sshd, sshd.Sshd]]:
    if not sshd.AVAILABLE:
        pytest.skip("there is no OpenSSH server")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with sshd.Sshd(tmp_path / "one") as one, sshd.Sshd(tmp_path / "two") as two:
        yield one, two


@pytest.fixture
def two_servers(
    tmp_path: Path, servers: tuple[sshd.Sshd, sshd.Sshd], make_exposure: Callable[..., Exposure]
) -> Callable[..., Scene]:
    """Two servers of one's own, both real and within reach."""

    def make(more: str = 'back = "never"') -> Scene:
        one, two = servers
        lines = f'provider = "ssh"\nstandby = "ssh"\n{ssh_lines(one)}\n'
        own = f'[standby]\nprotocol = "auto"\nafter = "3s"\n{more}\n{ssh_lines(two)}\n'
        argv = json.dumps([sys.executable, "-c", HOOK, str(tmp_path / "told")])
        hooks = f"[hooks]\naddress_changed = {argv}\n[notify]\ndesktop = false\n"
        config = sample_config(free_port(), hooks).replace('provider = "local"', lines + own)
        return Scene(
            make_exposure(config),
            tunnel=lambda: f"http://127.0.0.1:{one.remote_port}",
            standby=lambda: f"http://127.0.0.1:{two.remote_port}",
        )

    return make


def cut_off(server: sshd.Sshd) -> None:
    """No new session begins while those that there are end."""
    os.kill(server.pid, signal.SIGSTOP)
    eventually(lambda: Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    kill([*server.sessions(), server.pid])
    server.stop()
    kill(server_children(server))


def kill(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def server_children(server: sshd.Sshd) -> list[int]:
    """Sessions that have outlived their server, by the port that they hold."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and str(server.folder).encode() in Path(f"/proc/{name}/cmdline").read_bytes():
                found.append(int(name))
        except OSError:
            continue
    return found


def test_the_second_tunnel_is_connected_and_nothing_passes_by_it(stand_ins: Scene) -> None:
    exposure = stand_ins.exposure
    exposure.up()
    eventually(lambda: stand_ins.standby().get("healthy"), within=30)
    assert stand_ins.passing() == ["tunnel"]
    assert stand_ins.by("standby") == 503
    status = exposure.status()
    assert (status["tunnel"]["open"], status["standby"]["open"]) == (True, False)
    assert status["standby"]["url"] == "https://stand-in.ngrok-free.app"
    assert "standby   ngrok, healthy, closed" in exposure.run("status").stdout
    pids = [exposure.pid("tunnel"), exposure.pid("standby")]
    assert exposure.run("down").returncode == 0
    eventually(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in pids), within=10)
    eventually(lambda: not processes(exposure))


def test_panic_and_its_drill_cut_both_tunnels(stand_ins: Scene) -> None:
    exposure = stand_ins.exposure
    exposure.up()
    eventually(lambda: stand_ins.standby().get("healthy"), within=30)
    pids = [exposure.pid("tunnel"), exposure.pid("standby")]
    drill = exposure.run("panic", "--drill", "--json", "--name", exposure.name)
    assert drill.returncode == 0, drill.stderr
    eventually(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in pids), within=10)
    eventually(lambda: stand_ins.standby().get("healthy"), within=30)
    assert stand_ins.passing() == ["tunnel"]
    pids = [exposure.pid("tunnel"), exposure.pid("standby")]
    assert exposure.run("panic", "--name", exposure.name).returncode == 0
    eventually(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in pids), within=10)
    eventually(lambda: not processes(exposure))


def test_a_supervisor_that_hangs_costs_both_tunnels(stand_ins: Scene) -> None:
    exposure = stand_ins.exposure
    exposure.up()
    eventually(lambda: stand_ins.standby().get("healthy"), within=30)
    pids = [exposure.pid("tunnel"), exposure.pid("standby")]
    exposure.shorten_lease(4)
    exposure.kill("supervisor", signal.SIGSTOP)
    eventually(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in pids), within=60)
    eventually(lambda: not processes(exposure), within=30)


def test_a_name_that_is_not_known_here_is_trusted_when_the_first_stays_down_for_long(stand_ins: Scene) -> None:
    exposure = stand_ins.exposure
    exposure.up()
    eventually(lambda: stand_ins.standby().get("healthy"), within=30)
    with NeverBoth(stand_ins):
        fake_cloudflared.turn(stand_ins.first, drop=True)  # type: ignore[attr-defined]
        eventually(lambda: stand_ins.passing() == ["standby"], within=60)
    eventually(lambda: exposure.run("url").stdout == "https://stand-in.ngrok-free.app\n")
    eventually(lambda: "stand-in.ngrok-free.app" in exposure.run("schema", "show").stdout, within=10)


def test_a_second_tunnel_that_cannot_come_up_keeps_nobody_from_going_online_and_is_told_once(stand_ins: Scene) -> None:
    fake_ngrok.turn(stand_ins.second, auth=105)  # type: ignore[attr-defined]
    exposure = stand_ins.exposure
    exposure.up()
    eventually(lambda: stand_ins.standby().get("error"), within=30)
    exposure.wait_for("online")
    assert not stand_ins.standby()["healthy"]
    assert "not healthy: the ngrok authtoken is not one" in exposure.run("status").stdout
    assert stand_ins.passing() == ["tunnel"]
    assert len([text for kind, text in stand_ins.events() if kind == "failed" and text.startswith("standby")]) == 1


def test_the_waiting_agent_is_started_again_when_it_dies_and_nobody_notices(stand_ins: Scene) -> None:
    exposure = stand_ins.exposure
    exposure.up()
    eventually(lambda: stand_ins.standby().get("healthy"), within=30)
    first = exposure.pid("tunnel")
    for _ in range(3):
        before = exposure.pid("standby")
        os.kill(before, signal.SIGKILL)
        eventually(lambda: exposure.pid("standby") not in (0, before), within=40)  # noqa: B023
        eventually(lambda: stand_ins.standby().get("healthy"), within=40)
        assert stand_ins.passing() == ["tunnel"]
    assert (exposure.pid("tunnel"), exposure.phase()) == (first, "online")
    assert stand_ins.count("took-over") == 0


def test_a_second_tunnel_comes_and_goes_with_the_config_while_it_runs(stand_ins: Scene) -> None:
    exposure = stand_ins.exposure
    with_two = exposure.file.read_text()
    head, _, rest = with_two.partition("[standby]")
    alone = head.replace('standby = "ngrok"\n', "") + rest[rest.index("[limits]") :]
    exposure.file.write_text(alone)
    exposure.up()
    assert exposure.status()["standby"] is None
    first = exposure.pid("tunnel")
    exposure.file.write_text(with_two)
    eventually(lambda: stand_ins.standby().get("healthy"), within=40)
    assert (stand_ins.passing(), stand_ins.opened(), exposure.pid("tunnel")) == (["tunnel"], ["tunnel"], first)
    second = exposure.pid("standby")
    exposure.file.write_text(alone)
    eventually(lambda: exposure.status()["standby"] is None, within=40)
    eventually(lambda: not Path(f"/proc/{second}/exe").exists(), within=40)
    assert stand_ins.passing() == ["tunnel"]
    assert exposure.pid("tunnel") == first


@pytest.mark.docker
@pytest.mark.skipif(not engine_runs(), reason="no Docker engine runs")
def test_with_nginx_in_a_container_the_doors_are_the_same(stand_ins: Scene) -> None:
    exposure = stand_ins.exposure
    exposure.file.write_text(exposure.file.read_text().replace('engine = "process"', 'engine = "docker"'))
    exposure.up()
    eventually(lambda: stand_ins.standby().get("healthy"), within=30)
    assert exposure.status()["gateway"]["engine"] == "docker"
    assert (stand_ins.passing(), stand_ins.by("standby")) == (["tunnel"], 503)
    with NeverBoth(stand_ins):
        fake_cloudflared.turn(stand_ins.first, drop=True)  # type: ignore[attr-defined]
        eventually(lambda: stand_ins.passing() == ["standby"], within=60)
    assert stand_ins.by("tunnel") in (0, 502, 503, 530)


@pytest.mark.ssh
def test_the_second_takes_over_when_the_first_is_down_and_everything_follows(
    two_servers: Callable[..., Scene], servers: tuple[sshd.Sshd, sshd.Sshd], tmp_path: Path
) -> None:
    scene = two_servers()
    exposure = scene.exposure
    exposure.up()
    first, second = scene.ways["tunnel"](), scene.ways["standby"]()
    eventually(lambda: scene.standby().get("healthy"), within=30)
    assert scene.passing() == ["tunnel"]
    waiting = exposure.begin("wait", "--address-change", "--from", first, "--timeout", "180s")
    with NeverBoth(scene):
        cut_off(servers[0])
        eventually(lambda: scene.passing() == ["standby"], within=60)
        out, _ = waiting.communicate(timeout=180)
        assert (waiting.returncode, out) == (0, f"{second}\n")
        exposure.wait_for("online", within=30)
        told = tmp_path / "told"
        eventually(lambda: told.exists() and len(told.read_text().splitlines()) == 2, within=20)
        assert json.loads(told.read_text().splitlines()[1])["public_url"] == second
        assert second in exposure.run("schema", "show").stdout
        status = exposure.status()
        assert (status["tunnel"]["open"], status["standby"]["open"]) == (False, True)
        assert status["checks"]["public_reachable"]
        assert (scene.count("took-over"), scene.count("address-changed")) == (1, 1)
        servers[0].start()
        eventually(lambda: scene.by("tunnel") == 503, within=60)
        eventually(lambda: exposure.status()["tunnel"]["reachable"], within=60)
        assert scene.passing() == ["standby"], "with back = never it stays"
        eventually(lambda: any("the first tunnel, which" in text for text in exposure.status()["advice"]), within=20)
        assert scene.count("old-address") >= 1
        done = exposure.run("tunnel", "use", "first")
        assert (done.returncode, done.stdout) == (0, f"{first}\n"), done.stderr
    assert scene.passing() == ["tunnel"]


@pytest.mark.ssh
def test_it_goes_back_to_the_first_once_that_has_been_well_for_a_while(
    two_servers: Callable[..., Scene], servers: tuple[sshd.Sshd, sshd.Sshd]
) -> None:
    scene = two_servers('back = "2s"')
    scene.exposure.up()
    eventually(lambda: scene.standby().get("healthy"), within=30)
    with NeverBoth(scene):
        cut_off(servers[0])
        eventually(lambda: scene.passing() == ["standby"], within=60)
        servers[0].start()
        eventually(lambda: scene.passing() == ["tunnel"], within=60)
    scene.exposure.wait_for("online", within=30)
    assert any("well again" in text for kind, text in scene.events() if kind == "took-over")


@pytest.mark.ssh
def test_a_person_may_choose_the_second_and_it_stays(two_servers: Callable[..., Scene]) -> None:
    scene = two_servers('back = "1s"')
    scene.exposure.up()
    eventually(lambda: scene.standby().get("healthy"), within=30)
    with NeverBoth(scene):
        assert scene.exposure.run("tunnel", "use", "standby").returncode == 0
        assert scene.passing() == ["standby"]
        eventually(lambda: scene.exposure.status()["tunnel"]["reachable"], within=60)
        again = scene.exposure.run("tunnel", "use", "standby")
        assert again.returncode == 0
        assert scene.passing() == ["standby"]
        scene.exposure.kill("supervisor")
        scene.exposure.run("up", "-d")
        scene.exposure.wait_for("online", within=60)
        eventually(lambda: scene.exposure.status()["tunnel"]["reachable"], within=60)
        assert scene.passing() == ["standby"]
        assert scene.exposure.run("tunnel", "use", "first").returncode == 0
    assert scene.passing() == ["tunnel"]


@pytest.mark.ssh
def test_the_choice_of_the_second_outlasts_down_and_up(two_servers: Callable[..., Scene]) -> None:
    scene = two_servers('back = "1s"')
    scene.exposure.up()
    eventually(lambda: scene.standby().get("healthy"), within=30)
    assert scene.exposure.run("tunnel", "use", "standby").returncode == 0
    assert scene.exposure.run("down").returncode == 0
    assert scene.opened() == []
    scene.exposure.up()
    assert scene.exposure.url == scene.ways["standby"]()
    eventually(lambda: scene.exposure.status()["tunnel"]["reachable"], within=60)
    assert (scene.passing(), scene.opened()) == (["standby"], ["standby"])


@pytest.mark.ssh
def test_a_first_tunnel_that_is_down_at_the_start_keeps_nobody_from_going_online(
    two_servers: Callable[..., Scene], servers: tuple[sshd.Sshd, sshd.Sshd]
) -> None:
    servers[0].stop()
    scene = two_servers()
    scene.exposure.up()
    assert scene.exposure.url == scene.ways["standby"]()
    assert scene.passing() == ["standby"]


@pytest.mark.ssh
@pytest.mark.slow
def test_with_both_down_whichever_comes_back_first_is_opened(
    two_servers: Callable[..., Scene], servers: tuple[sshd.Sshd, sshd.Sshd]
) -> None:
    scene = two_servers()
    scene.exposure.up()
    eventually(lambda: scene.standby().get("healthy"), within=30)
    with NeverBoth(scene):
        for server in reversed(servers):  # the second first: of what only waits nobody takes notice
            cut_off(server)
            if server is servers[1]:
                eventually(lambda: not scene.standby()["healthy"], within=30)
                assert scene.passing() == ["tunnel"]
                assert scene.exposure.phase() == "online"
        eventually(lambda: scene.count("both-down") == 1, within=60)
        assert scene.exposure.phase() == "degraded"
        servers[1].start()
        eventually(lambda: scene.passing() == ["standby"], within=120)
    assert scene.count("both-down") == 1


@pytest.mark.ssh
@pytest.mark.slow
def test_a_supervisor_that_dies_while_it_switches_leaves_one_open_at_the_most_and_the_next_goes_on(
    two_servers: Callable[..., Scene],
) -> None:
    """Killed at the first moment that another file, or none, is seen; and once it has settled."""
    scene = two_servers()
    exposure = scene.exposure
    exposure.up()
    for role in ("standby", "first", "standby", "first"):
        eventually(lambda: scene.standby().get("healthy") and exposure.status()["tunnel"]["healthy"], within=60)
        before, supervisor = scene.opened(), exposure.pid("supervisor")
        with NeverBoth(scene) as seen:
            asked = exposure.begin("tunnel", "use", role)
            eventually(lambda: scene.opened() != before, within=60)  # noqa: B023
            os.kill(supervisor, signal.SIGKILL)
            asked.communicate(timeout=60)
            assert len(scene.opened()) <= 1
            exposure.run("up", "-d")
            exposure.wait_for("online", within=60)
            eventually(lambda: len(scene.opened()) == 1, within=30)
            assert scene.passing() == scene.opened()
            seen.most = max(seen.most, 1)
        status = exposure.status()
        assert [role for role in ("tunnel", "standby") if status[role]["open"]] == scene.opened()
        assert status["public_url"] == scene.ways[scene.opened()[0]]()
