"""What every figure needs: commands with their cost, variants taking turns, medians, goals, and how they are said."""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TypeVar

ROUNDS = 7
HERE = Path(__file__).resolve().parent.parent.parent
EXPOSER = str(Path(sys.executable).parent / "exposer")
T = TypeVar("T")


class MissingError(Exception):
    """Something that a benchmark needs is not on this machine."""


def say(text: str) -> None:
    """What is going on; standard output is for the figures."""
    print(text, file=sys.stderr, flush=True)


def environment(**more: str) -> dict[str, str]:
    """As on a machine in use: compiled modules are kept, and nothing of the caller's own exposures is touched."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EXPOSER_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept | more


@dataclass(frozen=True)
class Cost:
    """What one command took, in milliseconds. `cpu` is its own and that of children it waited for."""

    wall: float
    cpu: float


def command(argv: Sequence[str], env: Mapping[str, str], *, log: str = os.devnull) -> Cost:
    """Runs a command from the repository to its end. Raises RuntimeError when it fails."""
    begun = time.monotonic()
    child = start(argv, env, log=log)
    _, status, used = os.wait4(child, 0)
    took = time.monotonic() - begun
    if code := os.waitstatus_to_exitcode(status):
        said = "" if log == os.devnull else Path(log).read_text(errors="replace")
        raise RuntimeError(f"{' '.join(argv)} ended with {code}\n{said}")
    return Cost(took * 1000, (used.ru_utime + used.ru_stime) * 1000)


def start(argv: Sequence[str], env: Mapping[str, str], *, log: str = os.devnull, alone: bool = False) -> int:
    """Starts a command and returns its pid: the cheapest way there is, since we are part of the measured time.
    `alone` in a session of its own, as one that is typed in another terminal."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [(os.POSIX_SPAWN_OPEN, 1, log, flags, 0o600), (os.POSIX_SPAWN_DUP2, 1, 2)]
    return os.posix_spawnp(argv[0], list(argv), dict(env), file_actions=actions, setsid=alone)


def end(pid: int) -> None:
    """Ends a child of ours and collects it."""
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    os.waitpid(pid, 0)


def alternate(
    variants: Mapping[str, Callable[[], T]],
    rounds: int,
    warm: int = 1,
    sound: Callable[[Sequence[T]], bool] = lambda taken: True,
    spare: int = 0,
) -> dict[str, list[T]]:
    """Measures the variants in turns, another one first each time, so that a busy moment hits none of them alone.

    A round that is not `sound` is thrown away whole and made again, as long as there are rounds to spare.
    """
    names = list(variants)
    taken: dict[str, list[T]] = {name: [] for name in names}
    turn, tries = -warm, 0
    while turn < rounds:
        shift = tries % len(names)
        found = {name: variants[name]() for name in names[shift:] + names[:shift]}
        tries += 1
        if turn >= 0 and spare > 0 and not sound(list(found.values())):
            spare -= 1
            say("  a disturbed round, thrown away")
            continue
        if turn >= 0:
            for name, sample in found.items():
                taken[name].append(sample)
        turn += 1
        say(f"  round {turn} of {rounds}" if turn > 0 else "  warming up")
    return taken


def ratio(mine: Sequence[float], other: Sequence[float]) -> float:
    """The median of the rounds' own ratios: what slows a whole round down cancels out."""
    return median(a / b for a, b in zip(mine, other, strict=True))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least such a share of all does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-round(share * 1000) * len(ordered) // 1000) - 1)]


@dataclass(frozen=True)
class Goal:
    """What a figure should reach: at most `limit`, or with `least` at least that."""

    what: str
    value: float
    limit: float
    least: bool = False

    @property
    def reached(self) -> bool:
        return self.value >= self.limit if self.least else self.value <= self.limit

    def as_text(self) -> str:
        sign = ">=" if self.least else "<="
        return f"goal: {self.what} {sign} {self.limit:g}: {self.value:.2f}, {'reached' if self.reached else 'MISSED'}"


@dataclass
class Figure:
    """One table of results with the goals it is held against. `data` is for machines."""

    title: str
    rounds: int
    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    data: dict[str, object] = field(default_factory=dict)

    def as_text(self) -> str:
        return "\n".join(
            [
                f"{self.title} ({self.rounds} rounds)",
                *table(self.heads, self.rows),
                *(f"  {goal.as_text()}" for goal in self.goals),
                *(f"  {note}" for note in self.notes),
            ]
        )

    def as_dict(self) -> dict[str, object]:
        goals = [
            {"what": g.what, "value": round(g.value, 3), "limit": g.limit, "least": g.least, "reached": g.reached}
            for g in self.goals
        ]
        return {"title": self.title, "rounds": self.rounds, "goals": goals, "notes": self.notes, **self.data}


def table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Columns, the first to the left, figures to the right."""
    lines = [heads, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    return [
        "  "
        + line[0].ljust(widths[0])
        + "".join(f"  {cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True))
        for line in lines
    ]
