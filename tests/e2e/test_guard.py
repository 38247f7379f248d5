"""The guard on a real exposure: whoever is killed, stopped or late, nothing stays open."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from exposer import procs
from exposer.files import FileLock
from exposer.guard import AGAIN, Guard
from exposer.guard.lease import now
from exposer.procs import ProcessId, started_at
from tests.support.eventually import eventually
from tests.support.exposure import REPOSITORY, Exposure, get, removed, sample_config
from tests.support.ports import free_port
from tests.support.unlucky import left, moody

pytestmark = pytest.mark.nginx
PARTS = ("gateway", "backend")


def closed(exposure: Exposure, *pids: int) -> bool:
    return get(exposure.url).status == 0 and not any(started_at(pid) for pid in pids)


def reasons(exposure: Exposure) -> list[str]:
    folder = exposure.state / exposure.name / "incidents"
    return [json.loads(path.read_text())["reason"] for path in folder.glob("*.json")]


def kill(*pids: int) -> None:
    """At once: the first ones, the supervisor before the guard, do not notice how the others end."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            os.kill(pid, number)


def tunnelled(make_exposure, tmp_path) -> Exposure:
    """Online through a tunnel that is a process of its own."""
    program = tmp_path / "cloudflared"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {REPOSITORY}/tests/support/fake_cloudflared.py "$@"\n')
    program.chmod(0o755)
    tunnel = f'provider = "cloudflared"\nbinary = "{program}"'
    return make_exposure(sample_config(free_port()).replace('provider = "local"', tunnel))


def start(exposure: Exposure) -> "subprocess.Popen[str]":
    """In the foreground, until its tunnel has an address; nobody can ask that."""
    process = exposure.begin("up")
    eventually(lambda: exposure.pid("tunnel") and started_at(exposure.pid("tunnel")), within=40)
    eventually(lambda: has_address(exposure), within=40)
    eventually(lambda: len(exposure.guards(leash=True)) == 1, within=20)
    return process


def has_address(exposure: Exposure) -> bool:
    """Not yet when no supervisor is there to say so."""
    said = exposure.run("status", "--json")
    return said.returncode == 0 and bool(json.loads(said.stdout)["public_url"])


def workers(exposure: Exposure) -> list[int]:
    """nginx's processes, the first one too."""
    pid = exposure.pid("gateway")
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [pid, *map(int, file.read().split())]


def tethered(exposure: Exposure, count: int) -> bool:
    """Whether the leash holds so many: each has a pipe of its own, with both ends in there."""
    links = []
    with suppress(OSError, ValueError):  # it opens and closes files all the time
        (pid,) = exposure.guards(leash=True)
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with suppress(FileNotFoundError):
                links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return sum(1 for link in set(links) if link.startswith("pipe:") and links.count(link) == 2) == count


def test_a_stopped_supervisor_is_cut_when_its_lease_is_over_and_the_keys_stay(sample: Exposure) -> None:
    sample.up()
    parts = [sample.pid(role) for role in PARTS]
    sample.shorten_lease()
    supervisor = sample.kill("supervisor", signal.SIGSTOP)
    eventually(lambda: closed(sample, supervisor, *parts), within=30)
    eventually(lambda: any("silent for longer than its lease" in reason for reason in reasons(sample)), within=20)
    assert not (sample.state / sample.name / "PANIC").exists()
    assert sample.up()["first_key"] is None
    assert sample.get("/api/notes").status == 200


def test_without_its_runtime_folder_an_exposure_is_closed_when_the_lease_is_over(sample: Exposure) -> None:
    """No guard can be kept any more, and nobody can see the lease."""
    sample.up()
    parts = [sample.pid(role) for role in ("supervisor", *PARTS)]
    sample.shorten_lease()
    removed(sample.runtime / sample.name)
    eventually(lambda: closed(sample, *parts), within=40)
    eventually(lambda: any("silent" in reason for reason in reasons(sample)), within=20)
    assert not (sample.state / sample.name / "PANIC").exists()
    assert sample.up()["first_key"] is None
    assert sample.get("/api/notes").status == 200


