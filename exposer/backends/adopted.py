"""A backend in a container that somebody else runs: it gets a link, and is never stopped or changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from exposer.backends import health
from exposer.backends.linked import Linked, published
from exposer.engine import client as engine
from exposer.engine import container as containers
from exposer.engine.seal import seal
from exposer.errors import MissingError
from exposer.procs import Entry
from exposer.state.model import BACKEND, Record, Tell

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container


class AdoptedBackend(Linked):
    """Its image, its networks and its restarts are its owner's business, but another one in its place is noticed."""

    _seal: Mapping[str, list[str]] | None = None

    def adopt(self, entries: list[Entry]) -> Entry | None:
        """As all backends in containers; what is known of one that is not there any more counts for its successor."""
        found = super().adopt(entries)
        known = [entry.detail["seal"] for entry in entries if entry.digest == self.digest and "seal" in entry.detail]
        self._seal = known[-1] if known else self._seal
        return found

    def start(self, record: Record, tell: Tell) -> Entry:
        """Links to the running container and waits until it is healthy; after an error the link is gone."""
        hidden = health.secrets_of(self._config, self._at.resolve, {})
        with engine.open_engine() as client:
            self._clear(client)
            container = running(client, self._config.container)
            for address in published(container.attrs):
                tell(f"warning: {self._config.container} is also reachable past the gateway, at {address}")
            self._seal = self._seal or seal(container.attrs)
            started = {"kind": "container", "started_at": containers.started_at(container), "seal": self._seal}
            ids = {"container": str(container.id)}
            entry = Entry(BACKEND, containers.identity(container), ids, self.digest, started)
            try:
                record(entry)
                made = self._link(client, self._making(tell), entry.ids["container"], record)
                return self._finish(client, entry, made, tell, hidden)
            except BaseException:
                self._clear(client)
                raise


def running(client: DockerClient, reference: str) -> Container:
    """The running container of that name or id. Raises MissingError."""
    container = containers.find(client, reference)
    if container is None:
        raise MissingError(f"there is no container {reference}", "`docker ps` lists those that run")
    if container.status != "running":
        raise MissingError(
            f"the container {reference} does not run (it is {container.status})",
            f"`docker start {reference}`",
        )
    return container
