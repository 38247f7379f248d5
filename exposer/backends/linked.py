"""What the backends in containers have in common: a link, health through it, and their logs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exposer.backends import health, link, listening, setting, tail
from exposer.config.model import Backend
from exposer.engine import client as engine
from exposer.engine import container as containers
from exposer.errors import ExposerError, MissingError, TimeoutExceededError
from exposer.procs import Entry
from exposer.secret import Secret
from exposer.state.model import BACKEND, CONTAINERS, Look, Record, Tell

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

NETWORK = "network"
OURS = (BACKEND, link.ROLE, NETWORK)
STOP_PATIENCE = 10
LAST_LINES, LOG_LINES = 20, 2000


class Linked:
    """A backend in a container. `stop` ends only what bears our labels: no container of somebody else."""

    role = BACKEND

    def __init__(self, config: Backend, at: setting.Setting) -> None:
        self._config = config
        self._at = at
        self.digest = setting.digest_of(config, at.name)
        self.upstream = f"unix:{link.socket_path(at.runtime_dir)}"

    def look(self, entry: Entry) -> Look:
        """Alive when it is the very run that we know; healthy when it also answers through its link."""
        detail = {"kind": self._config.kind, "id": entry.ids.get("container", "")[:12]}
        try:
            with engine.open_engine() as client:
                alive, error = _condition(client, entry)
        except ExposerError as problem:  # the engine may be restarting; what it started may well run on
            alive = entry.process is not None and entry.process.alive()
            return Look(alive, False, error=problem.message, detail=detail)
        if alive and not error:
            error = self._complaint()
        return Look(alive, alive and not error, error=error, detail=detail)

    def broken(self, entry: Entry, seal: str) -> str:
        """What was changed from outside of the container and of its link; an engine that is away tells nothing."""
        if seal != CONTAINERS:
            return ""
        try:
            with engine.open_engine() as client:
                for what, one in (("the backend's container", entry), ("the link to it", link.of(entry))):
                    if found := containers.tampering(client, one):
                        return f"{what} was changed from outside: {found}"
        except ExposerError:
            pass
        return ""

    def beside(self, entry: Entry) -> list[str]:
        """At which addresses of this machine the engine passes calls on to it, past the gateway. An engine that is away
        tells nothing."""
        if self._config.also_open:
            return []
        try:
            with engine.open_engine() as client:
                container = containers.find(client, entry.ids.get("container", ""))
                if container is None:
                    return []
                alike = (container.attrs.get("HostConfig") or {}).get("NetworkMode") == "host"
                more = listening.beside(f"http://127.0.0.1:{self._config.port}") if alike else []
                return [*published(container.attrs), *more]
        except ExposerError:
            return []

    def adopt(self, entries: list[Entry]) -> Entry | None:
        """The newest entry with our digest whose container and link still run as they were started."""
        ours = [entry for entry in entries if entry.role == BACKEND and entry.digest == self.digest]
        if not ours:
            return None
        try:
            with engine.open_engine() as client:
                alive, error = _condition(client, ours[-1])
        except ExposerError:
            return None
        return ours[-1] if alive and not error else None

    def stop(self, entry: Entry) -> None:
        """Ends and removes what is ours: the link, and the backend with its network when we made them."""
        with engine.open_engine() as client:
            self._clear(client, STOP_PATIENCE)

    def logs(self, entry: Entry, lines: int = 100) -> str:
        """The last lines that the backend printed."""
        with engine.open_engine() as client:
            return containers.log_text(_found(client, entry), lines)

    def follow(self, entry: Entry) -> Iterator[str]:
        """What the backend prints from now on, as it comes, until it ends."""
        with engine.open_engine() as client:
            yield from containers.log_stream(_found(client, entry))

    def _making(self, tell: Tell) -> link.Making:
        return link.making(self._at.nginx_image, self._at.nginx_binary, tell)

    def _link(self, client: DockerClient, made_of: link.Making, target: str, record: Record) -> containers.Created:
        return link.create(
            client,
            made_of,
            name=self._at.name,
            target=target,
            port=self._config.port,
            runtime_dir=self._at.runtime_dir,
            digest=self.digest,
            record=record,
        )

    def _finish(
        self, client: DockerClient, entry: Entry, made: containers.Created, tell: Tell, secrets: list[Secret]
    ) -> Entry:
        """Links to the running container and waits until it is healthy: then its entry is whole."""
        try:
            linked = link.start(made)
        except Exception:  # it cannot join a container that has ended by now: then that is what to tell
            _raise_if_ended(client, entry, secrets)
            raise
        tell("the backend's container runs; waiting until it is healthy")
        self._await(client, entry, secrets)
        detail = {"kind": self._config.kind, "upstream": self.upstream, "link": link.known(linked)}
        return Entry(BACKEND, entry.process, entry.ids, self.digest, {**entry.detail, **detail})

    def _await(self, client: DockerClient, entry: Entry, secrets: list[Secret]) -> None:
        def dead() -> bool:
            return _ended(containers.find(client, entry.ids["container"]))

        complaint = health.await_healthy(self._complaint, dead, self._config.start_timeout)
        _raise_if_ended(client, entry, secrets)
        if complaint:
            text = containers.log_text(_found(client, entry), LOG_LINES)
            said = tail.last_lines(text, secrets, LAST_LINES, but=health.question(self._config))
            raise TimeoutExceededError(*health.never_healthy(self._config, complaint, said))

    def _clear(self, client: DockerClient, patience: int = 0) -> None:
        engine.remove_labelled(client, self._at.name, OURS, patience)
        Path(link.socket_path(self._at.runtime_dir)).unlink(missing_ok=True)

    def _complaint(self) -> str:
        return health.complaint(self._config, self.upstream, self._at.resolve)


def published(attrs: dict[str, Any]) -> list[str]:
    """The addresses outside this machine's loopback at which a container publishes ports."""
    ports = (attrs.get("NetworkSettings") or {}).get("Ports") or {}
    bindings = [binding for bound in ports.values() for binding in bound or ()]
    found = {(str(b.get("HostIp") or "0.0.0.0"), str(b.get("HostPort"))) for b in bindings}  # noqa: S104
    return sorted(f"{host}:{port}" for host, port in found if not host.startswith("127.") and host != "::1")


