"""How long a short command takes to start: against Python that starts and does nothing."""

import re
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from statistics import median

from scripts.benchmarks import measure
from scripts.benchmarks.measure import EXPOSER, HERE, Cost, Figure, Goal, ratio, say
from scripts.benchmarks.trial import command_config, trial

BARE = "python -I -S -c pass"
LIMIT, PANIC_LIMIT = 6.0, 3.0  # 60 ms, and 30 for the kill switch, where python takes 10
MORE_ROUNDS = 3  # these are short, so each round counts as several
OFFENDERS = 8


def run(rounds: int) -> list[Figure]:
    say("startup: short commands")
    rounds *= MORE_ROUNDS
    with trial(command_config()) as running, trial(command_config()) as offline:
        running.up()
        commands = {
            BARE: ([sys.executable, "-I", "-S", "-c", "pass"], offline.env),
            "exposer --help": ([EXPOSER, "--help"], offline.env),
            "exposer status, offline": ([EXPOSER, "status"], offline.env),
            "exposer status, running": ([EXPOSER, "status"], running.env),
            "exposer panic --help": ([EXPOSER, "panic", "--help"], offline.env),
        }
        variants = {name: partial(measure.command, argv, env) for name, (argv, env) in commands.items()}
        found = figure(measure.alternate(variants, rounds, warm=2), rounds)
        for goal in found.goals:
            if not goal.reached:
                argv, env = commands[goal.what]
                found.notes += [f"what {goal.what} spends on imports (µs):", *offenders(argv, env)]
    return [found]


def figure(taken: Mapping[str, list[Cost]], rounds: int) -> Figure:
    wall = {name: [cost.wall for cost in costs] for name, costs in taken.items()}
    cpu = {name: [cost.cpu for cost in costs] for name, costs in taken.items()}
    rows = [
        (
            name,
            f"{median(wall[name]):.1f}",
            f"{median(cpu[name]):.1f}",
            f"{ratio(wall[name], wall[BARE]):.2f}",
            f"{ratio(cpu[name], cpu[BARE]):.2f}",
        )
        for name in taken
    ]
    goals = [
        Goal(name, ratio(wall[name], wall[BARE]), PANIC_LIMIT if "panic" in name else LIMIT)
        for name in taken
        if name != BARE
    ]
    heads = ("", "ms", "CPU ms", "against python", "in CPU")
    data = {"wall_ms": wall, "cpu_ms": cpu}
    return Figure("startup: short commands", rounds, heads, rows, goals, data={"samples": data})


def offenders(argv: list[str], env: dict[str, str]) -> list[str]:
    """The modules that cost most by themselves."""
    said = subprocess.run(
        [sys.executable, "-X", "importtime", *argv], env=env, capture_output=True, text=True, check=True, cwd=HERE
    ).stderr
    found = re.findall(r"^import time:\s+(\d+) \|\s+\d+ \|\s*(\S+)$", said, re.MULTILINE)
    return [f"  {cost:>7}  {name}" for cost, name in sorted(found, key=lambda line: -int(line[0]))[:OFFENDERS]]
