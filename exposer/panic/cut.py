"""One exposure being taken offline: lock, cut the data path, withdraw the keys, end the backend."""

import json
import os
import signal
import time

from exposer import files, procs
from exposer.panic.options import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
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
        text = json.dumps({"at": time.time(), "reason": self.options.reason, "pid": os.getpid(), "uid": os.getuid()})
        temp = f"{self.places.lock}.{os.getpid()}.new"
        try:
            os.makedirs(self.places.state, mode=0o700, exist_ok=True)
            if not self.places.locked():
                with open(os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as file:
                    file.write(text)
                os.rename(temp, self.places.lock)
            self.step("locked")
        except OSError as error:
            self.trouble.append(f"the lock could not be kept: {error.strerror}; something may start it again")

    def cut(self) -> None:
        """Ends the data path: tunnel and gateway at once, then the supervisor, then the backend."""
        self.entries = procs.Ledger(self.places.ledger).entries()
        order = sorted(self.entries, key=lambda entry: entry.role not in CUT_FIRST)
        for entry in order:
            if entry.role in CUT_FIRST and entry.process is not None:
                self._signal(entry, signal.SIGKILL)
        self.step("data path cut")
        self._withdraw_keys()
        for entry in order:
            if entry.role == "supervisor" and entry.process is not None and entry.process.pid != os.getpid():
                self._signal(entry, signal.SIGKILL)
            elif entry.role == "backend":
                self._cut_backend(entry)
        self.step("backend cut")

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
                if os.path.lexists(path):
                    os.rename(path, target)
            except OSError as error:
                self.trouble.append(f"{path}: {error.strerror}")
        self.step("keys withdrawn")

    def containers(self) -> None:
        """Ends our containers through the engine, also those the ledger does not know."""
        known = {entry.ids["container"]: entry for entry in self.entries if "container" in entry.ids}
        from exposer.panic.engine import Engine, EngineError

        engine = Engine()
        if not engine.present():
            return
        try:
            for found, role in engine.ours(self.name, files.state_root()):
                known.setdefault(found, procs.Entry(role, ids={"container": found}))
            for container, entry in known.items():
                verb = self._verb(entry)
                if verb and engine.end(container, verb):
                    self.step(f"container {verb}", role=entry.role, container=container[:12])
            if self.backend_mode() == "keep":
                self._disconnect(engine, known)
        except EngineError as error:
            if known:
                self.trouble.append(f"the Docker engine: {error}")

    def _verb(self, entry: procs.Entry) -> str:
        if entry.role != "backend":
            return "kill"
        if self._adopted(entry):
            return ""
        return {"stop": "kill", "pause": "pause", "keep": ""}[self.backend_mode()]

    def _disconnect(self, engine: "Any", known: "dict[str, procs.Entry]") -> None:
        for container, entry in known.items():
            if entry.role == "backend" and not self._adopted(entry):
                for network in engine.networks(container):
                    engine.disconnect(network, container)
                    self.step("network cut", container=container[:12])

    def should_be_gone(self, entry: procs.Entry) -> bool:
        if entry.role != "backend":
            return True
        return self.backend_mode() == "stop" and not self._adopted(entry)

    def as_dict(self) -> "dict[str, Any]":
        return {
            "name": self.name,
            "reason": self.options.reason,
            "locked": self.places.locked(),
            "steps": self.steps,
            "trouble": self.trouble,
            "still_open": self.open,
        }
