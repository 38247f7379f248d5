"""kill -9 at twenty random moments of a start: nothing stands open afterwards, and the next start works."""

import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from exposer.procs import Ledger
from tests.support import fake_cloudflared
from tests.support.eventually import eventually
from tests.support.exposure import EXPOSER, Exposure, get, sample_config
from tests.support.ports import free_port
from tests.support.unlucky import left, moody, passing, processes

pytestmark = [pytest.mark.nginx, pytest.mark.slow]
Make = Callable[..., Exposure]
MOMENTS = 20


@pytest.fixture
def victim(make_exposure: Make) -> Exposure:
    """The sample backend behind the local tunnel."""
    return make_exposure(sample_config(free_port()))


def begin(exposure: Exposure, *words: str) -> subprocess.Popen[bytes]:
    """Starts a command that writes to a file: what it managed to show before it is killed counts as seen."""
    with open(exposure.folder / "shown", "wb") as shown:
        return subprocess.Popen(
            [*EXPOSER, "--file", str(exposure.file), *words],
            env=exposure.env,
            cwd=exposure.folder,
            stdout=shown,
            stderr=subprocess.DEVNULL,
        )


def shown_key(exposure: Exposure) -> str:
    found = re.search(r"^  key +(exp_\S+)$", (exposure.folder / "shown").read_text(), re.MULTILINE)
    return found[1] if found else ""


def supervisors(exposure: Exposure) -> list[int]:
    """Background supervisors that run; not the process that waits for its word to become one."""
    return [pid for pid in processes(exposure) if name_of(pid) == "exposer-daemon"]


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def open_without_a_key(exposure: Exposure, public: Callable[[str], str] = str) -> list[str]:
    """Everything of the exposure that answers somebody without a key with anything but a refusal.

    The backend itself listens on loopback; the gateway and whatever a tunnel leads to is what counts. `public` is
    where a stand-in answers for an address of the world outside; without a tunnel it says 530.
    """
    found = []
    for entry in Ledger(str(exposure.runtime / exposure.name / "ledger")).entries():
        address = entry.detail.get("listen") or ""
        url = entry.detail.get("url") or (f"http://{address}" if address else "")
        for path in ("/", "/api/notes", "/api/private", "/.exposer/nothing"):
            status = get(f"{public(url)}{path}").status if url else 0
            if status not in (0, 401, 429, 502, 503, 504, 530):
                found.append(f"{entry.role} {url}{path}: {status}")
    return found


def tunnel_without_gateway(exposure: Exposure) -> bool:
    """Whether a tunnel is on record while no gateway was proved before it."""
    roles = [entry.role for entry in Ledger(str(exposure.runtime / exposure.name / "ledger")).entries()]
    return "tunnel" in roles and "gateway" not in roles[: roles.index("tunnel")]


def usual_duration(exposure: Exposure) -> float:
    begun = time.monotonic()
    exposure.up()
    took = time.monotonic() - begun
    assert exposure.run("down").returncode == 0
    return took


def pause(seconds: float) -> None:
    """The random moment itself: there is nothing to wait for but the time."""
    deadline = time.monotonic() + seconds
    eventually(lambda: time.monotonic() >= deadline, within=seconds + 1)


def forget(exposure: Exposure) -> None:
    """Keys and all: the next start is a first one."""
    exposure.run("down", "--purge", "--yes")
    exposure.key = ""


def comes_back(exposure: Exposure) -> None:
    """The next `up -d` works with a key, and `down` leaves nothing."""
    exposure.up()
    assert exposure.key, "a key that nobody has seen was never replaced"
    assert exposure.get("/api/notes").status == 200
    assert exposure.get("/api/notes", key="").status in (401, 429)
    assert passing(exposure) == ["default"]
    assert exposure.run("down").returncode == 0
    assert not (remains := left(exposure)), remains


