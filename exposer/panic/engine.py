"""The few words of the Docker engine's API that the kill switch needs, over its unix socket, with short waits."""

import hashlib
import http.client
import json
import os
import socket
from urllib.parse import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

SOCKET = "/var/run/docker.sock"
SECONDS = 3.0
# What the engine says when there is nothing to do any more.
DONE = ("no such container", "not running", "already paused")

SENSELESS = "its answer makes no sense"


class EngineError(Exception):
    """The engine did not do it, or did not answer in time. `absent`: there is none for us, so nothing of ours in it."""

    absent = False


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(SECONDS)
        self.sock.connect(self._path)


class Engine:
    """The engine of this machine, found at DOCKER_HOST (a unix socket) or the usual place."""

    def __init__(self) -> None:
        host = os.environ.get("DOCKER_HOST", "")
        self.path = host.removeprefix("unix://") if host.startswith("unix://") else SOCKET

    def present(self) -> bool:
        return os.path.exists(self.path)

    def ours(self, name: str, state_root: str) -> "Iterator[tuple[str, str]]":
        """Id and role of each running container that carries our labels for this exposure. Raises EngineError, at the
        end, for what cannot be understood."""
        home = hashlib.sha256(os.fsencode(state_root)).hexdigest()[:12]
        labels = [f"io.exposer.name={name}", f"io.exposer.home={home}"]
        found = self._ask("GET", f"/containers/json?filters={quote(json.dumps({'label': labels}))}")
        if not isinstance(found, list):
            raise EngineError(SENSELESS)
        odd = 0
        for container in found:
            try:
                yield str(container["Id"]), str((container.get("Labels") or {}).get("io.exposer.role", ""))
            except (KeyError, TypeError, AttributeError):
                odd += 1
        if odd:
            raise EngineError(SENSELESS)

    def end(self, container: str, verb: str) -> bool:
        """Kills or pauses a container; False when there was nothing to do any more."""
        try:
            said = self._ask("POST", f"/containers/{quote(container, safe='')}/{verb}")
        except EngineError as error:
            if any(text in str(error).lower() for text in DONE):
                return False
            raise
        if said is not None:  # the engine says nothing when it has done it
            raise EngineError(SENSELESS)
        return True

    def networks(self, container: str) -> list[str]:
        found = self._ask("GET", f"/containers/{quote(container, safe='')}/json")
        try:
            return list(found["NetworkSettings"]["Networks"])
        except (KeyError, TypeError) as error:
            raise EngineError(SENSELESS) from error

    def disconnect(self, network: str, container: str) -> None:
        self._ask("POST", f"/networks/{quote(network, safe='')}/disconnect", {"Container": container, "Force": True})

    def _ask(self, method: str, path: str, body: object = None) -> "Any":
        connection = _Connection(self.path)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
            response = connection.getresponse()
            text = response.read(4 * 1024 * 1024).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            wrong = EngineError(str(error) or type(error).__name__)
            wrong.absent = isinstance(error, PermissionError | ConnectionRefusedError | FileNotFoundError)
            raise wrong from error
        finally:
            connection.close()
        if response.status >= 300:
            raise EngineError(text.strip()[:300] or f"status {response.status}")
        try:
            return json.loads(text) if text.strip() else None
        except (ValueError, RecursionError) as error:
            raise EngineError(SENSELESS) from error