def test_a_killed_supervisor_is_started_anew_at_the_same_address(sample: Exposure) -> None:
    sample.up()
    address, gateway, before = sample.url, sample.pid("gateway"), sample.pid("supervisor")
    kill(before)
    assert sample.get("/api/notes").status == 200
    eventually(lambda: sample.pid("supervisor") not in (0, before), within=30)
    sample.wait_for("online", within=30)
    assert sample.status()["public_url"] == address
    assert sample.pid("gateway") == gateway
    assert sample.get("/api/notes").status == 200


def test_a_down_that_comes_in_between_ends_the_one_that_is_started_anew(
    make_exposure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guard has seen that nobody else is at it; before it starts one, a `down` sweeps up."""
    exposure = make_exposure(moody(free_port(), "stubborn"))
    exposure.up()
    parts, supervisor = [exposure.pid(role) for role in PARTS], exposure.pid("supervisor")
    for guard in exposure.guards(leash=False):
        os.kill(guard, signal.SIGSTOP)  # this test is the guard now
    kill(supervisor)
    eventually(lambda: not started_at(supervisor), within=20)
    for name in ("EXPOSER_STATE_DIR", "EXPOSER_RUNTIME_DIR"):
        monkeypatch.setenv(name, exposure.env[name])
    downs, spawn = [], procs.spawn

    def beside_a_down(*args, **kwargs) -> ProcessId:
        downs.append(exposure.begin("down"))
        procs.wait_until(lambda: not started_at(parts[0]), 5.0)  # it has the lock now; or else it waits for it
        return spawn(*args, **kwargs)

    monkeypatch.setattr(procs, "spawn", beside_a_down)
    guard = Guard(exposure.name)
    guard.terms = guard.lease.terms()
    guard._keep_supervisor(now())
    later = now() + AGAIN[0] + 1
    eventually(lambda: guard._keep_supervisor(later) or downs, within=20)  # the dead one's lock may go a little later
    (down,) = downs
    text, _ = down.communicate(timeout=90)
    assert down.returncode == 0, text
    eventually(lambda: not procs.reap() and closed(exposure, *parts) and not left(exposure), within=60)
    lock = FileLock(str(exposure.state / exposure.name / "supervisor.lock"))
    assert lock.acquire(wait=False), "somebody is the supervisor"
    lock.release()


def test_a_supervisor_that_dies_again_and_again_is_cut_in_the_end(sample: Exposure) -> None:
    sample.up()
    parts, supervisor = [sample.pid(role) for role in PARTS], sample.pid("supervisor")
    sample.shorten_lease(8)
    sample.file.write_text("this is not TOML [")
    kill(supervisor)
    eventually(lambda: closed(sample, *parts), within=40)
    sample.write(sample_config(free_port()))


def test_a_killed_guard_is_started_anew(sample: Exposure) -> None:
    sample.up()
    (before,) = sample.guards(leash=False)
    kill(before)
    eventually(lambda: sample.guards(leash=False) not in ([], [before]), within=20)
    eventually(lambda: len(sample.guards(leash=True)) == 1, within=20)
    assert sample.get("/api/notes").status == 200
    assert sample.phase() == "online"


def test_with_supervisor_and_guard_killed_at_once_nothing_stays_open(sample: Exposure) -> None:
    sample.up()
    parts = [sample.pid(role) for role in PARTS]
    eventually(lambda: len(sample.guards(leash=True)) == 1)
    kill(sample.pid("supervisor"), *sample.guards(leash=False))
    eventually(lambda: closed(sample, *parts), within=15)
    eventually(lambda: sample.guards(leash=True) == [], within=15)
    assert sample.up()["first_key"] is None
    assert sample.get("/api/notes").status == 200


def test_a_tunnel_of_its_own_ends_with_supervisor_and_guard(make_exposure, tmp_path) -> None:
    exposure = tunnelled(make_exposure, tmp_path)
    with start(exposure) as process:
        parts = [exposure.pid("tunnel"), *workers(exposure)]
        kill(process.pid, *exposure.guards(leash=False))
        eventually(lambda: not any(started_at(pid) for pid in parts), within=15)
        process.communicate()


def test_killed_as_soon_as_the_tunnel_is_on_record_they_take_it_along(make_exposure, tmp_path) -> None:
    exposure = tunnelled(make_exposure, tmp_path)
    with exposure.begin("up") as process:
        deadline = time.monotonic() + 40
        while not exposure.pid("tunnel"):  # as quickly as it can be seen
            assert time.monotonic() < deadline
        parts = [exposure.pid("tunnel"), *workers(exposure)]
        kill(process.pid, *exposure.guards(leash=False))
        eventually(lambda: not any(started_at(pid) for pid in parts), within=15)
        process.communicate()


def test_supervisor_and_guard_stopped_together_are_cut_when_the_lease_is_over(make_exposure, tmp_path) -> None:
    exposure = tunnelled(make_exposure, tmp_path)
    with start(exposure) as process:
        parts = [exposure.pid("tunnel"), *workers(exposure)]
        exposure.shorten_lease()
        for pid in (process.pid, *exposure.guards(leash=False)):
            os.kill(pid, signal.SIGSTOP)
        eventually(lambda: not any(started_at(pid) for pid in parts), within=40)
        eventually(lambda: any("supervisor and guard were silent" in why for why in reasons(exposure)), within=20)
        process.communicate()
    assert not (exposure.state / exposure.name / "PANIC").exists()


def test_killed_all_three_at_once_they_take_tunnel_and_gateway_along(make_exposure, tmp_path) -> None:
    exposure = tunnelled(make_exposure, tmp_path)
    with start(exposure) as process:
        parts = [exposure.pid("tunnel"), *workers(exposure)]
        listen = next(e["detail"]["listen"] for e in exposure.ledger() if e["detail"].get("listen"))
        eventually(lambda: tethered(exposure, 2), within=20)
        kill(process.pid, *exposure.guards(leash=False), *exposure.guards(leash=True))
        eventually(lambda: not any(started_at(pid) for pid in parts), within=10)
        assert get(f"http://{listen}/").status == 0
        process.communicate()


def test_stopped_all_three_at_once_they_take_tunnel_and_gateway_along(make_exposure, tmp_path) -> None:
    exposure = tunnelled(make_exposure, tmp_path)
    process = start(exposure)
    parts = [exposure.pid("tunnel"), *workers(exposure)]
    eventually(lambda: tethered(exposure, 2), within=20)
    exposure.shorten_lease()
    for pid in (process.pid, *exposure.guards(leash=False), *exposure.guards(leash=True)):
        os.kill(pid, signal.SIGSTOP)
    eventually(lambda: not any(started_at(pid) for pid in parts), within=40)
    for pid in exposure.guards(leash=False):  # it goes on, and does what it was kept from
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: not started_at(process.pid), within=20)
    process.communicate()


def test_a_supervisor_that_is_replaced_finds_the_same_tunnel_and_gateway(make_exposure, tmp_path) -> None:
    exposure = tunnelled(make_exposure, tmp_path)
    with start(exposure) as process:
        before = [exposure.pid("tunnel"), exposure.pid("gateway")]
        kill(process.pid)
        process.communicate()
    again = start(exposure)
    eventually(lambda: exposure.run("audit", "--events", "--json").stdout.count("taken over") >= 2, within=40)
    assert [exposure.pid("tunnel"), exposure.pid("gateway")] == before
    again.terminate()
    again.communicate()
    assert not any(started_at(pid) for pid in before)


def test_a_guard_that_is_replaced_leaves_tunnel_and_gateway_as_they_are(make_exposure, tmp_path) -> None:
    exposure = tunnelled(make_exposure, tmp_path)
    process = start(exposure)
    parts = [exposure.pid("tunnel"), *workers(exposure)]
    (leash,) = exposure.guards(leash=True)
    kill(*exposure.guards(leash=False))
    eventually(lambda: not started_at(leash) and len(exposure.guards(leash=True)) == 1, within=30)
    eventually(lambda: tethered(exposure, 2), within=20)
    assert all(started_at(pid) for pid in parts)
    process.terminate()
    process.communicate()


def test_a_leash_that_is_killed_takes_the_gateway_along_and_both_are_started_anew(sample: Exposure) -> None:
    sample.up()
    eventually(lambda: tethered(sample, 1), within=20)
    before, (leash,) = workers(sample), sample.guards(leash=True)
    kill(leash)
    eventually(lambda: not any(started_at(pid) for pid in before), within=10)
    eventually(lambda: sample.pid("gateway") not in (0, *before) and sample.phase() == "online", within=40)
    eventually(lambda: sample.guards(leash=True) not in ([], [leash]), within=20)
    eventually(lambda: sample.get("/api/notes").status == 200, within=20)


def test_a_supervisor_in_the_foreground_is_not_started_again(sample: Exposure) -> None:
    process = sample.begin("up")
    eventually(lambda: sample.status().get("public_url"), within=40)
    sample.wait_for("online")
    sample.url = sample.status()["public_url"]
    parts = [sample.pid(role) for role in PARTS]
    sample.shorten_lease()
    process.kill()
    process.communicate()
    eventually(lambda: closed(sample, *parts), within=30)
    assert sample.phase() == "offline"


def test_the_lock_put_there_by_hand_cuts(sample: Exposure) -> None:
    sample.up()
    parts = [sample.pid(role) for role in PARTS]
    sample.kill("supervisor", signal.SIGSTOP)  # not the supervisor: it notices by itself
    (sample.state / sample.name / "PANIC").touch(0o600)
    eventually(lambda: closed(sample, *parts), within=15)
    assert sample.phase() == "panicked"


def test_down_ends_the_guard_and_panic_does_too(sample: Exposure) -> None:
    sample.up()
    running = sample.guards(leash=False) + sample.guards(leash=True)
    assert sample.run("down").returncode == 0
    assert not any(started_at(pid) for pid in running)
    sample.up()
    running = sample.guards(leash=False) + sample.guards(leash=True)
    sample.run("panic")
    eventually(lambda: not any(started_at(pid) for pid in running), within=15)


def test_when_its_time_is_over_it_goes_offline_by_itself(sample: Exposure) -> None:
    sample.up("--for", "30s")
    assert sample.status()["expires"] is not None
    eventually(lambda: sample.phase() == "offline", within=60)
    eventually(lambda: not (sample.runtime / sample.name).exists(), within=10)


def test_when_its_time_is_over_a_hung_supervisor_does_not_keep_it_open(sample: Exposure) -> None:
    sample.up("--for", "30s")
    parts = [sample.pid(role) for role in PARTS]
    sample.kill("supervisor", signal.SIGSTOP)
    eventually(lambda: closed(sample, *parts), within=60)
    eventually(lambda: "its time was over" in reasons(sample), within=20)


def test_calls_with_a_key_keep_it_online_and_strangers_do_not(sample: Exposure) -> None:
    sample.up("--idle", "25s")
    began = time.monotonic()
    eventually(lambda: sample.get("/api/notes").status == 200 and time.monotonic() - began > 30, within=60)
    assert sample.phase() == "online"
    eventually(lambda: sample.get("/api/notes", key="").status == 0, within=60)
    eventually(lambda: sample.phase() == "offline", within=30)


@pytest.mark.parametrize("words", [("--for", "never"), ("--until", "teatime"), ("--idle", "0")])
def test_a_time_that_makes_no_sense_starts_nothing(sample: Exposure, words: tuple[str, str]) -> None:
    done: subprocess.CompletedProcess[str] = sample.run("up", "-d", *words)
    assert done.returncode == 2
    assert words[0] in done.stderr
    assert not (sample.runtime / sample.name / "ledger").exists()
