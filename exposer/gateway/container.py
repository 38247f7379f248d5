"""nginx in a container of its own, for machines that have Docker but no nginx: a runner for the same gateway."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exposer import procs
from exposer.engine import client as engine
from exposer.engine import container as containers
from exposer.engine import image as images
from exposer.engine.seal import changes, seal
from exposer.errors import ExposerError
from exposer.gateway.host import KEEP_MEMORY, LADDER, HostNginx, Worker, certificates, find_nginx, scripting
from exposer.procs import Entry, ProcessId
from exposer.state.model import GATEWAY

if TYPE_CHECKING:
    from docker import DockerClient

INSIDE = "/gateway"
# The rest of a container's seal is made by the engine, and stays as it is.
AS_MADE = {"networks": ["host"], "ports": [], "restart": ["no"]}
COMMAND = ("nginx", "-p", "./", "-c", "nginx.conf", "-e", "error.log")


class ContainerNginx(HostNginx):
    """Listens on this machine's own 127.0.0.1, sees nothing of its files but the gateway's folder, and has no
    capability. It runs as we do: as root it has none of root's powers, and its workers cannot change users."""

    engine = "docker"

    def __init__(self, name: str, image: str = "", binary: str = "") -> None:
        super().__init__(binary)
        self._name = name
        self._image = image

    def worker(self) -> Worker | None:
        return Worker("root", "root", os.getegid()) if is_root_inside() else None

    def check(self, folder: Path) -> str:
        """What the image's nginx has against the files in a folder; "" for nothing."""
        with engine.open_engine() as client:
            container = client.containers.create(
                self._nginx(client),
                labels=engine.labels(self._name, "check"),
                command=["-t"],
                **self._arguments(client, folder),
            )
            try:
                container.start()
                code = container.wait(timeout=20)["StatusCode"]
                said = containers.log_text(container, 20)
            finally:
                engine.remove_container(container)
        return "" if code == 0 else _said(said)

    def spawn(self, folder: Path, record: Callable[[ProcessId], None]) -> ProcessId:
        """Starts it. No key is valid yet, so nothing passes before `record` has the process."""

        def note(entry: Entry) -> None:
            if entry.process is not None:
                record(entry.process)

        with engine.open_engine() as client:
            entry = containers.run(
                client,
                role=GATEWAY,
                name=self._name,
                image=self._nginx(client),
                record=note,
                **self._arguments(client, folder),
            )
            if entry.process is not None:
                return entry.process
            said = _last_words(client, entry)
        raise ExposerError(f"the gateway's container does not run on this machine: {said}")

    def stop(self, process: ProcessId) -> bool:
        """SIGTERM lets nginx write out its log; then its container goes, and others of ours that have ended."""
        gone = procs.stop(process, LADDER)
        with engine.open_engine() as client:
            for container in client.containers.list(all=True, filters=engine.filters(self._name), ignore_removed=True):
                pid = container.attrs["State"]["Pid"]
                if container.labels.get(engine.ROLE) == GATEWAY and pid in (0, process.pid):
                    engine.remove_container(container)
        return gone or not process.alive()

    def scripting(self) -> str:
        """Of this machine's nginx, which its image is made of; another image's is not known."""
        return "" if self._image else scripting(find_nginx(self._binary))

    def tampering(self, process: ProcessId) -> str:
        """What of its container is not as we make them; an engine that is away tells nothing."""
        try:
            with engine.open_engine() as client:
                for container in client.containers.list(filters=engine.filters(self._name), ignore_removed=True):
                    ours = container.labels.get(engine.ROLE) == GATEWAY
                    if ours and container.attrs["State"]["Pid"] == process.pid:
                        found = changes(AS_MADE, seal(container.attrs))
                        return f"the gateway's container was changed from outside: {found}" if found else ""
        except ExposerError:
            pass
        return ""

    def _nginx(self, client: "DockerClient") -> str:
        modules = tuple(filter(None, [self.scripting()]))
        return images.nginx_image(client, self._image, self._binary, lambda line: None, modules)

    def _arguments(self, client: "DockerClient", folder: Path) -> dict[str, Any]:
        from docker.types import Mount

        mounts = [Mount(INSIDE, str(folder), type="bind")]
        if authorities := certificates():
            mounts.append(Mount(authorities, str(Path(authorities).resolve()), type="bind", read_only=True))
        return {
            **containers.hardened(client),
            "mem_limit": "256m",
            "network_mode": "host",
            "entrypoint": list(COMMAND),
            "environment": KEEP_MEMORY,
            "working_dir": INSIDE,
            "mounts": mounts,
        }


@functools.cache
def is_root_inside() -> bool:
    """Whether a container of ours runs as root inside: when we are, or when the engine is rootless."""
    if os.geteuid() == 0:
        return True
    with engine.open_engine() as client:
        return containers.user(client).startswith("0:")


def _last_words(client: "DockerClient", entry: Entry) -> str:
    container = containers.find(client, entry.ids["container"])
    if container is None:
        return "it is gone"
    said = _said(containers.log_text(container, 20))
    engine.remove_container(container)
    return said


def _said(text: str) -> str:
    """The gravest line of what nginx printed."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    grave = [line for line in lines if "[emerg]" in line and "initgroups" not in line] or lines
    return " ".join(grave[-1].split()) if grave else "it says nothing"
