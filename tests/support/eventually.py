"""Waiting for something to become true, in tests only."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(condition: Callable[[], T], within: float = 30.0) -> T:
    """Looks until `condition` gives something truthy, and returns it; else fails the test."""
    deadline = time.monotonic() + within
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not happen within {within:g} s; last seen: {value!r}")
        time.sleep(0.02)
