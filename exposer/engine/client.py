"""The way to the Docker engine, the labels that tell our objects from everybody else's, and their removal."""

import errno
import hashlib
import os
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from exposer import files, procs
from exposer.errors import ExposerError, MissingError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.models.networks import Network

NAME, ROLE, HOME = "io.exposer.name", "io.exposer.role", "io.exposer.home"
TIMEOUT = 30
HELD = 3.0
GOING = 20.0  # how long somebody else's removal of a container may take
USUAL = "/var/run/docker.sock"


def warm_up() -> None:
    """Loads the library before it is needed."""
    import docker  # noqa: F401


def connect() -> "DockerClient":
    """A client of the engine that `DOCKER_HOST` (else the usual socket) leads to. Raises MissingError."""
    import docker
    from requests.exceptions import RequestException

    host = os.environ.get("DOCKER_HOST", "")
    try:
        _knock(host)
        return docker.from_env(version="auto", timeout=TIMEOUT)
    except (docker.errors.DockerException, RequestException, OSError, ValueError) as error:
        raise why_not(error, host) from error


def _knock(host: str) -> None:
    """Raises the plain OSError of a unix socket that does not let us in; the library would lose its own socket.

    Without DOCKER_HOST a missing socket says nothing yet: the docker command's context may lead elsewhere.
    """
    path = host.removeprefix("unix://") if host else USUAL
    if (host and not host.startswith("unix://")) or (not host and not os.path.exists(path)):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(TIMEOUT)
        probe.connect(path)


@contextmanager
def open_engine() -> Iterator["DockerClient"]:
    """A client for one piece of work; what the engine refuses becomes an ExposerError that quotes it."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    client = connect()
    try:
        yield client
    except APIError as error:
        raise ExposerError(f"the Docker engine refused: {reason(error)}") from error
    except (DockerException, RequestException) as error:
        raise ExposerError(
            f"the Docker engine stopped answering: {type(error).__name__}",
            "look at `docker info` and at the engine's own log",
        ) from error
    finally:
        client.close()


def reason(error: Exception) -> str:
    """The engine's own sentence in an API error."""
    return str(getattr(error, "explanation", None) or error).strip()


def why_not(error: BaseException, docker_host: str) -> MissingError:
    """What keeps us from the engine, and what to do about it."""
    where = f"DOCKER_HOST={docker_host}" if docker_host else "the usual socket"
    number = _errno(error)
    if number in (errno.EACCES, errno.EPERM):
        return MissingError(
            f"you may not use the Docker engine ({where})",
            "join the docker group (`sudo usermod -aG docker $USER`, then log in again), or use sudo",
        )
    if number == errno.ECONNREFUSED or (number == errno.ENOENT and shutil.which("docker")):
        return MissingError(
            f"the Docker engine is not running ({where})",
            "start it (`sudo systemctl start docker`, or Docker Desktop), or point DOCKER_HOST to it",
        )
    if number == errno.ENOENT:
        return MissingError(
            f"no Docker engine was found ({where})",
            'install Docker, or use a backend that needs none (`command` or `url`) and engine = "process"',
        )
    return MissingError(f"the Docker engine does not answer ({where}): {error}", "look at `docker info`")


def _errno(error: BaseException) -> int | None:
    """The operating system's error that libraries have wrapped, however deep."""
    seen: set[int] = set()
    todo: list[object] = [error]
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, OSError) and isinstance(item.errno, int):
            return item.errno
        if isinstance(item, BaseException):
            todo += [*item.args, item.__cause__, item.__context__]
    return None


def home() -> str:
    """A short digest of the state root: keeps two users (or test runs) with the same exposure name apart."""
    return hashlib.sha256(files.state_root().encode()).hexdigest()[:12]


def suffix() -> str:
    """Six hex digits that make a name of ours unique."""
    return os.urandom(3).hex()


def labels(name: str, role: str) -> dict[str, str]:
    """The labels of everything we make in the engine."""
    return {NAME: name, ROLE: role, HOME: home()}


def filters(name: str) -> dict[str, str | list[str] | bool]:
    """Finds what bears our labels for this exposure."""
    return {"label": [f"{NAME}={name}", f"{HOME}={home()}"]}


def remove_all(name: str, roles: Sequence[str] = (), patience: int = 0) -> list[str]:
    """Removes every container (with its anonymous volumes) and network of this exposure and home, or only
    those of some roles, and returns their names. With `patience` a container may end by itself first."""
    with open_engine() as client:
        return remove_labelled(client, name, roles, patience)


def remove_labelled(client: "DockerClient", name: str, roles: Sequence[str] = (), patience: int = 0) -> list[str]:
    """The same, with a client that is at hand. What shares another container's network goes first."""
    from docker.errors import APIError

    removed = []
    containers = [
        item
        for item in client.containers.list(all=True, filters=filters(name), ignore_removed=True)
        if not roles or item.labels.get(ROLE) in roles
    ]
    for container in sorted(containers, key=lambda item: not _borrows_network(item.attrs)):
        if patience and container.status == "running" and not _borrows_network(container.attrs):
            with suppress(APIError):
                container.stop(timeout=patience)
        remove_container(container)
        removed.append(str(container.name))
    for network in client.networks.list(filters=filters(name)):
        if not roles or (network.attrs.get("Labels") or {}).get(ROLE) in roles:
            remove_network(network)
            removed.append(str(network.name))
    return removed


def remove_container(container: "Container") -> None:
    """Ends and removes a container with its anonymous volumes; it may be gone already, and when somebody else is just
    removing it that is waited for."""
    from docker.errors import APIError, NotFound

    def gone() -> bool:
        try:
            container.remove(force=True, v=True)
        except NotFound:
            return True
        except APIError as error:
            if "already in progress" not in reason(error):
                raise
            return False
        return True

    if not procs.wait_until(gone, GOING, every=0.1):
        raise ExposerError(f"the Docker engine does not come to an end with removing {container.name}", "try again")


def remove_network(network: "Network") -> None:
    """Removes a network; a container that is just going may still hold it for a moment."""
    from docker.errors import APIError, NotFound

    def gone() -> bool:
        try:
            network.remove()
        except NotFound:
            return True
        except APIError:
            return False
        return True

    if not procs.wait_until(gone, HELD, every=0.2):
        with suppress(NotFound):
            network.remove()


def _borrows_network(attrs: dict[str, dict[str, str]]) -> bool:
    return attrs.get("HostConfig", {}).get("NetworkMode", "").startswith("container:")
