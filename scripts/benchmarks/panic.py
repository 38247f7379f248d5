"""How long data goes on leaving after `exposer panic` was typed: over a real ssh tunnel and a link of a certain speed,
with a download, a stream of events and 32 callers in progress."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from exposer.procs import Ledger
from scripts.benchmarks import measure
from scripts.benchmarks.link import FAR, FarSshd, Link, link
from scripts.benchmarks.measure import EXPOSER, HERE, ROUNDS, Figure, Goal, percentile, say
from scripts.benchmarks.trial import Trial, command_config, trial
from scripts.benchmarks.up import no_docker

# Where a goal is held, and elsewhere: the p99 of fifty would be the longest one. Fewer when fewer rounds than usual are
# asked for, to try it out.
HELD, RUNS = 100, 50
FAST, SLOW = 25_000_000, 2_500_000
QUIET = 0.7  # nothing for so long after the command's return: then it was the last byte
CHOSEN = """[schema]
client = "openapi"
include = ["GET /download", "GET /events", "GET /small"]
[limits]
rate = "100000/min"
egress = "1000GB/h"
"""


@dataclass(frozen=True)
class Case:
    """One circumstance. `broken` is what does not work when panic is called; `limit` the goal for its p99 in ms, 0 for
    none: then it is measured and said."""

    name: str
    engine: str
    speed: int
    limit: float
    broken: str = ""


CASES = (
    Case("process, 25 MB/s", "process", FAST, 50),
    Case("process, 2.5 MB/s", "process", SLOW, 50),
    Case("process, supervisor hung", "process", FAST, 0, "supervisor"),
    Case("process, all cores busy", "process", FAST, 0, "cores"),
    Case("docker, 25 MB/s", "docker", FAST, 100),
    Case("docker, 2.5 MB/s", "docker", SLOW, 100),
    Case("docker, the engine hung", "docker", FAST, 0, "engine"),
)


@dataclass(frozen=True)
class Cut:
    """One panic, in milliseconds from the start of its process; `after` counts the bytes that still came."""

    last_byte: float
    returned: float
    local_proof: float
    after: int


def run(rounds: int) -> list[Figure]:
    docker = not no_docker()
    taken: dict[Case, list[Cut]] = {}
    for case in CASES:
        if case.engine == "docker" and not docker:
            continue
        say(f"panic: {case.name}")
        runs = HELD if case.limit else RUNS
        taken[case] = measure_case(case, rounds if rounds < ROUNDS else max(runs, rounds))
    return [figure(taken)]


def measure_case(case: Case, runs: int) -> list[Cut]:
    with ExitStack() as stack:
        way = stack.enter_context(link(case.speed))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="exposer-bench-ssh-")))
        server = stack.enter_context(FarSshd(folder, way))
        ours = stack.enter_context(trial(config(case, server)))
        cuts = []
        for number in range(-1, runs):  # the first one warms up
            cut = cut_once(ours, case, way, server)
            if number >= 0:
                cuts.append(cut)
                say(f"  run {number + 1} of {runs}: {cut.last_byte:.0f} ms")
        return cuts


def config(case: Case, server: FarSshd) -> str:
    text = command_config("benchmarks/download.py", extra=CHOSEN)
    tunnel = f"""provider = "ssh"
