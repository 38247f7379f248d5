"""Removes single objects of ours from the engine; what does not carry our labels is never touched."""

import os
from collections.abc import Mapping
from contextlib import suppress

from exposer.engine.client import HOME, home, open_engine


def reachable() -> bool:
    """Whether there is an engine to ask at all; costs no import and no request."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    return not host.startswith("unix://") or os.path.exists(host.removeprefix("unix://"))


def remove(ids: Mapping[str, str]) -> None:
    """Removes the container and the network that a ledger entry names, if they are still there and ours."""
    from docker.errors import NotFound

    with open_engine() as client:
        for kind, collection in (("container", client.containers), ("network", client.networks)):
            if kind not in ids:
                continue
            with suppress(NotFound):
                found = collection.get(ids[kind])
                labels = found.attrs.get("Labels") or found.attrs.get("Config", {}).get("Labels") or {}
                if labels.get(HOME) == home():
                    found.remove(**({"force": True, "v": True} if kind == "container" else {}))
