"""One exposure being taken offline: lock, cut the data path, withdraw the keys, end the backend."""

import json
import os
import signal
import time

from exposer import files, procs
from exposer.panic.options import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

CUT_FIRST = ("tunnel", "gateway", "link")


class Cut:
    """One exposure being taken offline: what was done, how long it took, what is still open."""

    def __init__(self, name: str, options: Options, begun: float) -> None:
        self.name = name
        self.options = options
        self.places = files.Places(name)
        self.steps: list[dict[str, Any]] = []
        self.trouble: list[str] = []
        self.open: list[str] = []
        self._begun = begun
        self.entries: list[procs.Entry] = []

    def step(self, what: str, **data: "Any") -> None:
        self.steps.append({"step": what, "ms": round((time.monotonic() - self._begun) * 1000, 1), **data})

    def lock(self) -> None:
        """Renames the lock into place. That it cannot be kept is said, and does not stop the cut."""
        if self.locked:
            self.step("locked")
            return
        text = json.dumps({"at": time.time(), "reason": self.options.reason, "pid": os.getpid(), "uid": os.getuid()})
        temp = f"{self.places.lock}.{os.getpid()}.new"
        try:
            os.makedirs(self.places.state, mode=0o700, exist_ok=True)
            _put(temp, text.encode())
            os.rename(temp, self.places.lock)
        except OSError as error:
            if not self.locked:  # another panic may have been quicker
                self.trouble.append(f"the lock could not be kept: {error.strerror}; something may start it again")
                return
        self.step("locked")

    @property
    def locked(self) -> bool:
        """Whether the lock is there for sure."""
        return os.path.lexists(self.places.lock)

    def cut(self) -> None:
        """Ends the data path: tunnel and gateway at once, then the supervisor, then the backend."""
        self.entries = self._ledger()
        self._step_aside()
        self._end(CUT_FIRST, self.entries)
        self.step("data path cut")
        self._withdraw_keys()
        self._end(("supervisor",), self.entries)
        known = {entry.process for entry in self.entries}
        # Without a lock the supervisor may have gone on until now; it has no time left to start anything more.
        late = [entry for entry in self._ledger() if entry.process not in known]
        self.entries += late
        self._end(CUT_FIRST, late)
        others = {entry.role for entry in self.entries} - {*CUT_FIRST, "supervisor", "backend"}
        self._end(others, self.entries)
        for entry in self.entries:
            if entry.role == "backend":
                self._cut_backend(entry)
        self.step("backend cut")

    def _ledger(self) -> "list[procs.Entry]":
        try:
            return procs.Ledger(self.places.ledger).read()
        except OSError as error:
            self.trouble.append(f"{self.places.ledger}: {error.strerror}; what it names cannot be found")
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
            if entry.role in roles and entry.process is not None and entry.process.pid != os.getpid():
                self._signal(entry, signal.SIGKILL)

    def _cut_backend(self, entry: procs.Entry) -> None:
        mode = self.backend_mode()
        if entry.process is None or mode == "keep":
            return
        if "container" in entry.ids and (mode == "pause" or self._adopted(entry)):
            return  # paused by the engine, or not ours to end
        self._signal(entry, signal.SIGSTOP if mode == "pause" else signal.SIGKILL)

    def backend_mode(self) -> str:
        if self.options.backend:
            return self.options.backend
        for entry in self.entries:
            if entry.role == "supervisor" and entry.detail.get("panic") in ("stop", "pause", "keep"):
                return str(entry.detail["panic"])
        return "stop"

    def _adopted(self, entry: procs.Entry) -> bool:
        """A container that ran before us is not ours to end, unless that was asked for in so many words."""
        return entry.detail.get("kind") == "container" and not self.options.backend

    def _signal(self, entry: procs.Entry, number: int) -> None:
        assert entry.process is not None  # noqa: S101
        try:
            if entry.process.signal_group(number):
                self.step("signalled", role=entry.role, pid=entry.process.pid, signal=signal.Signals(number).name)
        except OSError as error:
            self.trouble.append(f"{entry.role} (pid {entry.process.pid}): {error.strerror}")

    def _withdraw_keys(self) -> None:
        """No gateway accepts a key without its file, and the ring is put aside: `unlock` revokes all that is in it."""
        gateway = os.path.join(self.places.runtime, "gateway")
        mark = os.urandom(4).hex()
        for folder, name in ((gateway, "live"), (gateway, "draining"), (self.places.state, "keyring")):
            path = os.path.join(folder, name)
            target = f"{path}.panicked" if name == "keyring" else f"{path}.off-{mark}"
            try:
                os.rename(path, target)
            except FileNotFoundError:
                continue
            except OSError as error:
                self.trouble.append(f"{path}: {error.strerror}")
        self.step("keys withdrawn")

    def containers(self) -> None:
        """Ends our containers through the engine, also those the ledger does not know."""
        known = {entry.ids["container"]: entry for entry in self.entries if "container" in entry.ids}
        from exposer.panic.engine import Engine, EngineError

        engine = Engine()
        if not engine.present():
            if known:
                self.trouble.append("containers are on record, and there is no Docker engine to ask about them")
            return
        for container, entry in known.items():
            self._cut_container(engine, container, entry)
        try:
            for container, role in engine.ours(self.name, files.state_root()):
                if container not in known:
                    self._cut_container(engine, container, procs.Entry(role, ids={"container": container}))
        except EngineError as error:
            if known or not error.absent:
                self.trouble.append(f"the Docker engine: {error}")

    def _cut_container(self, engine: "Any", container: str, entry: procs.Entry) -> None:
        """One that cannot be ended must not keep the others from being ended."""
        from exposer.panic.engine import EngineError

        verb = self._verb(entry)
        try:
            if verb and engine.end(container, verb):
                self.step(f"container {verb}", role=entry.role, container=container[:12])
            if entry.role == "backend" and self.backend_mode() == "keep" and not self._adopted(entry):
                for network in engine.networks(container):
                    engine.disconnect(network, container)
                    self.step("network cut", container=container[:12])
        except EngineError as error:
            self.trouble.append(f"the Docker engine: {error}")

    def _verb(self, entry: procs.Entry) -> str:
        if entry.role != "backend":
            return "kill"
        if self._adopted(entry):
            return ""
        return {"stop": "kill", "pause": "pause", "keep": ""}[self.backend_mode()]

    def should_be_gone(self, entry: procs.Entry) -> bool:
        if entry.role != "backend":
            return True
        return self.backend_mode() == "stop" and not self._adopted(entry)

    def as_dict(self) -> "dict[str, Any]":
        return {
            "name": self.name,
            "reason": self.options.reason,
            "locked": self.locked,
            "steps": self.steps,
            "trouble": self.trouble,
            "still_open": self.open,
        }


def _put(path: str, data: bytes) -> None:
    """A small file; on a full disk an empty one, for it is the name that counts."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, data)
    except OSError:
        pass
    finally:
        os.close(fd)
