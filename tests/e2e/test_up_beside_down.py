"""`up` while a `down` comes to its end: it waits, finds its folders, and is online afterwards."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exposer.files import FileLock
from exposer.procs import started_at
from tests.support.eventually import eventually
from tests.support.exposure import Exposure, get
from tests.support.ports import free_port
from tests.support.unlucky import left, moody, passing

pytestmark = pytest.mark.nginx
Make = Callable[..., Exposure]
WAYS = [pytest.param(("up",), id="foreground"), pytest.param(("up", "-d"), id="detached")]
DOWNS = [pytest.param(("down",), id="down"), pytest.param(("down", "--purge", "--yes"), id="purge")]
WAITING = "waiting for a `down` that is under way"
TRIES = 20


@pytest.fixture
def stubborn(make_exposure: Make) -> Exposure:
    """One whose backend does not end when it is asked to, so that a `down` takes seconds."""
    return make_exposure(moody(free_port(), "stubborn"))


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@contextmanager
def caught(exposure: Exposure, *words: str) -> "Iterator[subprocess.Popen[str]]":
    """A first `up` that stands still: it has made its folders and done nothing with them yet."""
    for _ in range(TRIES):
        with begun(exposure, *words) as process:
            if stopped_early(exposure, process):
                yield process
                return
        exposure.run("down", "--purge", "--yes")
    raise AssertionError("it was never caught in time")


def stopped_early(exposure: Exposure, process: "subprocess.Popen[str]") -> bool:
    state = exposure.state / exposure.name
    deadline = time.monotonic() + 30
    while not (state / "logs").exists():  # as quickly as it can be seen
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGSTOP)
    eventually(lambda: state_of(process.pid) == "T")
    return not (state / "starting.lock").exists()


def online(exposure: Exposure, process: "subprocess.Popen[str]") -> None:
    """This `up` brings it online, and its key opens it."""
    said = []
    assert process.stdout is not None
    for line in process.stdout:  # to its end, when it fails
        said.append(line)
        if line.startswith("  end "):
            break
    shown = {words[0]: words[1] for line in said if len(words := line.split()) > 1 and line.startswith("  ")}
    assert "address" in shown, "".join(said)
    exposure.url = shown["address"]
    exposure.key = exposure.key if shown["key"] == "as" else shown["key"]  # as before
    assert exposure.get("/api/notes").status == 200
    assert passing(exposure) == ["default"]
    assert "Traceback" not in "".join(said)


def ended(exposure: Exposure, process: "subprocess.Popen[str]") -> None:
    assert exposure.run("down").returncode == 0
    process.communicate(timeout=60)
    assert not (remains := left(exposure)), remains


@contextmanager
def begun(exposure: Exposure, *words: str) -> "Iterator[subprocess.Popen[str]]":
    """A command under way, which is ended in any case."""
    with exposure.begin(*words) as process:
        try:
            yield process
        finally:
            finish(process)


def finish(process: "subprocess.Popen[str]") -> None:
    """Whatever it is at."""
    if process.poll() is None:
        process.terminate()
        process.send_signal(signal.SIGCONT)
    process.communicate(timeout=60)


@contextmanager
def held(exposure: Exposure) -> Iterator[FileLock]:
    """The supervisor's lock, in our hands as in those of a `down`."""
    state = exposure.state / exposure.name
    state.mkdir(mode=0o700, parents=True)
    exposure.state.chmod(0o700)
    with FileLock(str(state / "supervisor.lock")) as lock:
        yield lock


def says(process: "subprocess.Popen[str]", text: str) -> None:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if text in line:
            return
    raise AssertionError(f"{text!r} was not said before the end; this was:\n{''.join(said)}")


@pytest.mark.parametrize("down", DOWNS)
@pytest.mark.parametrize("up", WAYS)
def test_folders_that_a_down_has_removed_meanwhile_are_made_anew(
    sample: Exposure, up: tuple[str, ...], down: tuple[str, ...]
) -> None:
    with caught(sample, *up) as process:
        assert sample.run(*down).returncode == 0
        assert not (sample.runtime / sample.name).exists()
        process.send_signal(signal.SIGCONT)
        online(sample, process)
        assert (sample.state / sample.name / "logs" / "supervisor.log").exists() or up == ("up",)
        ended(sample, process)


