"""How good the verdicts on operations are: against labels made by hand, a third of which the rules never saw."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from exposer.openapi.model import Document, Level, Operation, Verdict
from exposer.openapi.operations import operations
from exposer.openapi.read import read
from exposer.openapi.risk import verdicts
from scripts.benchmarks.measure import HERE, Figure, Goal, MissingError, say

DATA = Path(os.environ.get("EXPOSER_TEST_DATA") or HERE.parent / "shared" / "data" / "openapi")
LABELS = HERE / "tests" / "data" / "labels"
# The document that each file of labels speaks of.
DOCUMENTS = {
    "audiobookshelf": "audiobookshelf-split/docs/openapi.json",
    "chatgpt-retrieval-plugin": "chatgpt-retrieval-plugin.yaml",
    "frigate": "frigate.yaml",
    "github": "github.json",
    "gotify": "gotify.json",
    "grafana": "grafana-3.0.json",
    "homebox": "homebox-3.0.json",
    "immich": "immich.json",
    "mealie": "mealie.json",
    "moby": "moby.yaml",
    "prometheus": "prometheus-3.2.yaml",
    "radarr": "radarr.json",
    "stripe": "stripe-2022.json",
    "vikunja": "vikunja.yaml",
    "welink": "welink.json",
}
RECALL, KEPT = 0.98, 0.9


@dataclass(frozen=True)
class Label:
    """What a person says of an operation: safe, caution or danger. A third is held out by a hash of the call."""

    method: str
    path: str
    said: str
    note: str

    @property
    def held_out(self) -> bool:
        return hashlib.sha256(f"{self.method} {self.path}".encode()).digest()[0] % 3 == 0


@dataclass(frozen=True)
class Judged:
    """A label and the verdict on the same operation."""

    document: str
    label: Label
    verdict: Verdict


@dataclass(frozen=True)
class Score:
    """`recall`: the share of the dangerous that were found, `of_reads` of those that are GETs: most others are found by
    their method alone. `kept`: the share of the harmless that were not barred.
    `precision`: the share of those barred that are dangerous, debatable ones left aside."""

    operations: int
    recall: float
    of_reads: float
    kept: float
    precision: float


def run(rounds: int) -> list[Figure]:
    """The figures for `scripts/bench`. They do not depend on the machine, so one round is enough."""
    if not DATA.is_dir():
        raise MissingError("the folder with real documents is missing: set EXPOSER_TEST_DATA to it")
    say("risk: reading the documents")
    return [agreement(list(judged())), counts()]


def agreement(all_judged: list[Judged]) -> Figure:
    sets = {
        "seen while tuning": [each for each in all_judged if not each.label.held_out],
        "held out": [each for each in all_judged if each.label.held_out],
        "all": all_judged,
    }
    scores = {name: score(found) for name, found in sets.items()}
    goals = [
        goal
        for name in ("held out", "all")
        for goal in (
            Goal(f"dangerous ones found, {name}", scores[name].recall, RECALL, least=True),
            Goal(f"harmless reads kept, {name}", scores[name].kept, KEPT, least=True),
        )
    ]
    levels = Counter(each.verdict.level.name for each in all_judged if each.label.said == "caution")
    return Figure(
        title=f"risk: verdicts against {len(all_judged)} labels from {len(DOCUMENTS)} documents",
        rounds=1,
        heads=("labels", "operations", "dangerous found", "among GETs", "harmless kept", "barred rightly"),
        rows=[
            (name, f"{s.operations}", *(f"{share:.3f}" for share in (s.recall, s.of_reads, s.kept, s.precision)))
            for name, s in scores.items()
        ],
        goals=goals,
        notes=["debatable ones: " + ", ".join(f"{levels[level.name]} {level.name.lower()}" for level in Level)],
        data={"scores": {name: vars(s) for name, s in scores.items()}},
    )


def score(found: list[Judged]) -> Score:
    reads = [each.verdict.level for each in found if each.label.said == "danger" and each.label.method == "GET"]
    dangerous = [each.verdict.level for each in found if each.label.said == "danger"]
    harmless = [each.verdict.level for each in found if each.label.said == "safe"]
    caught, barred = dangerous.count(Level.DANGER), harmless.count(Level.DANGER)
    return Score(
        operations=len(found),
        recall=caught / max(1, len(dangerous)),
        of_reads=reads.count(Level.DANGER) / max(1, len(reads)),
        kept=1 - barred / max(1, len(harmless)),
        precision=caught / max(1, caught + barred),
    )


def judged() -> Iterator[Judged]:
    """Every label with its verdict; a label whose operation is gone is an error."""
    for name in DOCUMENTS:
        verdict_of = {(op.method, op.path): verdict for op, verdict in verdicts_of(name)[1]}
        for label in labels(name):
            yield Judged(name, label, verdict_of[label.method, label.path])


def labels(name: str) -> list[Label]:
    lines = (LABELS / f"{name}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return [Label(*line.split("\t")) for line in lines]


def verdicts_of(name: str) -> tuple[Document, list[tuple[Operation, Verdict]]]:
    document = read(f"file:{DATA / DOCUMENTS[name]}", "", headers={})
    found = operations(document)
    return document, list(zip(found, verdicts(document, found), strict=True))


def counts() -> Figure:
    """How many operations of each document are safe, ask for caution, or are dangerous."""
    rows, data = [], {}
    for name in DOCUMENTS:
        found = verdicts_of(name)[1]
        reads = Counter(verdict.level for op, verdict in found if op.method == "GET")
        others = Counter(verdict.level for op, verdict in found if op.method != "GET")
        cells = [*(reads[level] for level in Level), *(others[level] for level in Level)]
        rows.append((name, f"{len(found)}", *map(str, cells)))
        data[name] = cells
    heads = ("document", "operations", "GET safe", "caution", "danger", "other safe", "caution", "danger")
    return Figure("risk: verdicts by document", 1, heads, rows, data={"verdicts": data})
