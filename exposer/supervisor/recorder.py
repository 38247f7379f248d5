"""Takes the gateway's log into the journal while it grows, in a thread of its own, and says when it cannot.

Whoever wants to know of the calls (their last use, limits, alarms) adds a listener to `listeners`; each gets every
batch that the journal has, in order, and must be quick. Where a line was not written yet, the log itself still has it.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from exposer.errors import ExposerError
from exposer.journal import Head, Journal, JournalError, Request
from exposer.procs import ProcessId
from exposer.state.facts import Recorded

EVERY = 0.25
TURN_EVERY = 1.0
DONE = -1  # how far a log was read that may go
HEADS_EVERY = 10.0
KEEP_EVERY = 60.0
POST_EVERY = 3600.0
END_WITHIN = 10.0  # so long the thread gets to end by itself
ROOM = 4_000_000  # with less room on the log's disk nginx may not be able to write its lines


class Batch(Protocol):
    """What one reading of the log gave."""

    @property
    def requests(self) -> Sequence[Request]: ...
    @property
    def reading(self) -> Mapping[str, int]: ...
    @property
    def senseless(self) -> int: ...
    @property
    def missing(self) -> bool: ...
    @property
    def more(self) -> bool: ...


class Own(Protocol):
    """Knows which calls are our own."""

    def settled(self) -> bool:
        """Whether all that are under way are known."""

    def others(self, requests: Sequence[Request]) -> tuple[Request, ...]:
        """Those that are not ours."""

    def taken(self, requests: Sequence[Request]) -> None:
        """What was left out of these is done with."""


class Log(Protocol):
    """The gateway's log."""

    def mark(self) -> object:
        """Changes whenever there may be something to read."""

    def read(self, reading: Mapping[str, int]) -> Batch: ...

    def turn(self, master: ProcessId | None) -> bool:
        """Begins a new file when the present one is large and there is no old one."""

    def finished(self, reading: Mapping[str, int], master: ProcessId | None) -> str:
        """The name of the old file once nothing can come into it any more and all of it is read, else ""."""

    def drop(self) -> None:
        """Removes the old file."""

    def room(self) -> int:
        """How many bytes can still be written."""


@dataclass
class RecordRules:
    """What `[audit]` says: how long rows are kept, how large the journal may be, whether the gate closes when it cannot
    be written, and who is told of its head. `post` sends a head there and raises ExposerError."""

    retain: float
    max_size: int
    refuse: bool
    post: Callable[[Mapping[str, Head]], None] | None = None


