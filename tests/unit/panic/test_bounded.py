"""Work that is waited for only so long."""

import os
import signal
import subprocess
import sys
import threading
import time

from exposer.panic.bounded import Attempt, within

STILL = """
import sys, time
from exposer.panic.bounded import Attempt
attempt = Attempt(lambda: time.sleep(0.5))
print("begun", flush=True)
print(attempt.over(1.0))
"""


def test_what_hangs_is_left_and_what_fails_gives_what_was_to_be_given_instead() -> None:
    hangs = threading.Event()
    begun = time.monotonic()
    assert within(0.2, hangs.wait, "left") == "left"
    assert time.monotonic() - begun < 60
    hangs.set()
    assert within(60, lambda: 1 / 0, "failed") == "failed"
    assert within(60, lambda: "done") == "done"


def test_nothing_is_waited_for_where_no_time_is_given() -> None:
    hangs = threading.Event()
    attempt = Attempt(hangs.wait)
    assert not attempt.over(0)
    hangs.set()
    assert attempt.over(60)


def test_a_machine_that_stands_still_for_a_moment_takes_nothing_from_the_time() -> None:
    with subprocess.Popen([sys.executable, "-c", STILL], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(1.5)
        os.kill(process.pid, signal.SIGCONT)
        assert process.stdout.read() == "True\n"
