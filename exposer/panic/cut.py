"""One exposure being taken offline: lock, cut the data path, withdraw the keys, end the backend."""

import os
import time

from exposer import files, procs
from exposer.panic.bounded import DISK_SECONDS, LOCK_SECONDS, Attempt, within
from exposer.panic.datapath import CUT_FIRST, WATCHERS, DataPath
from exposer.panic.find import family, strays, supervisor
from exposer.panic.options import Options
from exposer.panic.withdrawal import Withdrawal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Collection
    from typing import Any
else:
    import _signal as signal


class Cut:
    """One exposure being taken offline: what was done, how long it took, what is still open."""

    def __init__(self, name: str, options: Options, begun: float) -> None:
        self.name = name
        self.options = options
        self.places = files.Places(name)
        self.steps: list[dict[str, Any]] = []
        self.trouble: list[str] = []
        self.notes: list[str] = []
        self.open: list[str] = []
        self.proof = ""
        self.began = time.time()
        self.cut_ms = 0.0
        self._begun = begun
        self.anew = True  # whoever is about to lift a lock is told that it is wanted again
        self.lock_stamp: tuple[int, ...] = ()
        self.locking: Attempt | None = None
        self.people: tuple[dict[str, Any], dict[str, str]] | None = None
        self.entries: list[procs.Entry] = []
        self.path = DataPath(self.step, self.trouble, self.notes)
        self.keys = Withdrawal(self.places, self.step, self.trouble)

    def step(self, what: str, **data: "Any") -> None:
        self.steps.append({"step": what, "ms": self.elapsed(), **data})

    def elapsed(self) -> float:
        return round((time.monotonic() - self._begun) * 1000, 1)

    def lock(self) -> None:
        """Begins to rename the lock into place, and does not wait for a disk that hangs. Its fsync comes at the end."""
        self.locking = Attempt(self._put_lock)
        self.locking.over(LOCK_SECONDS)

    def _put_lock(self) -> None:
        temp = f"{self.places.lock}.{os.getpid()}.new"
        try:
            if not self._is_there():
                os.makedirs(self.places.state, mode=0o700, exist_ok=True)
                _put(temp, self._said().encode())
                made = files.stamp(temp)
                os.rename(temp, self.places.lock)
                self.lock_stamp = made
        except OSError:
            if not os.path.lexists(self.places.lock):  # another panic may have been quicker
                raise
        self.step("locked")

    def _is_there(self) -> bool:
        """Whether there is a lock already. It is touched, for an `unlock` or a drill under way would take it away."""
        if not os.path.lexists(self.places.lock):
            return False
        if self.anew:
            now = time.time_ns()
            try:
                os.utime(self.places.lock, ns=(now, now), follow_symlinks=False)
            except FileNotFoundError:
                return False
            except OSError:  # on a disk that cannot be written nobody can take it away
                pass
        return True

    def _said(self) -> str:
        """The lock's text: JSON, put together without `json`, which would have to be imported first."""
        import _json

        reason = _json.encode_basestring_ascii(self.options.reason)
        drill = ', "drill": true' if self.options.drill else ""
        return f'{{"at": {self.began!r}, "reason": {reason}, "pid": {os.getpid()}, "uid": {os.getuid()}{drill}}}'

    def insist_on_lock(self) -> None:
        """That it cannot be kept is said, and has stopped nothing."""
        if self.locking is None:
            return
        if not self.locking.over(DISK_SECONDS):
            self.trouble.append("the lock is not yet kept: the state folder's disk does not answer")
        elif self.locking.error is not None:
            why = getattr(self.locking.error, "strerror", None) or self.locking.error
            self.trouble.append(f"the lock could not be kept: {why}; something may start it again")

    @property
    def locked(self) -> bool:
        """Whether the lock is there for sure."""
        return bool(within(DISK_SECONDS, lambda: os.path.lexists(self.places.lock), False))

    def cut(self) -> None:
        """Ends the data path: tunnel and gateway at once, then the backend, the supervisor and what is left."""
        procs.hurry()
        self.entries = self._ledger()
        self._each(self._step_aside, lambda: self.path.cut(self.entries), self.keys.begin)
        self.cut_ms = self.elapsed()
        procs.take_time()
        self.step("data path cut")
        if not procs.boot_id() or procs.started_at(os.getpid()) is None:
            self.open.append("what runs cannot be seen here, not even this: run it where /proc is")
        self._each(
            self._reach_elsewhere,
            lambda: self._end(WATCHERS, self.entries),
            self._cut_late,
            lambda: self._end({e.role for e in self.entries} - {*CUT_FIRST, *WATCHERS, "backend"}, self.entries),
            self._cut_backends,
        )
        self.step("backend cut")

    def _reach_elsewhere(self) -> None:
        from exposer.panic import elsewhere  # not needed for the cut, so not loaded before it

        self._each(lambda: elsewhere.cut_at_provider(self), lambda: elsewhere.remember_people(self))

    def _each(self, *steps: "Callable[[], object]") -> None:
        """Whatever goes wrong in one of them keeps none of the others from being done."""
        for step in steps:
            try:
                step()
            except Exception as error:
                self.trouble.append(f"{type(error).__name__}: {error}")

    def finish(self) -> None:
        """What may take its time now that nothing leaves any more: nginx's log, the keys, the lock on a slow disk."""
        self._each(self._end_gateway, self._end_leash, self._put_ring_aside, self.insist_on_lock)

    def _end_gateway(self) -> None:
        self.path.end_gateway(self.entries, self.keys.is_done())
        self.step("gateway ended")

    def _end_leash(self) -> None:
        for entry in self.entries:
            if entry.detail.get("leash"):
                self.path.signal(entry, signal.SIGKILL)

    def _cut_late(self) -> None:
        """Without a lock the supervisor may have gone on until now; and a ledger may be gone, torn or wrong: then our
        own are known by their mark."""
        known = {entry.process for entry in self.entries}  # by more than their numbers: one on record may be wrong
        late = [entry for entry in self._ledger(quiet=True) if entry.process and entry.process not in known]
        known |= {entry.process for entry in late}
        holder = within(DISK_SECONDS / 4, lambda: supervisor(self.places))
        found = [*late, *strays(self.places), *([holder] if holder else [])]
        found = [e for e in found if e in late or e.process not in known]
        members = {pid for entry in self.entries if entry.process is not None for pid in _members(entry.process)}
        late = [entry for entry in found if entry.process is not None and entry.process.pid not in members]
        self.entries += late
        self.path.cut(late)
        self._end(WATCHERS, late)

    def _ledger(self, *, quiet: bool = False) -> "list[procs.Entry]":
        reading = Attempt(procs.Ledger(self.places.ledger).read)
        if reading.over(DISK_SECONDS / 4) and reading.error is None:
            return _newest(reading.value)
        if isinstance(reading.error, PermissionError) and not quiet:
            self.open.append(
                f"what runs is not known: {self.places.ledger} is another user's; run this as that user, or as root"
            )
        why = getattr(reading.error, "strerror", None) or reading.error or "its disk does not answer"
        if not quiet:
            self.trouble.append(f"{self.places.ledger}: {why}; what it names is looked for by its mark")
        return []

    def _step_aside(self) -> None:
        """Leaves a process group that is about to be cut: a hook of the supervisor's may have called us."""
        groups = {entry.process.pid for entry in self.entries if entry.process is not None}
        if os.getpgrp() in groups and os.getpgrp() != os.getpid():
            try:
                os.setpgid(0, 0)
            except OSError as error:
                self.trouble.append(f"this runs in a group that is cut: {error.strerror}")

    def _end(self, roles: "Collection[str]", entries: "list[procs.Entry]") -> None:
        for entry in entries:
            if entry.role in roles and not entry.detail.get("leash"):  # its end would be the gateway's, log and all
                self.path.signal(entry, signal.SIGKILL)

    def _cut_backends(self) -> None:
        for entry in self.entries:
            if entry.role == "backend":
                self._cut_backend(entry)

    def _cut_backend(self, entry: procs.Entry) -> None:
        mode = self.backend_mode()
        if entry.process is None or mode == "keep":
            return
        if "container" in entry.ids and (mode == "pause" or self.adopted(entry)):
            return  # paused by the engine, or not ours to end
        self.path.signal(entry, signal.SIGSTOP if mode == "pause" else signal.SIGKILL)

    def backend_mode(self) -> str:
        if self.options.backend:
            return self.options.backend
        for entry in self.entries:
            if entry.role == "supervisor" and entry.detail.get("panic") in ("stop", "pause", "keep"):
                return str(entry.detail["panic"])
        return "stop"

    def adopted(self, entry: procs.Entry) -> bool:
        """A container that ran before us is not ours to end, unless that was asked for in so many words."""
        return entry.detail.get("kind") == "container" and not self.options.backend

    def _put_ring_aside(self) -> None:
        """Without a lock it stays: nothing was wrong with the keys."""
        if self.locking is not None:
            self.keys.put_ring_aside()

    def should_be_gone(self, entry: procs.Entry) -> bool:
        if entry.role != "backend":
            return True
        return self.backend_mode() == "stop" and not self.adopted(entry)

    @property
    def kind(self) -> str:
        return "drill" if self.options.drill else "panic" if self.locking else "cut"

    def as_dict(self) -> "dict[str, Any]":
        return {
            "name": self.name,
            "reason": self.options.reason,
            "kind": self.kind,
            "at": self.began,
            "cut_ms": self.cut_ms,
            "locked": self.locked,
            "steps": self.steps,
            "notes": self.notes,
            "trouble": self.trouble,
            "still_open": self.open,
            "proof": self.proof,
        }


def _newest(entries: "list[procs.Entry]") -> "list[procs.Entry]":
    """Of the lines for one and the same process, role and container only the last: it says most."""
    last = {(e.role, e.process, e.ids.get("container")): e for e in entries if e.process is not None}
    return [e for e in entries if e.process is None or last[(e.role, e.process, e.ids.get("container"))] is e]


def _members(process: procs.ProcessId) -> list[int]:
    """A process and its family, where it still is itself: what is in there has been dealt with."""
    return family(process.pid) if process.alive() else []


def _put(path: str, data: bytes) -> None:
    """A small file; on a full disk an empty one, for it is the name that counts."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, data)
    except OSError:
        pass
    finally:
        os.close(fd)