@pytest.mark.parametrize("whom", ["supervisor", "foreground", "waiting"])
def test_killed_at_any_moment_of_a_start_nothing_stands_open(victim: Exposure, whom: str) -> None:
    took = usual_duration(victim)
    chance = random.Random()
    seed = chance.randrange(10**6)
    chance.seed(seed)
    forget(victim)
    for number in range(MOMENTS // 3 + 1):
        moment = chance.uniform(0, took)
        told = f"seed {seed}, kill {number} of the {whom} after {moment:.3f} s of {took:.3f} s"
        process = begin(victim, *(("up",) if whom == "foreground" else ("up", "-d")))
        pause(moment)
        for pid in supervisors(victim) if whom == "supervisor" else [process.pid]:
            kill(pid)
        process.wait(120)
        victim.key = shown_key(victim) or victim.key
        assert open_without_a_key(victim) == [], told
        assert not tunnel_without_gateway(victim), told
        if number % 2:
            down = victim.run("down")
            assert down.returncode == 0, (told, down.stderr)
            assert not (remains := [line for line in left(victim) if "first key" not in line]), (
                told,
                remains,
            )
        else:
            try:
                comes_back(victim)
            except AssertionError as error:
                raise AssertionError(told) from error
            forget(victim)


def test_a_tunnel_is_never_left_running_without_a_gateway_that_was_proved(make_exposure: Make, tmp_path: Path) -> None:
    """With a real process as the tunnel: whenever it lives, its gateway is on record and refuses."""
    program = fake_cloudflared.install(tmp_path)
    tunnel = f'provider = "cloudflared"\nbinary = "{program}"'
    exposure = make_exposure(sample_config(free_port()).replace('provider = "local"', tunnel))
    chance = random.Random(7)

    def outside(url: str) -> str:
        return url if url.startswith("http://127.") else fake_cloudflared.public(program)

    for _ in range(5):
        process = begin(exposure, "up", "-d", "--timeout", "5s")
        pause(chance.uniform(0.3, 2.5))
        for pid in supervisors(exposure):
            kill(pid)
        process.wait(120)
        assert not tunnel_without_gateway(exposure)
        assert open_without_a_key(exposure, outside) == []
        assert exposure.run("down").returncode == 0
        assert not (remains := [line for line in left(exposure) if "first key" not in line]), remains


@pytest.fixture
def sluggish(make_exposure: Make) -> Exposure:
    """Its start takes so long that there is time to kill who watches it."""
    return make_exposure(moody(free_port(), "slow=5"))


def test_a_start_whose_watcher_was_killed_hands_its_key_to_the_next(sluggish: Exposure) -> None:
    """Nobody saw the first key: the next `up -d` joins in, or finds it online, and shows a new one."""
    process = begin(sluggish, "up", "-d")
    eventually(lambda: supervisors(sluggish))
    kill(process.pid)
    process.wait()
    eventually(lambda: sluggish.phase() == "online", within=60)
    done = sluggish.run("up", "-d", "--json")
    said = json.loads(done.stdout)
    assert said["first_key"] is not None
    sluggish.url, sluggish.key = said["public_url"], said["first_key"]["key"]
    eventually(lambda: sluggish.get("/api/notes").status == 200)
    assert passing(sluggish) == ["default"]
    assert json.loads(sluggish.run("up", "-d", "--json").stdout)["first_key"] is None


def test_an_up_beside_a_start_under_way_joins_it_once_its_watcher_is_gone(sluggish: Exposure) -> None:
    process = begin(sluggish, "up", "-d")
    before = eventually(lambda: supervisors(sluggish))
    kill(process.pid)
    process.wait()
    sluggish.up()
    assert supervisors(sluggish) == before
    assert sluggish.get("/api/notes").status == 200


def test_down_beside_a_start_wins(victim: Exposure) -> None:
    chance = random.Random(11)
    for _ in range(4):
        process = begin(victim, "up", "-d")
        pause(chance.uniform(0.05, 1.0))
        assert victim.run("down").returncode == 0
        code = process.wait(120)
        remains = left(victim)
        if code == 0:  # `down` came before there was anything, or after it was online
            assert victim.run("down").returncode == 0
            remains = left(victim)
        assert not remains, (code, remains)


@pytest.mark.parametrize("words", [("down",), ("down", "--purge", "--yes")])
def test_an_up_at_any_moment_of_a_down_does_not_fail(victim: Exposure, words: tuple[str, ...]) -> None:
    """Its look may come before the `down` was heard: then it says that it runs already."""
    chance = random.Random(13)
    for number in range(8):
        victim.run("up", "-d")
        down = victim.begin(*words)
        moment = chance.uniform(0.1, 1.0)
        pause(moment)
        up = victim.run("up", "-d")
        text, _ = down.communicate(timeout=180)
        told = f"up {number}, {moment:.3f} s after the down: {up.stderr}"
        assert up.returncode == 0, told
        assert down.returncode == 0, (told, text)
        assert open_without_a_key(victim) == [], told
    assert victim.run("down").returncode == 0
    assert not (remains := left(victim)), remains
