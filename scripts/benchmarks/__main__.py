"""`scripts/bench`: runs the benchmarks that are named, or all of them, and prints what came out."""

import argparse
import json
import os
import platform
import signal
import sys
from importlib import import_module

from scripts.benchmarks.measure import ROUNDS, Figure, MissingError, say

NAMES = (
    "startup",
    "gateway",
    "peers",
    "deployed",
    "journal",
    "rotation",
    "up",
    "address",
    "tunnel",
    "panic",
    "risk",
    "documents",
)
HOW = (
    "Every ratio comes from this one run: the variants take turns, the order rotates, a first round warms up and\n"
    "does not count. Figures are medians over the rounds; a ratio is the median of the rounds' own ratios."
)


def main() -> int:
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that whatever runs is ended first
    figures: list[Figure] = []
    for name in options.names or NAMES:
        try:
            figures += import_module(f"scripts.benchmarks.{name}").run(options.rounds)
        except MissingError as error:
            say(f"{name}: skipped, {error}")
    machine = about_the_machine()
    if options.json:
        print(json.dumps({"schema": 1, "machine": machine, "figures": [figure.as_dict() for figure in figures]}))
    else:
        print("\n\n".join((machine, HOW, *(figure.as_text() for figure in figures))))
    return 1 if any(goal.reached is False for figure in figures for goal in figure.goals) else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}; none means all")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each variant is measured")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")
    options = parser.parse_args()
    if wrong := [name for name in options.names if name not in NAMES]:
        parser.error(f"there is no benchmark {wrong[0]!r}; there are {', '.join(NAMES)}")
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


def about_the_machine() -> str:
    """In neutral words: enough to judge the figures by, nothing that names it."""
    cores = len(os.sched_getaffinity(0))
    return f"Machine: {cores} shared cores, {platform.system()}, Python {platform.python_version()}."


if __name__ == "__main__":
    sys.exit(main())
