"""The lock outlasts a boot, whatever it looks like; a time box outlasts whoever keeps it."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import datetime

import pytest

from tests.support.eventually import eventually
from tests.support.exposure import EXPOSER, Exposure, get

pytestmark = pytest.mark.nginx
Make = Callable[..., Exposure]


def after_a_boot(exposure: Exposure, *words: str) -> "subprocess.CompletedProcess[str]":
    """A command on a machine that was started anew: the runtime folder is empty, and the boot has another id."""
    shutil.rmtree(exposure.runtime, ignore_errors=True)
    fake = exposure.folder / "boot_id"
    fake.write_text("11111111-2222-3333-4444-555555555555\n")
    script = f'mount --bind {fake} /proc/sys/kernel/random/boot_id && exec "$@"'
    argv = ["unshare", "--mount", "sh", "-c", script, "sh", *EXPOSER, "--file", str(exposure.file), *words]
    done = subprocess.run(argv, env=exposure.env, capture_output=True, text=True, timeout=120, cwd=exposure.folder)
    if "unshare failed" in done.stderr or "mount:" in done.stderr:
        pytest.skip("no mounts of our own here")
    return done


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_the_lock_holds_after_a_boot_and_unlock_lifts_it(sample: Exposure) -> None:
    sample.up()
    assert sample.run("panic").returncode == 0
    for words in (("up", "-d"), ("up",), ("up", "-d", "--supervise")):
        done = after_a_boot(sample, *words)
        assert (done.returncode, "locked by a panic" in done.stderr) == (6, True), done.stderr
    assert get(sample.url).status == 0
    assert after_a_boot(sample, "unlock", "--yes", sample.name).returncode == 0
    old = sample.key
    assert sample.up()["first_key"] is not None
    assert sample.get("/api/notes").status == 200
    assert sample.get("/api/notes", key=old).status == 401


def test_a_lock_that_is_a_folder_holds_and_is_lifted_like_any_other(sample: Exposure) -> None:
    sample.up()
    (sample.state / sample.name / "PANIC" / "inside").mkdir(parents=True)
    eventually(lambda: sample.phase() == "panicked" and get(sample.url).status == 0, within=20)
    assert sample.run("up", "-d").returncode == 6
    assert sample.run("panic").returncode == 0
    assert sample.run("unlock", "--yes", sample.name).returncode == 0
    sample.up()
    assert sample.get("/api/notes").status == 200


def test_after_unlock_no_old_key_is_valid_by_the_last_good_generation_of_the_ring(sample: Exposure) -> None:
    """Which a ring that is damaged later has people put back."""
    sample.up()
    old, state = sample.key, sample.state / sample.name
    assert sample.run("panic").returncode == 0
    assert sample.run("unlock", "--yes", sample.name).returncode == 0
    if (state / "keyring.last").exists():
        (state / "keyring.last").replace(state / "keyring")
    sample.up()
    assert sample.get("/api/notes").status == 200
    assert sample.get("/api/notes", key=old).status == 401


@pytest.mark.parametrize("place", ["keyring", "keyring.panicked"])
def test_unlock_goes_on_over_a_folder_that_is_no_ring_and_a_report_that_is_no_file(
    sample: Exposure, place: str
) -> None:
    sample.up()
    old, state = sample.key, sample.state / sample.name
    assert sample.run("panic").returncode == 0
    (state / place).unlink(missing_ok=True)
    (state / place / "inside").mkdir(parents=True)
    os.mkfifo(state / "incidents" / "99991231T000000Z-1.md")
    done = sample.run("unlock", "--yes", sample.name, timeout=60)
    assert (done.returncode, "cannot be read" in done.stderr) == (0, True), done.stderr
    sample.up()
    assert sample.get("/api/notes", key=old).status == 401


def expires(exposure: Exposure) -> float:
    return datetime.fromisoformat(exposure.status()["expires"]).timestamp()


def later(seconds: float) -> str:
    return datetime.fromtimestamp(time.time() + seconds).isoformat(timespec="seconds")


@pytest.mark.parametrize("words", [("--for", "2h"), ("--until", "")])
def test_a_supervisor_that_is_started_anew_and_a_drill_give_no_more_time(
    sample: Exposure, words: tuple[str, str]
) -> None:
    sample.up(words[0], words[1] or later(7200))
    until = expires(sample)
    before = sample.pid("supervisor")
    os.kill(before, signal.SIGKILL)
    eventually(lambda: sample.pid("supervisor") not in (0, before) and sample.phase() == "online", within=40)
    assert abs(expires(sample) - until) <= 1
    done = sample.run("panic", "--drill", timeout=200)
    assert done.returncode == 0, done.stderr
    assert abs(expires(sample) - until) <= 1


def test_idle_time_goes_on_to_count_after_a_drill_and_for_a_supervisor_that_is_started_anew(sample: Exposure) -> None:
    sample.up("--idle", "600s")
    before = sample.pid("supervisor")
    os.kill(before, signal.SIGKILL)
    eventually(lambda: sample.pid("supervisor") not in (0, before) and sample.phase() == "online", within=40)
    assert expires(sample) - time.time() <= 601
    assert sample.run("panic", "--drill", timeout=200).returncode == 0
    assert expires(sample) - time.time() <= 601


def test_a_lease_that_is_dated_in_the_future_proves_nothing(sample: Exposure) -> None:
    sample.up()
    sample.kill("supervisor", signal.SIGSTOP)
    later = time.clock_gettime(time.CLOCK_BOOTTIME) + 10_000
    (sample.runtime / sample.name / "lease").write_text(f"{later:<23.3f}\n")
    eventually(lambda: get(sample.url).status == 0, within=30)
    folder = sample.state / sample.name / "incidents"
    eventually(
        lambda: any("in the future" in json.loads(p.read_text())["reason"] for p in folder.glob("*.json")), within=20
    )
