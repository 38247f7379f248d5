"""What `up` shows while it starts: each step with the time since the beginning."""

import sys
import time
from pathlib import Path

from exposer.cli.show import settings, talkative
from exposer.files import Places
from exposer.journal import Journal, JournalError

STEPS = {"started", "adopted", "progress", "document", "refused", "failed", "gone", "unwell", "well", "reloaded"}
STEPS |= {"address", "address-changed", "config-broken", "checked", "journal", "status", "keyring", "draining"}
STEPS |= {"took-over", "both-down", "flapping", "hook-failed", "not-told"}


class Shown:
    """Shows each step. May be called from any thread, so the settings are read before."""

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.verbose = settings().verbose
        self.quiet = not talkative()

    def __call__(self, kind: str, text: str) -> None:
        if self.quiet or not (self.verbose or kind in STEPS):
            return
        try:
            print(f"{time.monotonic() - self.begun:7.1f} s  {text}", file=sys.stderr, flush=True)
        except (OSError, ValueError):  # the terminal is gone, or the disk of the log is full
            return


class Follow:
    """Shows what the background process journals. Without a journal there is less to see, that is all."""

    def __init__(self, places: Places, shown: Shown) -> None:
        self._journal = Journal(Path(places.state, "journal.db"))
        self._at = self._journal.head()
        self._shown = shown

    def read(self) -> None:
        try:
            events = self._journal.events(self._at)
        except JournalError:
            return
        for event in events:
            self._at = event.seq
            self._shown(event.kind, str(event.data.get("text", "")))

    def close(self) -> None:
        self._journal.close()
