"""How long `exposer up -d` takes, against the bare sum: the backend, nginx, and the first answer through it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from scripts.benchmarks import bare, measure
from scripts.benchmarks.measure import HERE, Figure, Goal, ratio, say
from scripts.benchmarks.trial import Trial, command_config, trial
from tests.support.ports import free_port

LIMIT = 1.5
PROCESS, AUTO, COMMAND = "exposer up, engine process", "exposer up, engine auto", "exposer up, a program"
BARE_IMAGE, BARE_COMMAND = "docker run + nginx", "the program + nginx"
# The steps of an `up`, each with the event that ends it.
STEPS = (
    ("until the supervisor's loop turns", ("phase", "")),
    ("backend", ("started", "backend")),
    ("document read", ("document", "")),
    ("gateway", ("started", "gateway")),
    ("tunnel", ("started", "tunnel")),
    ("document written", ("published", "")),
    ("asked from outside", ("checked", "")),
)
AFTER = "until the command returns"


@dataclass
class Start:
    """One start, in milliseconds; `steps` are its parts."""

    total: float
    steps: dict[str, float] = field(default_factory=dict)


def run(rounds: int) -> list[Figure]:
    say("up: a program as the backend")
    figures = [program(rounds)]
    if problem := no_docker():
        say(f"up: with Docker skipped, {problem}")
    else:
        say("up: an image as the backend")
        figures.append(image(rounds))
    return figures


def program(rounds: int) -> Figure:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="exposer-bench-")))
        ours = stack.enter_context(trial(command_config()))
        taken = measure.alternate({COMMAND: partial(up, ours), BARE_COMMAND: partial(bare_program, folder)}, rounds)
    return figure("up: a program as the backend", taken, BARE_COMMAND, rounds)


def image(rounds: int) -> Figure:
    from tests.support.images import server_image

    tag = server_image()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="exposer-bench-")))
        process, auto = (stack.enter_context(trial(image_config(tag, engine))) for engine in ("process", "auto"))
        variants = {
            PROCESS: partial(up, process),
            AUTO: partial(up, auto),
            BARE_IMAGE: partial(bare_image, folder, tag),
        }
        taken = measure.alternate(variants, rounds)
    return figure("up: an image as the backend", taken, BARE_IMAGE, rounds)


def image_config(tag: str, engine: str) -> str:
    return f"""
engine = "{engine}"
[backend]
image = "{tag}"
port = 8080
health = "/health"
[tunnel]
provider = "local"
[schema]
include = ["GET /request"]
"""


def up(ours: Trial) -> Start:
    """From the command to its return; what it did is asked of the journal. Taken down again off the clock."""
    begun = time.time()
    cost = ours.time("up", "-d", "--quiet")
    steps = dict(split(ours, begun, begun + cost.wall / 1000))
    ours.down()
    return Start(cost.wall, steps)


def split(ours: Trial, begun: float, ended: float) -> Iterable[tuple[str, float]]:
    ends = {
        (kind, str(data.get("role", "")) if kind == "started" else ""): at for at, kind, data in reversed(ours.events())
    }
    before = begun
    for name, event in sorted(STEPS, key=lambda step: ends.get(step[1], 0.0)):  # some go on at the same time
        if event in ends:
            yield name, (ends[event] - before) * 1000
            before = ends[event]
    yield AFTER, (ended - before) * 1000


def bare_program(folder: Path) -> Start:
    """What a person would start by hand: the program, then nginx, then asks until it answers."""
    port, front = free_port(), free_port()
    argv = bare.write(folder / "nginx", bare.PLAIN.format(port=front, backend=f"127.0.0.1:{port}"))
    begun = time.monotonic()
    backend = measure.start(
        [sys.executable, str(HERE / "scripts" / "sample_backend.py")], measure.environment(PORT=str(port))
    )
    nginx = measure.start(argv, measure.environment(), log=str(folder / "out"))
    try:
        bare.await_answer(front, "/health", 200)
        return Start((time.monotonic() - begun) * 1000)
    finally:
        measure.end(nginx)
        measure.end(backend)


def bare_image(folder: Path, tag: str) -> Start:
    """`docker run -d`, then nginx until its first 200. Finding out the container's address is not counted."""
    name = f"exposer-bench-{os.urandom(3).hex()}"
    begun = time.monotonic()
    docker("run", "-d", "--name", name, tag)
    took = time.monotonic() - begun
    try:
        address = docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name)
        front = free_port()
        argv = bare.write(folder / "nginx", bare.PLAIN.format(port=front, backend=f"{address}:8080"))
        begun = time.monotonic()
        nginx = measure.start(argv, measure.environment(), log=str(folder / "out"))
        try:
            bare.await_answer(front, "/health", 200)
            return Start((took + time.monotonic() - begun) * 1000)
        finally:
            measure.end(nginx)
    finally:
        docker("rm", "-f", name)


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout.strip()


def no_docker() -> str:
    """Why Docker cannot be used, or ""."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    runs = subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0
    return "" if runs else "no Docker engine runs"


def figure(title: str, taken: Mapping[str, list[Start]], bare_name: str, rounds: int) -> Figure:
    total = {name: [start.total for start in starts] for name, starts in taken.items()}
    rows = [(name, f"{median(times):.0f}", f"{ratio(times, total[bare_name]):.2f}") for name, times in total.items()]
    goals = [
        Goal(f"{name}, against {bare_name}", ratio(total[name], total[bare_name]), LIMIT)
        for name in total
        if bare_name == BARE_IMAGE != name  # a program starts quicker than Python does: there is no goal for it
    ]
    first = next(iter(taken))
    steps = {
        step: median(start.steps.get(step, 0.0) for start in taken[first])
        for step in (*(name for name, _ in STEPS), AFTER)
    }
    notes = [f"where the time of '{first}' goes (ms):", *(f"  {lasted:7.0f}  {step}" for step, lasted in steps.items())]
    heads = ("", "ms", "against bare")
    return Figure(title, rounds, heads, rows, goals, notes, {"total_ms": total, "steps_ms": steps})
