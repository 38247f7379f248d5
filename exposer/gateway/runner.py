"""What the gateway needs of whoever runs nginx for it: processes of this machine, or a container."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from exposer.gateway import host
from exposer.procs import ProcessId


class Runner(Protocol):
    """How nginx is run: as processes of this machine (`host.HostNginx`), or in a container."""

    engine: str

    def worker(self) -> host.Worker | None: ...

    def scripting(self) -> str:
        """Where nginx's module for JavaScript is, if it has one that works."""

    def check(self, folder: Path) -> str: ...

    def spawn(self, folder: Path, record: Callable[[ProcessId], None]) -> ProcessId: ...

    def reread(self, process: ProcessId) -> None: ...

    def stop(self, process: ProcessId) -> bool: ...

    def workers(self, process: ProcessId) -> list[ProcessId]: ...

    def tampering(self, process: ProcessId) -> str: ...
