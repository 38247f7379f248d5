"""Which calls in the gateway's log are our own: those whose request ids we have been told as the callers.

An id is told to nobody but its caller, so no stranger's call can be taken for ours, and each of ours counts for one.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from exposer.journal import Request

LONGEST = 5.0  # the log is not kept waiting for longer than this (seconds)
MOST = 4096


class OwnCalls:
    """Filled by the self-test, emptied by the recorder; any thread may do either."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: dict[str, None] = {}
        self._passing: dict[str, int] = {}
        self._asking: dict[object, float] = {}

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While this lasts ids are still to come, so the log should not be read."""
        token = object()
        with self._lock:
            self._asking[token] = time.monotonic() + LONGEST
        try:
            yield
        finally:
            with self._lock:
                del self._asking[token]

    def settled(self) -> bool:
        """Whether the log can be read."""
        now = time.monotonic()
        with self._lock:
            return all(until <= now for until in self._asking.values())

    def refused(self, ids: Iterable[str]) -> None:
        """Calls of ours that were refused with these ids."""
        with self._lock:
            self._ids |= dict.fromkeys(id_ for id_ in ids if id_)
            for old in list(self._ids)[:-MOST]:
                del self._ids[old]

    def passed(self, key_id: str) -> None:
        """One call of ours got through by this key, which nobody else has."""
        with self._lock:
            self._passing[key_id] = self._passing.get(key_id, 0) + 1

    def others(self, requests: Sequence[Request]) -> tuple[Request, ...]:
        """The calls that are not ours. Each of ours is left out once, and a next time too until `taken` is called."""
        with self._lock:
            ids, passing = dict(self._ids), dict(self._passing)
        return tuple(request for request in requests if not _own(request, ids, passing))

    def taken(self, requests: Sequence[Request]) -> None:
        """These were left out for good."""
        with self._lock:
            for request in requests:
                _own(request, self._ids, self._passing)


def _own(request: Request, ids: dict[str, None], passing: dict[str, int]) -> bool:
    if request.request in ids:
        del ids[request.request]
        return True
    if passing.get(request.key, 0):
        passing[request.key] -= 1
        return True
    return False