def _condition(client: DockerClient, entry: Entry) -> tuple[bool, str]:
    """Whether it is alive, and what is wrong with it apart from its answers."""
    container = containers.find(client, entry.ids.get("container", ""))
    if container is None:
        return False, "the backend's container is gone"
    if container.status == "paused":
        return True, "the backend's container is paused"
    if container.status != "running":
        return False, _how_it_ended(container)
    if not containers.same_run(entry, container):
        return False, "the backend's container was restarted from outside"
    if not link.alive(client, entry):  # nobody reaches it, and only a start makes a new link
        return False, "the link to the backend's container is gone"
    return True, ""


def _ended(container: Container | None) -> bool:
    return container is None or container.status in ("exited", "dead")


def _raise_if_ended(client: DockerClient, entry: Entry, secrets: list[Secret]) -> None:
    """Tells how a container died at its start, with its own last words."""
    container = containers.find(client, entry.ids["container"])
    if container is None:
        raise ExposerError("the backend's container was removed from outside while it started")
    if not _ended(container):
        return
    said = tail.last_lines(containers.log_text(container, LAST_LINES), secrets, LAST_LINES)
    hint = "raise backend.memory" if container.attrs["State"].get("OOMKilled") else ""
    raise ExposerError(_how_it_ended(container) + health.last_words(said), hint)


def _how_it_ended(container: Container) -> str:
    state = container.attrs["State"]
    why = str(state.get("Error") or "") or ("it ran out of memory" if state.get("OOMKilled") else "")
    return f"the backend's container ended with exit code {state.get('ExitCode')}" + (f" ({why})" if why else "")


def _found(client: DockerClient, entry: Entry) -> Container:
    container = containers.find(client, entry.ids.get("container", ""))
    if container is None:
        raise MissingError("the backend's container is gone, and its log with it")
    return container