host = "{FAR}"
port = {server.port}
user = "{server.user}"
identity = "{server.identity}"
known_hosts = "{server.known_hosts}"
remote_port = {server.remote_port}
url = "http://{FAR}:{server.remote_port}"
"""
    return text.replace('provider = "local"', tunnel).replace('engine = "process"', f'engine = "{case.engine}"')


def cut_once(ours: Trial, case: Case, way: Link, server: FarSshd) -> Cut:
    """Online, all in progress, the panic, and back to where it can go online again."""
    ours.up()
    try:
        with callers(way, server.remote_port, ours.key) as far, broken(ours, case) as env:
            return panic(ours, far, env)
    finally:
        ours.time("unlock", "--yes", ours.name)
        ours.time("down")


@contextmanager
def callers(way: Link, port: int, key: str) -> "Iterator[subprocess.Popen[str]]":
    argv = [*way.inside, sys.executable, str(HERE / "scripts" / "benchmarks" / "far_end.py"), way.interface, str(port)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as far:
        try:
            assert far.stdin
            assert far.stdout
            far.stdin.write(f"{key}\n")
            far.stdin.flush()
            if far.stdout.readline() != "flowing\n":
                raise RuntimeError("the callers have nothing in progress")
            yield far
        finally:
            far.kill()


@contextmanager
def broken(ours: Trial, case: Case) -> Iterator[dict[str, str]]:
    """The environment for the panic, with what does not work."""
    with ExitStack() as stack:
        env = dict(ours.env)
        if case.broken == "supervisor":
            entries = Ledger(str(ours.folder / "run" / ours.name / "ledger")).entries()
            for entry in entries:
                if entry.role == "supervisor" and entry.process is not None:
                    entry.process.signal(signal.SIGSTOP)
        if case.broken == "engine":
            deaf = stack.enter_context(socket.socket(socket.AF_UNIX))
            place = Path(tempfile.mkdtemp(dir=ours.folder)) / "deaf.sock"
            deaf.bind(str(place))
            deaf.listen()
            env["DOCKER_HOST"] = f"unix://{place}"
        if case.broken == "cores":
            for _ in range(os.cpu_count() or 1):
                spinning = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
                stack.callback(spinning.kill)
        yield env


def panic(ours: Trial, far: "subprocess.Popen[str]", env: dict[str, str]) -> Cut:
    assert far.stdin
    assert far.stdout
    far.stdin.write("begin\n")
    far.stdin.flush()
    if far.stdout.readline() != "watching\n":
        raise RuntimeError("nobody watches the link")
    answer = str(ours.folder / "panic")
    Path(answer).unlink(missing_ok=True)
    ended: list[float] = []
    begun = time.time()
    child = measure.start([EXPOSER, "panic", "--json", "--reason", "benchmark"], env, log=answer, alone=True)
    waiter = threading.Thread(target=lambda: ended.append((os.waitpid(child, 0), time.time())[1]))
    waiter.start()
    waiter.join()
    time.sleep(QUIET)
    far.stdin.close()
    seen = json.loads(far.stdout.readline())
    said = json.loads(Path(answer).read_text().splitlines()[0])["exposures"][0]
    if said["still_open"] or not said["locked"] or ended[0] + QUIET / 2 < seen["last"]:
        raise RuntimeError(f"the panic did not close it: {said}")
    proof = next(step["ms"] for step in said["steps"] if step["step"] == "local proof")
    return Cut(max(0.0, seen["last"] - begun) * 1000, (ended[0] - begun) * 1000, proof, seen["bytes"])


def figure(taken: dict[Case, list[Cut]]) -> Figure:
    rows, goals = [], []
    for case, cuts in taken.items():
        last = [cut.last_byte for cut in cuts]
        rows.append(
            (
                case.name,
                str(len(cuts)),
                *(f"{value:.0f}" for value in spread(last)),
                *(f"{value:.0f}" for value in spread([cut.returned for cut in cuts])[:1]),
                f"{max(cut.local_proof for cut in cuts):.0f}",
                f"{percentile([cut.after for cut in cuts], 0.99) / 1000:,.0f}",
            )
        )
        if case.limit:
            goals.append(Goal(f"{case.name}: last byte, p99 in ms", percentile(last, 0.99), case.limit))
        goals.append(Goal(f"{case.name}: local proof, ms", max(cut.local_proof for cut in cuts), 1000))
    notes = [
        "from the start of the process `exposer panic`, ms, to the last packet with data at the far end of the link,",
        "by the kernel's clock; a download, a stream of events and 32 keep-alive callers through OpenSSH, which fill",
        "the link. The shaper's own queue holds up to 5 ms. `kB after`: what still came, p99",
    ]
    data = {case.name: [cut.last_byte for cut in cuts] for case, cuts in taken.items()}
    heads = ("last byte", "runs", "p50", "p95", "p99", "returned p50", "proof max", "kB after")
    return Figure(
        "panic: everything in progress",
        max(map(len, taken.values())),
        heads,
        rows,
        goals,
        notes,
        {"samples": {"last_byte_ms": data}},
    )


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    return percentile(values, 0.5), percentile(values, 0.95), percentile(values, 0.99)
