"""`exposer status --watch`: the status and the latest calls, live; written again only where something has changed."""

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exposer import procs
from exposer.cli.show import settings
from exposer.cli.shown import Labels, call_line, size
from exposer.errors import ExposerError, UsageError
from exposer.files import Places

if TYPE_CHECKING:
    from exposer.journal import Journal

EVERY = 0.5
CALLS = 8
HOME, TO_LINE_END, TO_SCREEN_END = "\x1b[H", "\x1b[K", "\x1b[J"
ASIDE, BACK = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"  # a screen of its own, without a cursor


def watch(found: Places, status: Callable[[], str]) -> None:
    """Until Ctrl-C. Without a terminal each change is printed below the one before."""
    if settings().json:
        raise UsageError("--watch goes on for ever, and --json is one document", "leave one out")
    screen = sys.stdout.isatty()
    traffic = Traffic(found)
    last: list[str] = []
    if screen:
        sys.stdout.write(ASIDE)
    try:
        while True:
            lines = [*status().splitlines(), "", *traffic.lines()]
            if lines != last:
                _draw(lines) if screen else click.echo("\n".join([*lines, ""]))
                last = lines
            procs.pause(EVERY)
    finally:
        if screen:
            sys.stdout.write(BACK)
            sys.stdout.flush()


def _draw(lines: list[str]) -> None:
    """Over what is there, so that nothing flickers; what does not fit is left out."""
    columns, rows = shutil.get_terminal_size()
    shown = [line[: columns - 1] + TO_LINE_END for line in lines[: rows - 1]]
    sys.stdout.write(HOME + "\r\n".join(shown) + TO_SCREEN_END)
    sys.stdout.flush()


class Traffic:
    """The last minute in figures, and the latest calls."""

    def __init__(self, found: Places) -> None:
        self._found = found
        self._journal: Journal | None = None
        self._labels: tuple[int, Labels] | None = None

    def lines(self) -> list[str]:
        """None while there is no record that can be read."""
        from exposer.journal import Filter

        try:
            journal = self._opened()
            if journal is None:
                return []
            calls, refused, left = journal.traffic(time.time() - 60)
            latest = journal.requests(Filter(), CALLS)
        except ExposerError as error:
            return [error.message]
        labels = self._known(max((seq for seq, _ in latest), default=0))
        text = f"last minute: {calls:,} calls, {refused:,} of them refused; {size(left)} left"
        return [text, *(call_line(call, labels) for _, call in latest)]

    def _opened(self) -> "Journal | None":
        from exposer.journal import Journal

        path = Path(self._found.state, "journal.db")
        if self._journal is None and path.exists():
            self._journal = Journal(path)
        return self._journal

    def _known(self, newest: int) -> Labels:
        """Read again only when there are new calls: they may be by new keys."""
        if self._labels is None or self._labels[0] != newest:
            self._labels = (newest, Labels(self._found))
        return self._labels[1]
