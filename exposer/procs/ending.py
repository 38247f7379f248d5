"""Waiting, hurrying, and ending a process."""

import os
import time

from exposer.procs.children import reap
from exposer.procs.identity import ProcessId

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TypeVar

    T = TypeVar("T")
else:
    import _signal as signal  # the half of it in C: the other costs a panic 4 ms for its enum


def monotonic() -> float:
    """Seconds that never run backwards."""
    return time.monotonic()


def pause(seconds: float) -> None:
    """Waits. For commands that show something again and again; nothing that decides may use it."""
    time.sleep(seconds)


PIECE = 50  # of what takes some 10 µs each


def giving_way(items: "Iterable[T]") -> "Iterator[T]":
    """Yields these items, for long work in the background with each in turn: after every few, others may have the
    processor. Whoever has it keeps it for some milliseconds, whatever its priority, and callers would wait for that."""
    for number, item in enumerate(items, 1):
        if number % PIECE == 0:
            time.sleep(0.000001)
        yield item


QUICK = 0.003


def wait_until(condition: "Callable[[], bool]", within: float, every: float = 0.01) -> bool:
    """Looks again and again until `condition` holds; False when it did not within so many seconds.

    At first it looks oftener than `every` so many seconds: what comes soon is seen soon, what takes long costs little.
    """
    begun = time.monotonic()
    while True:
        if condition():
            return True
        waited = time.monotonic() - begun
        if waited >= within:
            return False
        time.sleep(min(every, max(QUICK, waited / 16)))


def hurry() -> None:
    """Lets this thread, and what it starts from now on, go before all else that wants a processor, where it may."""
    _schedule("SCHED_RR", 1)


def take_time() -> None:
    """Ends `hurry`."""
    _schedule("SCHED_OTHER", 0)


def _schedule(policy: str, priority: int) -> None:
    try:
        os.sched_setscheduler(0, getattr(os, policy), os.sched_param(priority))
    except (AttributeError, OSError):  # not on this system, or not for this user
        pass


# How a part is asked to end: the signal, and how long it may take before the next.
LADDER = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))


def stop(process: ProcessId, ladder: "Sequence[tuple[int, float]]" = LADDER) -> bool:
    """Ends a process and its group, politely first; True when it is gone."""

    def gone() -> bool:
        reap()
        return not process.alive()

    for number, patience in ladder:
        process.signal_group(number)
        if wait_until(gone, patience):
            process.signal_group(signal.SIGKILL)  # whatever its group left behind
            return True
    return gone()


def save_memory() -> None:
    """Has the threads of this process share what is free: glibc gives each a heap of its own, and takes it back never.
    Elsewhere, or with another library, nothing happens."""
    import ctypes

    try:
        ctypes.CDLL(None).mallopt(-8, 2)  # M_ARENA_MAX
    except (OSError, AttributeError, TypeError):
        return