@pytest.mark.parametrize("down", DOWNS)
@pytest.mark.parametrize("up", WAYS)
def test_what_a_dead_supervisor_left_is_swept_up_first(
    stubborn: Exposure, up: tuple[str, ...], down: tuple[str, ...]
) -> None:
    stubborn.up()
    backend, gateway = stubborn.pid("backend"), stubborn.pid("gateway")
    os.kill(stubborn.pid("supervisor"), signal.SIGKILL)
    with begun(stubborn, *down) as sweeping:
        eventually(lambda: not started_at(gateway), within=30)
        with begun(stubborn, *up) as process:
            online(stubborn, process)
            assert sweeping.wait(60) == 0
            assert not started_at(backend)
            ended(stubborn, process)


@pytest.mark.parametrize("down", DOWNS)
@pytest.mark.parametrize("up", WAYS)
def test_a_supervisor_that_is_stopping_is_waited_for(
    stubborn: Exposure, up: tuple[str, ...], down: tuple[str, ...]
) -> None:
    stubborn.up()
    supervisor = stubborn.pid("supervisor")
    with begun(stubborn, *down) as ending:
        stubborn.wait_for("stopping", within=30)
        os.kill(supervisor, signal.SIGSTOP)  # it comes to its end only once it is waited for
        with begun(stubborn, *up) as process:
            says(process, WAITING)
            os.kill(supervisor, signal.SIGCONT)
            online(stubborn, process)
            assert ending.wait(60) == 0
            assert not started_at(supervisor)
            ended(stubborn, process)


@pytest.mark.parametrize("up", WAYS)
def test_it_waits_and_makes_no_key_before_it_is_its_turn(sample: Exposure, up: tuple[str, ...]) -> None:
    with held(sample) as lock, begun(sample, *up) as process:
        says(process, WAITING)
        assert not (sample.state / sample.name / "keyring").exists()
        (sample.runtime / sample.name).rmdir()
        lock.release()
        online(sample, process)
        ended(sample, process)


@pytest.mark.parametrize("up", WAYS)
def test_a_panic_wins_over_an_up_that_waits(sample: Exposure, up: tuple[str, ...]) -> None:
    with held(sample), begun(sample, *up) as process:
        says(process, WAITING)
        assert sample.run("panic", "--no-verify").returncode == 0
        text, _ = process.communicate(timeout=30)
        assert process.returncode == 6, text
        assert "exposer unlock" in text
        assert sample.ledger() == []


def test_an_up_that_waits_in_vain_gives_up_in_time(sample: Exposure) -> None:
    with held(sample):
        done = sample.run("up", "-d", "--timeout", "2s")
    assert done.returncode == 1
    assert "is running or just starting" in done.stderr
    assert get(sample.url or "http://127.0.0.1:9").status == 0
    assert sample.ledger() == []


def test_two_that_have_waited_for_a_purge_do_not_both_start(sample: Exposure) -> None:
    """The first one's lock has gone with the state, so the second one may wait too."""
    state = sample.state / sample.name
    with held(sample) as lock, begun(sample, "up", "-d") as first:
        says(first, WAITING)
        (state / "starting.lock").unlink()
        with begun(sample, "up", "-d") as second:
            says(second, WAITING)
            lock.release()
            both = [first, second]
            texts = [process.communicate(timeout=60)[0] for process in both]
    assert sorted(process.returncode for process in both) in ([0, 1], [0, 0]), texts
    late = ("another `exposer up` is starting", "running already")
    assert [text for text in texts if any(words in text for words in late)], texts
    assert passing(sample) == ["default"]


def test_a_panic_during_a_purge_keeps_its_lock_and_its_report(stubborn: Exposure) -> None:
    stubborn.up()
    os.kill(stubborn.pid("supervisor"), signal.SIGKILL)
    gateway = stubborn.pid("gateway")
    with begun(stubborn, "down", "--purge", "--yes") as purge:
        eventually(lambda: not started_at(gateway), within=30)
        purge.send_signal(signal.SIGSTOP)  # it waits for the backend now, and does so until the panic is over
        assert stubborn.run("panic", "--no-verify").returncode == 0
        purge.send_signal(signal.SIGCONT)
        text, _ = purge.communicate(timeout=60)
    assert purge.returncode == 2, text
    assert (stubborn.state / stubborn.name / "PANIC").exists()
    assert list((stubborn.state / stubborn.name / "incidents").iterdir())
