"""The link: a small nginx in the backend's own network namespace, reachable by a unix socket only.

The host has no route to the backend's network, and the backend none to the host; the socket's folder is
all that both see. A backend that listens on its own loopback only is reached as well.
"""

import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exposer import files, procs, render
from exposer.engine import client as engine
from exposer.engine import container as containers
from exposer.engine import image as images
from exposer.errors import ExposerError
from exposer.procs import Entry

if TYPE_CHECKING:
    from docker import DockerClient

ROLE = "link"
SOCKET = "backend.sock"
TEMPLATE = "nginx/link.conf"
WORKERS = ("www-data", "nginx", "_www", "nobody")  # as whom the gateway answers when it is started as root
APPEARS_WITHIN = 10.0


@dataclass(frozen=True)
class Making:
    """What a link is made of: an image with nginx, and how its container is run."""

    image: str
    runs_as: dict[str, Any]


def making(wanted: str, binary: str, tell: Callable[[str], None]) -> Making:
    """Finds it out; needs no backend yet. Raises MissingError."""
    with engine.open_engine() as client:
        return Making(images.nginx_image(client, wanted, binary, tell), containers.hardened(client))


def create(
    client: "DockerClient",
    made_of: Making,
    *,
    name: str,
    target: str,
    port: int,
    runtime_dir: str,
    digest: str,
    record: Callable[[Entry], None],
) -> containers.Created:
    """Makes the link to `port` of the container `target`, which need not run yet."""
    from docker.types import Mount

    runs_as = made_of.runs_as
    config = config_file(runtime_dir, render_config(port, root=str(runs_as["user"]).startswith("0:")))
    path = socket_path(runtime_dir)
    up = str(open_folder(Path(path).parent))
    Path(path).unlink(missing_ok=True)
    return containers.create(
        client,
        role=ROLE,
        name=name,
        image=made_of.image,
        record=record,
        digest=digest,
        entry_detail={"socket": path, "target": target},
        entrypoint=["nginx", "-c", "/etc/exposer-link.conf"],
        network_mode=f"container:{target}",
        mounts=[
            Mount("/up", up, type="bind"),
            Mount("/etc/exposer-link.conf", config, type="bind", read_only=True),
        ],
        **runs_as,
    )


def start(link: containers.Created) -> Entry:
    """Starts a link whose target runs; it answers when this returns."""
    entry = link.start()
    _await_socket(link.client, entry, str(entry.detail["socket"]))
    return entry


def known(entry: Entry) -> dict[str, Any]:
    """What the backend's entry keeps of its link."""
    return {"container": entry.ids["container"], **{key: entry.detail[key] for key in ("started_at", "seal")}}


def alive(client: "DockerClient", backend: Entry) -> bool:
    """Whether the very link that was started for a backend is still running."""
    return _runs(client, of(backend))


def of(backend: Entry) -> Entry:
    """The link that was started for a backend, as its entry keeps it."""
    kept = backend.detail.get("link") or {}
    return Entry(ROLE, None, {"container": str(kept.get("container", ""))}, detail=kept)


def socket_path(runtime_dir: str) -> str:
    """Where the gateway finds the backend."""
    return str(Path(runtime_dir) / "gateway" / "up" / SOCKET)


def warm_up() -> None:
    """Has the template compiled before it is needed."""
    render.environment().get_template(TEMPLATE)


def render_config(port: int, *, root: bool) -> str:
    """The link's nginx config."""
    return render.environment().get_template(TEMPLATE).render(port=port, root=root, socket=SOCKET)


def config_file(runtime_dir: str, text: str) -> str:
    """Puts the link's config where only we can read it."""
    path = Path(files.private_dir(str(Path(runtime_dir) / "link"))) / "nginx.conf"
    files.swap(str(path), text.encode(), lasting=False)
    return str(path)


def open_folder(up: Path) -> Path:
    """The socket's folder. When we are root, unprivileged workers may pass through it, not look into it."""
    files.private_dir(str(up.parent.parent))
    up.parent.mkdir(0o700, exist_ok=True)  # the gateway's, which may be made ready at this very moment
    up.mkdir(0o700, exist_ok=True)
    group = worker_group() if os.geteuid() == 0 else None
    if group is not None:
        os.chown(up, 0, group)
        up.chmod(0o710)
    return up


def worker_group() -> int | None:
    """The group of an nginx worker on this system, by the usual names."""
    for name in WORKERS:
        try:
            return pwd.getpwnam(name).pw_gid
        except KeyError:
            continue
    return None


def _await_socket(client: "DockerClient", entry: Entry, path: str) -> None:
    """The socket is there before anybody is told of it."""
    running = [True]

    def settled() -> bool:
        appeared = Path(path).exists()  # before it is asked whether it runs: both must be so
        running[0] = _runs(client, entry)
        return not running[0] or appeared

    there = procs.wait_until(settled, APPEARS_WITHIN, every=0.01)
    if there and running[0]:
        return
    container = containers.find(client, entry.ids["container"])
    said = containers.log_text(container, 5).strip() if container is not None else ""
    if not running[0]:
        raise ExposerError(f"the link to the backend's container does not start: {said or 'it says nothing'}")
    raise ExposerError(
        f"the link to the backend runs, but its socket does not appear at {path}",
        "is the engine on another machine, or in a virtual machine? It must share this machine's files",
    )


def _runs(client: "DockerClient", link: Entry) -> bool:
    container = containers.find(client, link.ids["container"])
    return container is not None and container.status == "running" and containers.same_run(link, container)
