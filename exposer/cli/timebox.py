"""`up --for`, `--until` and `--idle`: read as a time box."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

import click

from exposer.cli.show import duration
from exposer.errors import UsageError
from exposer.guard.lease import now
from exposer.supervisor.timebox import TimeBox


def time_box(command: Callable[..., int]) -> Callable[..., int]:
    """Gives a command these options, and what they mean as `box`."""

    @click.option("--for", "lasts", default="", metavar="TIME", help="Go offline by itself after so long, such as 2h.")
    @click.option("--until", default="", metavar="TIME", help="Go offline by itself at that time, such as 18:00.")
    @click.option("--idle", default="", metavar="TIME", help="Go offline by itself when nobody has called for so long.")
    @click.option("--box", "word", default="", hidden=True)
    @wraps(command)
    def boxed(lasts: str, until: str, idle: str, word: str, **others: Any) -> int:
        return command(box=read_box(lasts, until, idle, word), **others)

    return boxed


def read_box(lasts: str, until: str, idle: str, box: str) -> TimeBox:
    """`box` is one that was read before: a supervisor that is started anew must not get more time."""
    if box:
        try:
            return TimeBox.from_word(box)
        except ValueError:
            raise UsageError(f"--box: {box!r} makes no sense") from None
    begun, wall = now(), time.time()
    ends = [begun + _some(lasts, "--for")] if lasts else []
    clock = _moment(until, wall) if until else 0.0
    ends += [begun + clock - wall] if clock else []  # a clock that is set back gives no more time
    return TimeBox(min(ends, default=0.0), clock, _some(idle, "--idle") if idle else 0.0)


def _some(text: str, option: str) -> float:
    seconds = duration(text, option)
    if seconds <= 0:
        raise UsageError(f"{option}: should be more than nothing, such as {option} 2h")
    return seconds


def _moment(text: str, wall: float) -> float:
    """The next time it is so late, or a date and time of their own."""
    today = datetime.fromtimestamp(wall)  # what a person types is local time
    for form in ("%H:%M", "%H:%M:%S"):
        try:
            found = datetime.strptime(text, form)
        except ValueError:
            continue
        moment = today.replace(hour=found.hour, minute=found.minute, second=found.second, microsecond=0)
        return (moment if moment > today else moment + timedelta(days=1)).timestamp()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--until: should be a time such as 18:00 or 2026-01-31T18:00, not {text!r}") from None
    if moment.timestamp() <= wall:
        raise UsageError(f"--until: {text} is over already")
    return moment.timestamp()
