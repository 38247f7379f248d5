"""Containers: created, put on record, then started; known afterwards by more than a name."""

import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exposer.engine import client as engine
from exposer.engine.seal import changes, seal
from exposer.procs import Entry, ProcessId

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.types import LogConfig


@dataclass
class Created:
    """A container that is made and on record, but does not run yet."""

    client: "DockerClient"
    container: "Container"
    record: Callable[[Entry], None]
    entry: Entry
    stdin: bytes | None

    def start(self) -> Entry:
        """Starts it and returns its entry with who its first process is. When that fails the container is gone."""
        try:
            _start(self.client, self.container, self.stdin)
            self.container.reload()
            seen = {**self.entry.detail, "started_at": started_at(self.container), "seal": seal(self.container.attrs)}
            entry = Entry(self.entry.role, identity(self.container), self.entry.ids, self.entry.digest, seen)
            self.record(entry)
            return entry
        except BaseException:
            engine.remove_container(self.container)
            raise


def run(client: "DockerClient", **kwargs: Any) -> Entry:
    """Creates a container and starts it: see `create`."""
    return create(client, **kwargs).start()


def create(
    client: "DockerClient",
    *,
    role: str,
    name: str,
    image: str,
    record: Callable[[Entry], None],
    entry_detail: Mapping[str, Any] | None = None,
    digest: str = "",
    ids: Mapping[str, str] | None = None,
    tar: bytes = b"",
    stdin: bytes | None = None,
    **kwargs: Any,
) -> Created:
    """Creates a container and records it.

    `tar` is unpacked at its root before the start; `stdin` is all that its program will ever read there.
    When anything fails the container is gone again.
    """
    kwargs |= {"stdin_open": stdin is not None, "restart_policy": {"Name": "no"}}  # we restart, never the engine
    container = client.containers.create(
        image,
        name=f"exposer-{name}-{role}-{engine.suffix()}",
        labels=engine.labels(name, role),
        log_config=_logs(),
        **kwargs,
    )
    known = {"container": str(container.id), **(ids or {})}
    try:
        entry = Entry(role, None, known, digest, entry_detail)
        record(entry)
        if tar:
            container.put_archive("/", tar)
        return Created(client, container, record, entry, stdin)
    except BaseException:
        engine.remove_container(container)
        raise


def _start(client: "DockerClient", container: "Container", stdin: bytes | None) -> None:
    if stdin is None:
        container.start()
        return
    attached = client.api.attach_socket(str(container.id), params={"stdin": 1, "stream": 1})
    wire = getattr(attached, "_sock", attached)
    try:
        container.start()
        wire.settimeout(10)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it died at once; its log tells why
            wire.sendall(stdin)
            wire.shutdown(socket.SHUT_WR)
    finally:
        getattr(attached, "_response", attached).close()


def _logs() -> "LogConfig":
    """Bounded logs that can be read again, whatever the engine's own default is."""
    from docker.types import LogConfig

    return LogConfig(type="json-file", config={"max-size": "10m", "max-file": "3"})


def find(client: "DockerClient", reference: str) -> "Container | None":
    """The container of that id or name, freshly looked at, if there is one."""
    from docker.errors import NotFound

    try:
        return client.containers.get(reference) if reference else None
    except NotFound:
        return None


def identity(container: "Container") -> ProcessId | None:
    """Who the container's first process is, on this machine. None when it does not run, or when the engine is
    in a virtual machine or elsewhere: then its pid means nothing here, and a signal would hit a stranger."""
    pid = int(container.attrs["State"].get("Pid") or 0)
    process = ProcessId.of(pid) if pid > 1 else None
    try:
        ours = str(container.id) in Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return None
    return process if ours else None


def started_at(container: "Container") -> str:
    """When the container was last started, as the engine says; another time is another run."""
    return str(container.attrs["State"].get("StartedAt") or "")


def same_run(entry: Entry, container: "Container") -> bool:
    """Whether this is still the run that the entry was made for: neither replaced nor restarted since."""
    if container.id != entry.ids.get("container") or started_at(container) != entry.detail.get("started_at"):
        return False
    return entry.process is None or entry.process.pid == container.attrs["State"].get("Pid")


def tampering(client: "DockerClient", entry: Entry) -> str:
    """What was changed from outside of a container that runs as it was started; "" when nothing, or it does not. What
    is seen once may be the engine's own change half done, so it is looked at twice."""
    known = entry.detail.get("seal") or {}
    found = ""
    for _ in range(2):
        container = find(client, entry.ids.get("container", ""))
        if container is None or container.status != "running" or not same_run(entry, container):
            return ""
        found = changes(known, seal(container.attrs))
        if not found:
            return ""
    return found


def user(client: "DockerClient") -> str:
    """The `user` under which a container of ours may use our private files through a bind mount.

    With a rootless engine we are root inside; otherwise our own numbers.
    """
    options = client.info().get("SecurityOptions") or []
    return "0:0" if "name=rootless" in options else f"{os.geteuid()}:{os.getegid()}"


def hardened(client: "DockerClient") -> dict[str, Any]:
    """How our own nginx containers run: nothing to write to, nothing to gain, little to waste."""
    return {
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": 64,
        "mem_limit": "128m",
        "tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=16m,mode=1777"},  # noqa: S108
        "user": user(client),
    }


def log_text(container: "Container", lines: int) -> str:
    """The last lines of what a container printed, standard error included."""
    return container.logs(tail=lines, stdout=True, stderr=True).decode(errors="replace")


def log_stream(container: "Container") -> Iterator[str]:
    """What a container prints from now on, as it comes."""
    stream = container.logs(stream=True, follow=True, tail=0)
    try:
        for chunk in stream:
            yield chunk.decode(errors="replace")
    finally:
        getattr(stream, "_response", stream).close()  # its own close() leaves the connection half open
