"""Notices on their way: one worker for each destination, so that a slow one holds up neither the loop nor others."""

import queue
import threading
import time
from collections.abc import Callable

from exposer.errors import ExposerError
from exposer.notify.notice import Destination, Notice

MOST = 100  # waiting for one destination; what is more is dropped, and that is said


class Outbox:
    """`trouble` is called, from any thread, with a sentence about what could not be told."""

    def __init__(self, trouble: Callable[[str], None]) -> None:
        self._trouble = trouble
        self._lines: list[_Line] = []

    def follow(self, destinations: tuple[Destination, ...]) -> None:
        """From now on these are told; what is on its way to those before still goes out."""
        for line in self._lines:
            line.end()
        self._lines = [_Line(destination, self._trouble) for destination in destinations]

    def put(self, notice: Notice) -> None:
        for line in self._lines:
            line.put(notice)

    def close(self, within: float) -> None:
        """Waits a little for what is on its way, then gives up on it."""
        deadline = time.monotonic() + within
        for line in self._lines:
            line.end()
        for line in self._lines:
            line.wait(max(0.0, deadline - time.monotonic()))


class _Line:
    """Where notices for one destination queue up. Its thread begins with the first of them."""

    def __init__(self, destination: Destination, trouble: Callable[[str], None]) -> None:
        self._destination = destination
        self._trouble = trouble
        self._waiting: queue.Queue[Notice | None] = queue.Queue(MOST)
        self._thread: threading.Thread | None = None

    def put(self, notice: Notice) -> None:
        try:
            self._waiting.put_nowait(notice)
        except queue.Full:
            self._trouble(f"{self._destination.label}: too many notices wait for it; this one is dropped")
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="notice", daemon=True)
            self._thread.start()

    def end(self) -> None:
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            pass  # it hangs; its thread ends with the process

    def wait(self, within: float) -> None:
        if self._thread is not None:
            self._thread.join(within)

    def _work(self) -> None:
        while (notice := self._waiting.get()) is not None:
            try:
                self._destination.send(notice)
            except ExposerError as error:
                self._trouble(f"{error.message}; the notice was: {notice.text}")
            except Exception as error:  # a bug in one channel; its text could hold an address
                self._trouble(f"{self._destination.label}: {type(error).__name__}; the notice was: {notice.text}")
