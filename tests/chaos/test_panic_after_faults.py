"""A fault at a random moment of `up`, `rotate-key`, a reload or `down`, then the kill switch: closed, every time.

EXPOSER_FAULTS says how many (20), EXPOSER_SEED repeats a run.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from exposer.procs import Ledger, ProcessId
from tests.chaos.test_kill_during_up import pause
from tests.support import fake_cloudflared
from tests.support.disk import fill, mounted
from tests.support.eventually import eventually
from tests.support.exposure import Exposure, get, sample_config
from tests.support.families import family
from tests.support.ports import free_port
from tests.support.unlucky import processes

pytestmark = [pytest.mark.nginx, pytest.mark.slow]
TIMES = int(os.environ.get("EXPOSER_FAULTS", "20"))
LONGEST = {"up": 1.5, "rotate-key": 0.6, "reload": 0.6, "down": 0.8}
FAULTS = ("kill", "stop", "watchers", "full", "network", "none")
Make = Callable[..., Exposure]


def begin(exposure: Exposure, *words: str) -> "subprocess.Popen[bytes]":
    argv = [sys.executable, "-m", "exposer", "--file", str(exposure.file), *words]
    return subprocess.Popen(
        argv, env=exposure.env, cwd=exposure.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def act(exposure: Exposure, action: str) -> "subprocess.Popen[bytes] | None":
    if action == "up":
        return begin(exposure, "up", "-d", "--timeout", "20s")
    if action == "reload":
        exposure.file.write_text(exposure.file.read_text().replace('rate = "6000/min"', 'rate = "6001/min"'))
        return None
    return begin(exposure, action, *(("--now",) if action == "rotate-key" else ()))


def recorded(exposure: Exposure) -> list[ProcessId]:
    entries = Ledger(str(exposure.runtime / exposure.name / "ledger")).entries()
    return [entry.process for entry in entries if entry.process is not None and entry.process.alive()]


def harm(exposure: Exposure, fault: str, chance: random.Random) -> None:
    alive = recorded(exposure)
    if fault in ("kill", "stop") and alive:
        chance.choice(alive).signal(signal.SIGKILL if fault == "kill" else signal.SIGSTOP)
    elif fault == "watchers":  # supervisor, guard and leash at once, or only some of them
        number = chance.choice((signal.SIGKILL, signal.SIGSTOP))
        for entry in Ledger(str(exposure.runtime / exposure.name / "ledger")).entries():
            if entry.role in ("supervisor", "guard") and entry.process is not None and chance.random() < 0.8:
                entry.process.signal(number)
    elif fault == "full":
        fill(exposure.state)
    elif fault == "network":  # the tunnel's way out is gone: it hears and says nothing any more
        for entry in Ledger(str(exposure.runtime / exposure.name / "ledger")).entries():
            if entry.role == "tunnel" and entry.process is not None:
                entry.process.signal_group(signal.SIGSTOP)


def addresses(exposure: Exposure) -> set[str]:
    found = {exposure.url}
    for entry in Ledger(str(exposure.runtime / exposure.name / "ledger")).entries():
        found |= {f"http://{entry.detail['listen']}"} if entry.detail.get("listen") else set()
    return {url for url in found if url.startswith("http://127.")}


def one(exposure: Exposure, action: str, fault: str, chance: random.Random) -> list[str]:
    """What is wrong after an action that was disturbed, and a panic."""
    if action != "up":
        exposure.up()
    with ExitStack() as stack:
        stranger, members = stack.enter_context(family(1))
        running = act(exposure, action)
        pause(chance.uniform(0, LONGEST[action]))
        harm(exposure, fault, chance)
        pause(chance.uniform(0, 0.1))
        known = addresses(exposure)
        done = exposure.run("panic", "--reason", f"{action} and {fault}")
        if running is not None:
            running.wait(120)
        wrong = [f"panic ended with {done.returncode}: {done.stderr}"] if done.returncode not in (0, 1) else []
        wrong += [] if (exposure.state / exposure.name / "PANIC").exists() else ["there is no lock"]
        wrong += [f"{url} answers" for url in known if get(url).status]
        if not gone(exposure):
            wrong.append(f"still running: {processes(exposure)}")
        again = exposure.run("up", "-d", "--timeout", "10s")
        wrong += [] if again.returncode == 6 else [f"up is not locked out: {again.returncode} {again.stderr}"]
        wrong += [] if all(one.alive() for one in (stranger, *members)) else ["a stranger was signalled"]
        return wrong


def gone(exposure: Exposure) -> bool:
    try:
        eventually(lambda: not processes(exposure))
    except AssertionError:
        return False
    return True


def recover(exposure: Exposure) -> None:
    (exposure.state / "filler").unlink(missing_ok=True)
    exposure.run("unlock", "--yes", exposure.name)
    exposure.run("down", "--purge", "--yes")
    exposure.file.write_text(exposure.file.read_text().replace('rate = "6001/min"', 'rate = "6000/min"'))
    exposure.key = ""


def test_whatever_went_wrong_before_panic_closes(make_exposure: Make, tmp_path: Path) -> None:
    program = fake_cloudflared.install(tmp_path)
    tunnel = f'provider = "cloudflared"\nbinary = "{program}"'
    seed = int(os.environ.get("EXPOSER_SEED") or time.time_ns() % 10**6)
    chance = random.Random(seed)
    print(f"seed {seed}")
    for number in range(TIMES):
        text = sample_config(free_port())
        exposure = make_exposure(text.replace('provider = "local"', tunnel) if number % 4 == 0 else text)
        exposure.state.mkdir(mode=0o700)
        action, fault = chance.choice(list(LONGEST)), chance.choice(FAULTS)
        told = f"seed {seed}, number {number}: {action}, {fault}"
        print(told)
        with mounted(exposure.state, "size=24m"):
            try:
                assert one(exposure, action, fault, chance) == [], told
            finally:
                recover(exposure)
