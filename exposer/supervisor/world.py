"""Observe and perform: the only place that touches parts. Slow work runs in workers and comes back as facts."""

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from exposer import procs
from exposer.errors import ExposerError
from exposer.notify.hook import ROLE as HOOK
from exposer.procs import Entry, Ledger, ProcessId
from exposer.state.facts import (
    Announced,
    Checked,
    Documented,
    Fact,
    Failed,
    Gone,
    Inspected,
    Looked,
    Published,
    Reloaded,
    Renewed,
    SelfTested,
    Started,
    Stopped,
    Waited,
)
from exposer.state.model import BACKEND, GATEWAY, SCHEMA, TUNNELS, UP_ORDER, Look, Tell
from exposer.state.plan import Action, LookAt, Reload, Start, Stop
from exposer.supervisor.inbox import Inbox
from exposer.supervisor.ports import Part, Reloadable, Rooms, Sealed
from exposer.supervisor.proving import insist, steadily
from exposer.supervisor.turns import Turns
from exposer.supervisor.workers import Workers

if TYPE_CHECKING:
    from exposer.backends.early import Early

# What a part puts on record beside itself, and takes along when it ends.
COMPANIONS = {BACKEND: ("link", "network")}


class World:
    """Holds the running parts' ledger entries."""

    def __init__(self, ledger: Ledger, tell: Callable[[str, str], None]) -> None:
        self.inbox = Inbox()
        self.entries: dict[str, Entry] = {}
        self.parts: dict[str, Part] = {}
        self.ledger = ledger
        self.admit: Callable[[], None] = lambda: None  # raises while nothing may be opened
        self.early: Early | None = None  # the backend's first start, where it is under way already
        self._tell = tell
        self._turns = Turns(UP_ORDER)
        self._cancelled: set[str] = set()
        self._workers = Workers(self.inbox)

    def observe(self) -> None:
        """Has a last look taken at each part whose process has ended by itself: it may know why."""
        procs.reap()
        for role, entry in list(self.entries.items()):
            if entry.process is not None and not entry.process.alive():
                if not self._lost(role, entry):
                    continue  # a look in a worker has noticed it just now
                self._workers.submit(role, lambda role=role, entry=entry: self._post_mortem(role, entry))  # type: ignore[misc]

    def perform(self, action: Action, part: Part | None, rooms: Rooms, upstream: str) -> None:
        """Begins an action; what comes of it arrives in the inbox."""
        match action:
            case Start(role=role) | Reload(role=role) if role == SCHEMA:
                self._workers.submit(role, lambda: rooms.read_document(upstream), keeps=isinstance(action, Reload))
            case Start(role=role) if part is not None:
                job = self._turns.take(role, lambda: self._start(role, part, rooms))
                self._workers.submit(role, job, at_once=role == BACKEND)
            case Reload(role=role) if part is not None and isinstance(part, Reloadable):
                self._workers.submit(role, self._turns.take(role, lambda: self._reload(role, part)), keeps=True)
            case LookAt(role=role) if role == SCHEMA:
                self._workers.submit(role, lambda: rooms.read_document(upstream), keeps=True)
            case LookAt(role=role):
                self._workers.submit(role, lambda: self._look(role), keeps=True)
            case Stop(role=role):
                self._workers.submit(role, self._turns.take(role, lambda: self._stop(role)))
            case _:
                self.inbox.put(Failed(action.role, f"{action.role}: nothing to do this with", keeps=True))

    def publish(self, rooms: Rooms, documented: Documented, url: str) -> None:
        self._workers.submit("publish", lambda: Published(rooms.publish(documented, url), url), keeps=True)

    def check(self, rooms: Rooms, url: str, *, whole: bool) -> None:
        self._workers.submit(
            "check",
            lambda: rooms.check(url, self.parts.get(GATEWAY), whole=whole),
            otherwise=lambda why: Checked(url, False, None, why),
        )

    def check_waiting(self, rooms: Rooms, url: str) -> None:
        self._workers.submit(
            "check",
            lambda: Waited(rooms.check(url, self.parts.get(GATEWAY), waits=True)),
            otherwise=lambda why: Waited(Checked(url, False, None, why)),
        )

    def self_test(self) -> None:
        """Has what runs, and is open, tested."""
        self._workers.submit(
            "self-test",
            lambda: steadily(self.parts, self.entries, self._turns, opened=True),
            otherwise=lambda why: SelfTested(trouble=why),
        )

    def announce(self, rooms: Rooms, url: str, before: str) -> None:
        def job() -> Fact:
            try:
                self._sweep(HOOK, rooms)  # one that an earlier supervisor has begun
                rooms.announce(url, before, self.ledger.append)
            finally:
                with suppress(OSError):  # it has ended, so a line too many does no harm
                    self.ledger.keep(lambda entry: entry.role != HOOK)
            return Announced(url, before)

        self._workers.submit("announce", job, otherwise=lambda why: Announced(url, before, why))

    def renew(self, rooms: Rooms, now: float) -> None:
        self._workers.submit("networks", lambda: Renewed(rooms.renew_networks(now)), keeps=True)

    def inspect(self, seal: str) -> None:
        """Has the parts looked at that somebody else may have changed."""
        self._workers.submit(
            "seals", lambda: Inspected(seal, self._broken(seal)), otherwise=lambda why: Inspected(seal, ())
        )

    def cancel(self, role: str, rooms: Rooms) -> None:
        """Ends what a start under way has put on record so far; the start itself then fails. Once at a time."""

        def job() -> None:
            try:
                self._sweep(role, rooms)
            finally:
                self._cancelled.discard(role)

        if role not in self._cancelled:
            self._cancelled.add(role)
            self._workers.submit("cancel", job, keeps=True, at_once=True)

    def drain(self, role: str) -> bool:
        """Asks nginx to take no new calls and to end with the last running one; False when that cannot be asked."""
        entry = self.entries.get(role)
        try:
            return entry is not None and entry.process is not None and entry.process.signal(signal.SIGQUIT)
        except OSError:
            return False

    def process(self, role: str) -> ProcessId | None:
        """The first process of a part that runs."""
        entry = self.entries.get(role)
        return None if entry is None else entry.process

    def hold(self) -> None:
        """From now on nothing but the start of the backend begins, until `release`."""
        self._workers.hold()

    def release(self) -> None:
        self._workers.release()

    def close(self, patience: float = 0.0) -> None:
        self._workers.close(patience)

    def _start(self, role: str, part: Part, rooms: Rooms) -> Fact:
        begun = time.monotonic()
        if role == BACKEND and (early := self._take_early(part)) is not None:
            return self._new(role, part, early.finish, begun)
        entries = [entry for entry in self.ledger.entries() if entry.role == role]
        entry = part.adopt(entries)
        if entry is None:
            for old in entries:
                rooms.end(old)
            self._forget(role)
            if role in TUNNELS:
                self._test_before_opening()
                self.admit()
            return self._new(role, part, lambda tell: part.start(self.ledger.append, tell), begun)
        self.entries[role], self.parts[role] = entry, part
        return Started(role, entry, True, time.monotonic() - begun)

    def _take_early(self, part: Part) -> "Early | None":
        """The start that is under way, once, and when it is of this very part."""
        early, self.early = self.early, None
        if early is not None and early.digest != part.digest:
            early.undo()
            return None
        return early

    def _new(self, role: str, part: Part, start: "Callable[[Tell], Entry]", begun: float) -> Fact:
        entry = start(lambda text: self._tell(role, text))
        try:
            self._remember(role, entry)
        except BaseException:
            part.stop(entry)  # what cannot be put on record must not run
            raise
        self.entries[role], self.parts[role] = entry, part
        return Started(role, entry, False, time.monotonic() - begun)

    def _reload(self, role: str, part: Reloadable) -> Fact:
        begun = time.monotonic()
        before = self.entries.get(role)
        if before is None:
            raise ExposerError(f"the {role} has ended")
        entry = part.reload(before, self.ledger.append, lambda text: self._tell(role, text))
        if self.entries.get(role) is not before:
            raise ExposerError(f"the {role} has ended")
        with suppress(OSError):  # it is on record as it was before: still found, only not taken over by a next `up`
            self._remember(role, entry)
        self.entries[role], self.parts[role] = entry, part
        return Reloaded(role, entry, time.monotonic() - begun)

    def _test_before_opening(self) -> None:
        """What the gateway has shown at its own start is not asked again. Raises SelfTestError."""
        shown = steadily(self.parts, self.entries, self._turns, opened=False)
        self.inbox.put(shown)
        insist(shown)

    def _broken(self, seal: str) -> tuple[str, ...]:
        """What others have changed, one sentence for each part."""
        found = []
        for role, entry in list(self.entries.items()):
            turn, part = self._turns.count(role), self.parts.get(role)
            text = part.broken(entry, seal) if isinstance(part, Sealed) and turn % 2 == 0 else ""
            if text and self._turns.steady(role, turn) and self.entries.get(role) is entry:
                found.append(text)
        return tuple(found)

    def _remember(self, role: str, entry: Entry) -> None:
        """The newest line of a role is the true one; it is written last, so older ones may go."""
        self.ledger.append(entry)
        newest = entry.to_line()
        with suppress(OSError):  # a line too many does no harm
            self.ledger.keep(lambda other: other.role != role or other.to_line() == newest)

    def _forget(self, role: str) -> None:
        """All lines of a part that is gone, and of what came with it."""
        roles = (role, *COMPANIONS.get(role, ()))
        self.ledger.keep(lambda other: other.role not in roles)

    def _look(self, role: str) -> Fact | None:
        entry = self.entries.get(role)
        if entry is None:
            return None  # its end was noticed already
        look = self.parts[role].look(entry)
        if look.alive:
            return Looked(role, look, time.monotonic())
        return _gone(role, look, f"the {role} is gone") if self._lost(role, entry) else None

    def _lost(self, role: str, entry: Entry) -> bool:
        """Takes a part that has ended out of those that run; False when that was noticed already."""
        if self.entries.get(role) is not entry:
            return False
        return self.entries.pop(role, None) is not None

    def _post_mortem(self, role: str, entry: Entry) -> Fact:
        return _gone(role, self.parts[role].look(entry), _how_it_ended(entry))

    def _stop(self, role: str) -> Fact:
        running, part = self.entries.pop(role, None), self.parts.get(role)
        known = [entry for entry in self.ledger.entries() if entry.role == role]
        if running is not None and not known:  # a ledger that cannot be read tells of nothing
            known = [running]
        for entry in known:  # also one whose leader has died just now: its group may live on
            if part is not None:
                part.stop(entry)
        with suppress(OSError):  # what it names is gone
            self._forget(role)
        return Stopped(role)

    def _sweep(self, role: str, rooms: Rooms) -> None:
        for entry in self.ledger.entries():
            if entry.role == role:
                rooms.end(entry)


def _gone(role: str, look: Look, otherwise: str) -> Gone:
    return Gone(role, look.error or otherwise, look.fatal, float(look.detail.get("wait") or 0.0))


def _how_it_ended(entry: Entry) -> str:
    assert entry.process is not None  # noqa: S101
    code = procs.exit_code(entry.process.pid)
    if code is None:
        return f"the {entry.role} has ended"
    return f"the {entry.role} was killed by signal {-code}" if code < 0 else f"the {entry.role} ended with code {code}"
