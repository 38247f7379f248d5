"""A backend that we run: an image, or a folder that is built first, in a network of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exposer.backends import gate, health, setting
from exposer.backends.linked import NETWORK, STOP_PATIENCE, Linked
from exposer.engine import client as engine
from exposer.engine import container as containers
from exposer.engine import image as images
from exposer.errors import MissingError
from exposer.procs import Entry
from exposer.state.model import BACKEND, Record, Tell

if TYPE_CHECKING:
    from docker import DockerClient

# With the loopback of the container as its only name server there is nobody to ask for outside names.
# An engine before 23.0.11 would forward them even out of an internal network (CVE-2024-29018). It fails soon.
NO_NAMES = {"dns": ["127.0.0.1"], "dns_opt": ["timeout:1", "attempts:1"]}


class DockerBackend(Linked):
    """No port is published. Without `internet` it reaches neither the outside nor this machine's services."""

    def start(self, record: Record, tell: Tell) -> Entry:
        """Runs it and waits until it is healthy; after an error nothing of it is left."""
        volumes = checked_volumes(self._config.volumes)
        clear, secret = setting.environment(self._config, self._at.resolve)
        hidden = health.secrets_of(self._config, self._at.resolve, secret)
        with engine.open_engine() as client:
            self._clear(client, STOP_PATIENCE)  # left behind by a crash
            image = self._image(client, tell)
            try:
                gated = gate.arguments(client, image, self._at.name, secret)
                with ThreadPoolExecutor(2) as aside:  # all of it has ended before anything is cleared away
                    made_of = aside.submit(self._making, tell)
                    made = self._create(client, image, record, environment=clear, volumes=volumes, **gated)
                    started = aside.submit(made.start)
                    try:
                        linked = self._link(client, made_of.result(), made.entry.ids["container"], record)
                    finally:
                        entry = started.result()  # when that has failed, it is the reason for the other
                return self._finish(client, entry, linked, tell, hidden)
            except BaseException:
                self._clear(client)
                raise

    def _create(
        self, client: DockerClient, image: str, record: Record, *, volumes: list[str], **more: Any
    ) -> containers.Created:
        network = self._network(client, record)
        return containers.create(
            client,
            role=BACKEND,
            name=self._at.name,
            image=image,
            record=record,
            digest=self.digest,
            ids={"network": network},
            entry_detail={"kind": self._config.kind, "volumes": volumes},
            volumes=volumes,
            network=network,
            **self._limits(),
            **more,
        )

    def _image(self, client: DockerClient, tell: Tell) -> str:
        if self._config.kind == "image":
            return images.ensure(client, self._config.image, tell)
        return images.build(client, self._config.build, f"exposer-{self._at.name}:built", tell)

    def _network(self, client: DockerClient, record: Record) -> str:
        """A network for this backend alone. Without internet it is internal, and this machine's end of it has
        no address: otherwise every service here that listens on all addresses would be within reach."""
        closed = not self._config.internet
        network = client.networks.create(
            f"exposer-{self._at.name}-{engine.suffix()}",
            driver="bridge",
            internal=closed,
            options={"com.docker.network.bridge.inhibit_ipv4": "true"} if closed else None,
            labels=engine.labels(self._at.name, NETWORK),
        )
        record(Entry(NETWORK, None, {"network": str(network.id)}, self.digest))
        return str(network.id)

    def _limits(self) -> dict[str, Any]:
        return {
            "security_opt": ["no-new-privileges:true"],
            "cap_drop": ["NET_RAW"],
            "mem_limit": self._config.memory,
            "memswap_limit": self._config.memory,
            "pids_limit": self._config.pids,
            **({} if self._config.internet else NO_NAMES),
        }


def checked_volumes(volumes: tuple[str, ...]) -> list[str]:
    """The volumes as the engine takes them. It would make a missing folder, as root: that is refused."""
    for volume in volumes:
        source = volume.split(":", 1)[0]
        if source.startswith("/") and not Path(source).exists():
            raise MissingError(f"backend.volumes: {source} does not exist", "make it, or mend the path")
    return list(volumes)
