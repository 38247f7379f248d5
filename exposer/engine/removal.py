"""Removes single objects of ours from the engine; what does not carry our labels is never touched."""

import os
from collections.abc import Mapping
from contextlib import suppress

from exposer.engine.client import HOME, home, open_engine, remove_container, remove_network


def reachable() -> bool:
    """Whether there is an engine to ask at all; costs no import and no request."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    return not host.startswith("unix://") or os.path.exists(host.removeprefix("unix://"))


def remove(ids: Mapping[str, str]) -> None:
    """Removes the container and the network that a ledger entry names, if they are still there and ours. Somebody else
    may be doing the same."""
    from docker.errors import NotFound

    with open_engine() as client:
        if "container" in ids:
            with suppress(NotFound):
                container = client.containers.get(ids["container"])
                if container.labels.get(HOME) == home():
                    remove_container(container)
        if "network" in ids:
            with suppress(NotFound):
                network = client.networks.get(ids["network"])
                if (network.attrs.get("Labels") or {}).get(HOME) == home():
                    remove_network(network)
