"""Secrets for a container over its standard input: nothing of them is in its config, its argv or its log."""

import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exposer.engine import client as engine
from exposer.engine.image import make_tar, program_files
from exposer.errors import ConfigError, MissingError
from exposer.secret import Secret

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

# Reads an end marker, then assignments up to that marker, then becomes the program. Without the marker it
# ends: a container that somebody starts by hand gets no secrets and runs nothing.
SCRIPT = """set +xv
trap 'exit 1' TERM INT
unset exposer_end exposer_line exposer_all
IFS= read -r exposer_end || exit 1
while IFS= read -r exposer_line; do
if [ "$exposer_line" = "$exposer_end" ]; then
eval "$exposer_all" || exit 1
unset exposer_end exposer_line exposer_all
exec "$@" </dev/null
fi
exposer_all="$exposer_all$exposer_line
"
done
exit 1"""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
FOLDER = ".exposer"
OWN_SHELL = (f"/{FOLDER}/loader", "--library-path", f"/{FOLDER}", f"/{FOLDER}/sh")


def arguments(client: "DockerClient", image: str, name: str, secrets: Mapping[str, Secret]) -> dict[str, Any]:
    """What `container.run` needs so that the image's program gets its secrets. Without secrets: nothing.

    Raises ConfigError for an image that does not say what to run.
    """
    config = (client.images.get(image).attrs or {}).get("Config") or {}
    program = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]
    if not program:
        raise ConfigError("the image has neither ENTRYPOINT nor CMD: it does not say what to run")
    if not secrets:
        return {}
    stdin = assignments(secrets, os.urandom(16).hex())
    if has_shell(client, image, name):
        return {"entrypoint": entrypoint(program), "stdin": stdin}
    return {"entrypoint": entrypoint(program, OWN_SHELL), "stdin": stdin, "tar": own_shell()}


def has_shell(client: "DockerClient", image: str, name: str) -> bool:
    """Whether the image has a /bin/sh; found out with a container that is never started."""
    probe = client.containers.create(image, labels=engine.labels(name, "probe"))
    try:
        return _has(probe, "/bin/sh")
    finally:
        probe.remove(force=True, v=True)


def _has(container: "Container", path: str) -> bool:
    from docker.errors import NotFound

    try:
        chunks, stat = container.get_archive(path)
        list(chunks)  # read to the end, so that the connection is free again
    except NotFound:
        return False
    target = (stat or {}).get("linkTarget", "")
    return not target or target == path or _has(container, target)


def entrypoint(program: Sequence[str], shell: Sequence[str] = ("/bin/sh",)) -> list[str]:
    """What the container starts instead of its own program."""
    return [*shell, "-c", SCRIPT, "gate", *program]


def assignments(secrets: Mapping[str, Secret], marker: str) -> bytes:
    """What is written to the gate: the marker, shell-quoted assignments, the marker. Raises ConfigError."""
    lines = [marker]
    for name, secret in secrets.items():
        if not NAME.match(name):
            raise ConfigError(f"backend.env: {name!r} cannot name a secret variable", "use letters, digits and _")
        if "\0" in secret.reveal():
            raise ConfigError(f"backend.env.{name}: the secret has a NUL byte, which no variable can hold")
        lines.append(f"export {name}={shlex.quote(secret.reveal())}")
    return "\n".join([*lines, marker, ""]).encode("utf-8", "surrogateescape")


def own_shell() -> bytes:
    """A tar with this machine's shell, its libraries and their loader, for images that have no /bin/sh."""
    program = shutil.which("dash") or shutil.which("sh")
    if program is None or not Path("/proc/self").exists():
        raise _no_shell("and this machine's cannot be lent to it")
    files = program_files(Path(program).resolve())
    loader = [path for path in files if re.match(r"(ld-|ld64).*\.so", Path(path).name)]
    if len(loader) != 1:
        raise _no_shell(f"and the loader of this machine's {program} was not found")
    names = {path: Path(path).name for path in files} | {
        str(Path(program).resolve()).lstrip("/"): "sh",
        loader[0]: "loader",
    }
    return make_tar({f"{FOLDER}/{names[path]}": data for path, data in files.items()})


def _no_shell(why: str) -> MissingError:
    return MissingError(
        f"the image has no /bin/sh, which is needed to hand over the secrets of backend.env, {why}",
        "use an image with a shell, or let the program read its secret from a file in a volume",
    )
