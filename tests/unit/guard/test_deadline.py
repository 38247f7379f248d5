"""A deadline that counts also for a process that is stopped."""

import os
import signal
from collections.abc import Callable

import pytest

from exposer.guard.deadline import Deadline
from exposer.procs import started_at
from tests.support.eventually import eventually

pytestmark = pytest.mark.skipif(not Deadline().kept, reason="this system has no such timers")


def child(work: Callable[[Deadline], object]) -> int:
    """A process that sets a deadline, and then stands still."""
    pid = os.fork()
    if pid == 0:
        try:
            work(Deadline())
            os.kill(os.getpid(), signal.SIGSTOP)
            signal.pause()
        finally:
            os._exit(1)
    return pid


def stopped(pid: int) -> bool:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "T"


def test_a_stopped_process_is_killed_when_its_deadline_has_passed() -> None:
    pid = child(lambda deadline: deadline.put(0.3))
    eventually(lambda: started_at(pid) is None)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def test_the_last_word_counts_and_nothing_is_a_word_too() -> None:
    def taken_back(deadline: Deadline) -> None:
        deadline.put(3.0)
        deadline.put(0.0)

    def brought_forward(deadline: Deadline) -> None:
        deadline.put(3600.0)
        deadline.put(3.5)

    pids = [child(taken_back), child(lambda deadline: deadline.put(3600.0)), child(lambda deadline: None)]
    other = child(brought_forward)
    try:
        eventually(lambda: started_at(other) is None)
        eventually(lambda: all(stopped(pid) for pid in pids))
    finally:
        for pid in (*pids, other):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
