"""Waiting for something to become true, in tests only."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


STILL = 5.0  # a look that takes longer counts as this long: it is the machine that stands still


def eventually(condition: Callable[[], T], within: float = 30.0) -> T:
    """Looks until `condition` gives something truthy, and returns it; else fails the test.

    Time in which the whole machine stood still is not held against whatever is waited for: it stood still, too.
    """
    waited, looked = 0.0, time.monotonic()
    while True:
        if value := condition():
            return value
        now = time.monotonic()
        waited, looked = waited + min(now - looked, STILL), now
        if waited > within:
            raise AssertionError(f"it did not happen within {within:g} s; last seen: {value!r}")
        time.sleep(0.02)
