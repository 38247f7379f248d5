"""Groups of processes that the kernel kills with whoever holds them."""

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from exposer.guard.tether import KNOWN, Tethers
from exposer.procs import ProcessId
from tests.support.eventually import eventually
from tests.support.families import family

pytestmark = pytest.mark.skipif(not KNOWN, reason="this kernel has no such signals")
Holder = Callable[[Callable[[Tethers], object]], int]


@pytest.fixture
def holder() -> Iterator[Holder]:
    """Starts processes that do something with tethers of their own and then wait for their end."""
    pids: list[int] = []

    def start(work: Callable[[Tethers], object]) -> int:
        ready, done = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.setsid()
                tethers = Tethers()
                work(tethers)
                os.write(done, b"x")
                signal.pause()
            finally:
                os._exit(1)
        pids.append(pid)
        os.close(done)
        assert os.read(ready, 1) == b"x"
        os.close(ready)
        return pid

    yield start
    for pid in pids:
        kill(pid)


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        return


def test_a_group_ends_with_whoever_holds_it_its_members_too(holder: Holder) -> None:
    with family(2) as (leader, members), family(1) as (stranger, others):
        pid = holder(lambda tethers: tethers.hold([leader]))
        assert all(process.alive() for process in (leader, *members))
        kill(pid)
        eventually(lambda: not any(process.alive() for process in (leader, *members)))
        assert all(process.alive() for process in (stranger, *others))


def test_a_group_whose_leader_has_died_ends_too(holder: Holder) -> None:
    with family(2) as (leader, members):

        def work(tethers: Tethers) -> None:
            tethers.hold([leader])
            leader.signal(signal.SIGKILL)
            eventually(lambda: not leader.alive())
            tethers.hold([leader])

        kill(holder(work))
        eventually(lambda: not any(process.alive() for process in members))


def test_what_was_let_go_goes_on(holder: Holder) -> None:
    with family(1) as (leader, members):

        def work(tethers: Tethers) -> None:
            tethers.hold([leader])
            tethers.hold([leader])
            tethers.let_go()

        kill(holder(work))
        assert all(process.alive() for process in (leader, *members))


def test_two_may_hold_the_same_and_letting_go_of_one_leaves_the_other(holder: Holder) -> None:
    with family(1) as (leader, members):
        first = holder(lambda tethers: tethers.hold([leader]))
        second = holder(lambda tethers: (tethers.hold([leader]), tethers.let_go()))
        kill(second)
        assert leader.alive()
        kill(first)
        eventually(lambda: not any(process.alive() for process in (leader, *members)))


def test_a_recycled_pid_is_not_held(holder: Holder) -> None:
    with family(1) as (leader, members):
        other = ProcessId(leader.pid, "1", leader.boot)
        kill(holder(lambda tethers: tethers.hold([other])))
        assert all(process.alive() for process in (leader, *members))


def test_one_that_leads_no_group_ends_alone(holder: Holder) -> None:
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as child:
        process = ProcessId.of(child.pid)
        assert process is not None
        kill(holder(lambda tethers: tethers.hold([process])))
        assert child.wait(60) == -signal.SIGKILL


def handles() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_nothing_is_left_open_for_what_is_gone() -> None:
    tethers = Tethers()
    gc.collect()  # what an earlier test has left is not to be counted
    before = handles()
    for _ in range(3):
        with family(1) as (leader, _members):
            without = handles()
            tethers.hold([leader])
            assert handles() == without + 2

    def forgotten() -> bool:
        tethers.hold([])
        return handles() == before

    eventually(forgotten)
