"""Signals that end a command, at a moment when what it has begun can be undone."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

ASKED = (signal.SIGTERM, signal.SIGHUP)
ALL = (signal.SIGINT, *ASKED)


@contextmanager
def as_ctrl_c() -> Iterator[None]:
    """To be asked to end, or to lose the terminal, is KeyboardInterrupt here, as Ctrl-C is."""
    before = {number: signal.signal(number, _interrupt) for number in ASKED}
    try:
        yield
    finally:
        _restore(before)


@contextmanager
def undisturbed() -> Iterator[None]:
    """What comes meanwhile is heard afterwards."""
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in ALL}
    try:
        yield
    finally:
        _restore(before)
        for number in came[:1]:
            signal.raise_signal(number)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _restore(handlers: Mapping[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