class Recorder:
    """`tell` takes what the loop should hear of, from any thread; `shut` closes the gate for a reason, or opens it
    again with ""; `master` is nginx's first process, while there is one."""

    def __init__(
        self,
        log: Log,
        journal: Journal,
        rules: RecordRules,
        tell: Callable[[Recorded], None],
        shut: Callable[[str], None],
        master: Callable[[], ProcessId | None],
        own: Own | None = None,
    ) -> None:
        self.rules = rules
        self.on_start: Callable[[], None] = lambda: None
        self.listeners: list[Callable[[Sequence[Request]], None]] = []
        self._log, self._journal, self._tell, self._shut, self._master = log, journal, tell, shut, master
        self._own = own
        self._taking = threading.Lock()  # from reading how far the log was read until that is on record
        self._reading: dict[str, int] | None = None
        self._mark: object = None  # of the log when all of it was taken in
        self._trouble, self._since = "", 0.0
        self._due = {"turn": 0.0, "heads": 0.0, "keep": 0.0, "post": time.monotonic() + 60.0}
        self._noted: Mapping[str, Head] = {}
        self._unposted = ""
        self._altered = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Takes in what is left, and ends. A thread that stands still with a batch is waited for: nobody else may read
        from where it has begun."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(END_WITHIN)
        while self.step():
            pass
        with suppress(OSError, ExposerError):
            self._note_heads()

    def step(self) -> bool:
        """One look at the log; True when there is more to take in at once. Our own calls are no callers': what they
        have shown stands among the events."""
        if self._own is not None and not self._own.settled() and not self._ended.is_set():
            return False
        try:
            with self._taking:
                taken = self._take()
        except (JournalError, OSError) as error:
            self._cannot(str(error))
            return False
        if taken is None:
            return False
        batch, requests = taken
        self._complain(batch)
        for listener in self.listeners:
            if requests:
                listener(requests)
        if self._log.room() < ROOM:
            self._cannot("the gateway's log has no room left: calls may go unrecorded")
        else:
            self._can_again()
        return batch.more

    def _take(self) -> tuple[Batch, Sequence[Request]] | None:
        """A batch that the journal has now, and those in it that are not ours; None when there was nothing to read."""
        mark = self._log.mark()  # before it is read: what comes meanwhile changes it again
        if mark == self._mark and not self._trouble and self._log.room() >= ROOM:
            return None
        batch = self._log.read(self._so_far())
        requests = batch.requests if self._own is None else self._own.others(batch.requests)
        if requests or batch.reading != self._reading:
            self._journal.record(requests, batch.reading)
        self._reading, self._mark = dict(batch.reading), None if batch.more else mark
        if self._own is not None:
            self._own.taken(batch.requests)
        return batch, requests

    def _so_far(self) -> Mapping[str, int]:
        if self._reading is None:
            self._reading = self._journal.reading()
        return self._reading

    def _cannot(self, why: str) -> None:
        if self._trouble:
            return
        self._trouble, self._since = why, time.time()
        refuse = self.rules.refuse  # other rules may be put here at any moment
        closed = "; until they can be recorded every call is refused" if refuse else ""
        if refuse:
            self._shut(f"calls cannot be recorded: {why}")
        text = f"calls cannot be recorded: {why}{closed}"
        self._tell(Recorded("unrecorded", text, trouble=text))

    def _can_again(self) -> None:
        if not self._trouble:
            return
        seconds = time.time() - self._since
        self._trouble = ""
        self._shut("")
        text = f"calls are recorded again; for {seconds:.0f} s they were not, and what the log has of them is taken in"
        self._tell(Recorded("recorded-again", text, data={"since": self._since, "seconds": round(seconds, 1)}))

    def _complain(self, batch: Batch) -> None:
        if batch.missing:
            text = "a log of the gateway is gone or shorter than it was: some calls may not be on record"
            self._tell(Recorded("log-missing", text))
        if batch.senseless:
            text = f"{batch.senseless} lines of the gateway's log make no sense: some calls may not be on record"
            self._tell(Recorded("log-damaged", text, data={"lines": batch.senseless}))

    def _run(self) -> None:
        with suppress(OSError, AttributeError):  # whoever answers callers goes first
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        try:
            self.on_start()
        except Exception as error:  # what was before is not known then; what comes is recorded all the same
            self._tell(Recorded("unremembered", f"earlier use of the keys is not known: {error}"))
        while not self._ended.is_set():
            try:
                more = self.step()
                self._now_and_then()
            except Exception as error:  # a bug here must be heard of, and must not end the record
                more = False
                self._cannot(f"{type(error).__name__}: {error}")
            if not more:
                self._ended.wait(EVERY)

    def _now_and_then(self) -> None:
        with suppress(OSError, ExposerError):
            if self._is_due("turn", TURN_EVERY):
                self._log.turn(self._master())
                self._drop_old()
            if self._is_due("heads", HEADS_EVERY):
                self._note_heads()
            if self._is_due("keep", KEEP_EVERY):
                self._keep()
            post = self.rules.post  # other rules may be put here at any moment
            if post is not None and self._is_due("post", POST_EVERY):
                self._post(post)

    def _drop_old(self) -> None:
        """That it is done with stands in the journal first: dying in between must not look like a loss."""
        with self._taking:
            if done := self._log.finished(self._so_far(), self._master()):
                self._reading = {**self._so_far(), done: DONE}
                self._journal.record((), self._reading)
                self._log.drop()

    def _is_due(self, what: str, every: float) -> bool:
        now = time.monotonic()
        if now < self._due[what]:
            return False
        self._due[what] = now + every
        return True

    def _note_heads(self) -> None:
        heads = self._journal.heads()
        if heads == self._noted:
            return
        lost = self._journal.note_heads()
        self._noted = heads
        if lost and not self._altered:
            self._altered = True
            text = f"ALARM: the end of the record was altered ({' and '.join(lost)}), see: exposer audit verify"
            self._tell(Recorded("record-altered", text, data={"tables": lost}))

    def _keep(self) -> None:
        """Removes what is too old, piece by piece, and lets others in between."""
        while self._journal.forget(time.time() - self.rules.retain, self.rules.max_size):
            if self._ended.wait(0.05):
                return

    def _post(self, post: Callable[[Mapping[str, Head]], None]) -> None:
        try:
            post(self._journal.heads())
            self._unposted = ""
        except ExposerError as error:
            if error.message != self._unposted:
                self._unposted = error.message
                self._tell(Recorded("unposted", f"the journal's head could not be sent: {error.message}"))


def take_in(log: Log, journal: Journal) -> None:
    """All that a log still has, where no supervisor runs; afterwards the log may go. Raises JournalError, OSError."""
    more = True
    while more:
        batch = log.read(journal.reading())
        journal.record(batch.requests, batch.reading)
        more = batch.more
    journal.record((), {})
    journal.note_heads()
