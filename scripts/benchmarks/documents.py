"""From real documents to what is published: every document for every client, how large, how clean, how long it took."""

import json
import math
import os
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression
from typing import Any

from exposer.config.model import Schema
from exposer.openapi.checks import conforms
from exposer.openapi.fit import CLIENTS, offered
from exposer.openapi.model import Document, Operation, Publication
from exposer.openapi.operations import operations
from exposer.openapi.profiles import load_profiles
from exposer.openapi.publish import publish
from exposer.openapi.read import read
from exposer.openapi.select import choose
from scripts.benchmarks.measure import HERE, Figure, Goal, MissingError, command, environment, say

FOLDER = Path(os.environ.get("EXPOSER_TEST_DATA") or HERE.parent / "shared" / "data" / "openapi")
SPLIT = "audiobookshelf-split/docs/root.yaml"
LARGEST, WELINK = "github.json", "welink.json"
MOST_ROUNDS = 3
KILO = 1000


@dataclass(frozen=True)
class Row:
    """One document for one client: the operations that are published by default, and all that the client can call."""

    name: str
    client: str
    size: int
    total: int
    offered: Publication
    everything: Publication
    refused: int
    invalid: int
    seconds: float

    @property
    def per_mb(self) -> float:
        return self.seconds / (self.size / KILO**2)

    def cells(self) -> tuple[str, ...]:
        out = self.offered
        return (
            f"{self.name} for {self.client}",
            f"{self.total}",
            f"{len(out.operations)}",
            f"{sum(len(pack.text.encode()) for pack in out.packs):,}",
            f"{len(out.findings)}",
            f"{len(self.everything.operations)}",
            f"{len(self.everything.packs)}",
            f"{sum(len(pack.text.encode()) for pack in self.everything.packs):,}",
            f"{self.refused + self.invalid}",
            f"{self.seconds:.3f}",
            f"{self.per_mb:.2f}",
        )


HEADS = (
    "document",
    "operations",
    "published",
    "bytes",
    "findings",
    "callable",
    "packs",
    "bytes",
    "refused",
    "seconds",
    "s/MB",
)


def run(rounds: int) -> list[Figure]:
    if not FOLDER.is_dir():
        raise MissingError("the folder with real documents is missing: set EXPOSER_TEST_DATA to it")
    rounds = min(rounds, MOST_ROUNDS)
    rows = [row for name in names() for row in rows_of(name, rounds)]
    clean = sum(row.refused + row.invalid for row in rows)
    goals = [
        Goal("documents that are skipped", float(len(names()) * len(CLIENTS) - len(rows)), 0),
        Goal("what an importer or the validator refuses", float(clean), 0),
        Goal("growth: seconds by size, as a power", growth(rows), 1.0),
        *(Goal(f"seconds for {name}", slowest(rows, name), limit) for name, limit in ((LARGEST, 5.0), (WELINK, 0.1))),
        Goal(f"megabytes of memory for {LARGEST}", memory(LARGEST), 600),
    ]
    notes = [
        "published, bytes, findings, seconds: what goes out by default, from reading on; the best of the rounds",
        "callable, packs, bytes: all operations of the document, as far as the client can call them",
        "refused: by the rules known of the importer, or (what goes out by default) by openapi-spec-validator",
    ]
    data = {"rows": [dict(zip(("document", *HEADS[1:]), row.cells(), strict=True)) for row in rows]}
    return [Figure("Documents for four clients", rounds, HEADS, [row.cells() for row in rows], goals, notes, data)]


def names() -> list[str]:
    found = sorted(path.name for path in FOLDER.glob("*.*"))
    return [*found, SPLIT] if (FOLDER / SPLIT).is_file() else found


def rows_of(name: str, rounds: int) -> list[Row]:
    say(f"documents: {name}")
    return [row(name, client, rounds) for client in CLIENTS]


def row(name: str, client: str, rounds: int) -> Row:
    taken: list[float] = []
    for _ in range(rounds):
        begun = time.perf_counter()
        document = load(name)
        out = published(document, chosen(document, client), client)
        taken.append(time.perf_counter() - begun)
    ops = operations(document)
    everything = published(document, ops, client)
    packs = (*out.packs, *everything.packs)
    return Row(
        name,
        client,
        size(name),
        len(ops),
        out,
        everything,
        sum(len(conforms(pack.text, client)) for pack in packs if pack.operations),
        sum(not valid(pack.text, client) for pack in out.packs),
        min(taken),
    )


def size(name: str) -> int:
    """In bytes, with all the files of a split document."""
    path = FOLDER / name
    return sum(f.stat().st_size for f in path.parent.rglob("*.yaml")) if name == SPLIT else path.stat().st_size


def load(name: str) -> Document:
    return read(f"file:{FOLDER / name}", "", headers={})


def chosen(document: Document, client: str) -> tuple[Operation, ...]:
    ops = operations(document)
    offer = offered(document, ops, client=client, header="X-API-Key")
    unfit: Mapping[tuple[str, str], str] = {(op.method, op.path): why for op, why in offer.dropped}
    choices = choose(document, ops, Schema(client=client), profiles=load_profiles(), unfit=unfit)
    return tuple(choice.operation for choice in choices if choice.published)


def published(document: Document, ops: tuple[Operation, ...], client: str) -> Publication:
    more: dict[str, Any] = {"public_url": "https://x.example", "auth_methods": ("api-key",), "header": "X-API-Key"}
    return publish(document, ops, client=client, title="API", **more)


def valid(text: str, client: str) -> bool:
    """In the eyes of a validator that is not ours; nobody wrote one for lists of tools."""
    from openapi_spec_validator import validate

    if client == "mcp":
        return True
    try:
        validate(json.loads(text))
    except Exception:
        return False
    return True


def slowest(rows: list[Row], name: str) -> float:
    return max((row.seconds for row in rows if row.name == name), default=0.0)


def growth(rows: list[Row]) -> float:
    """The power of the size with which the time grows, over all documents: 1 is linear."""
    large = [row for row in rows if row.size > 50 * KILO]
    sizes, seconds = [math.log(row.size) for row in large], [math.log(row.seconds) for row in large]
    return linear_regression(sizes, seconds).slope


def memory(name: str) -> float:
    """The most that a process of its own needs for one document, in megabytes."""
    if not (FOLDER / name).is_file():
        return 0.0
    with tempfile.NamedTemporaryFile("r") as said:
        command([sys.executable, "-m", "scripts.benchmarks.documents", name], environment(), log=said.name)
        return float(said.read())


def main() -> None:
    """What `memory` runs: one document, then the most that this process needed."""
    one = load(sys.argv[1])
    published(one, chosen(one, "gpt-action"), "gpt-action")
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(used / (1024**2 if sys.platform == "darwin" else 1024))


if __name__ == "__main__":
    main()
