"""An exposure's folders and secrets for backend tests, and a look at what the engine holds of it."""

import functools
import json
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exposer import files, wire
from exposer.backends import Part, make
from exposer.config.model import Backend, SecretRef
from exposer.errors import MissingError
from exposer.procs import Entry
from exposer.secret import Secret


class Stage:
    """One exposure of a name of its own. `told` and `ledger` collect what parts say and record."""

    def __init__(self, root: Path) -> None:
        self.name = f"t{uuid.uuid4().hex[:8]}"
        self.state = files.private_dir(str(root / "state" / self.name))
        self.runtime = files.private_dir(str(root / "run" / self.name))
        self.secrets: dict[str, str] = {}
        self.told: list[str] = []
        self.ledger: list[Entry] = []
        self.started: list[tuple[Part, Entry]] = []

    def resolve(self, ref: SecretRef) -> Secret:
        if ref.name not in self.secrets:
            raise MissingError(f"{ref} is not set")
        return Secret(self.secrets[ref.name])

    def part(self, **config: Any) -> Part:
        return make(
            Backend(**{"port": 8080, "start_timeout": 60.0, "health": "/health", **config}),
            name=self.name,
            state_dir=self.state,
            runtime_dir=self.runtime,
            resolve=self.resolve,
        )

    def start(self, **config: Any) -> tuple[Part, Entry]:
        part = self.part(**config)
        entry = part.start(self.ledger.append, self.told.append)
        self.started.append((part, entry))
        return part, entry

    def close(self) -> None:
        for part, entry in self.started:
            part.stop(entry)


def ask(
    entry: Entry,
    path: str,
    data: object = None,
    headers: Mapping[str, str] | None = None,
    method: str = "GET",
) -> Any:
    """What the test server answers, as values."""
    body = None if data is None else json.dumps(data).encode()
    answer = wire.request(
        entry.detail["upstream"],
        path,
        method=method,
        body=body,
        headers=headers,
        limit=20_000_000,
        timeout=30,
    )
    assert answer.status == 200, answer
    return json.loads(answer.body)


def docker(*words: str) -> str:
    """What the docker command says on its standard output and error."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False, timeout=120)
    return done.stdout + done.stderr


def inspect(thing: str) -> Any:
    return json.loads(subprocess.run(["docker", "inspect", thing], capture_output=True, check=True).stdout)[0]


def left_over(name: str) -> list[str]:
    """Every container and network of that exposure."""
    label = f"label=io.exposer.name={name}"
    found = docker("ps", "-aq", "--filter", label) + docker("network", "ls", "-q", "--filter", label)
    return found.split()


@functools.cache
def engine_runs() -> bool:
    """Whether there is a Docker engine that we may use."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
