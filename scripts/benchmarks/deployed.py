"""The gateway as engine docker deploys it, by its unix socket, against the plain proxy of the host over TCP."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from exposer.gateway.container import ContainerNginx
from exposer.gateway.folder import DOOR
from scripts.benchmarks import bare, loads, measure
from scripts.benchmarks.gateway import FULL, PLAIN, new_keys, our_gateway, rate_goals
from scripts.benchmarks.loads import HEADS, Comparison, Load
from scripts.benchmarks.measure import Figure, MissingError, say
from scripts.benchmarks.up import no_docker

OURS = "exposer, engine docker"
CONNECTIONS = 16


def run(rounds: int) -> list[Figure]:
    if shutil.which("h2load") is None:
        raise MissingError("h2load is not installed")
    if problem := no_docker():
        raise MissingError(problem)
    say("deployed: engine docker by its unix socket")
    with ExitStack() as stack:
        folder = loads.room(stack)
        cores = stack.enter_context(loads.own_core())
        variants = make_variants(stack, folder, cores)
        taken = measure.alternate(variants, rounds, sound=loads.undisturbed, spare=loads.SPARE * rounds)
    found = Comparison.of(taken, OURS)
    notes = [
        f"in a hardened container: {FULL.operations} operations, {FULL.keys} keys, all limits; the same origin",
        f"h2load: {CONNECTIONS} keep-alive connections, {loads.SECONDS} s a round; one worker each",
        "the last two columns: ours by this, in requests/s and in requests for the same CPU time",
    ]
    goals = rate_goals(found, 0.80)
    return [Figure("deployed: engine docker", rounds, HEADS, found.rows(), goals, notes, {"samples": found.each})]


def make_variants(stack: ExitStack, folder: Path, cores: Sequence[int]) -> dict[str, "partial[Load]"]:
    ring, clear = new_keys(FULL.keys)
    origin, _ = stack.enter_context(bare.nginx(folder / "origin", bare.ORIGIN, body=loads.BODY))
    backend = f"127.0.0.1:{origin}"
    plain, plain_pid = stack.enter_context(bare.nginx(folder / "plain", bare.PLAIN, backend=backend))
    runner = ContainerNginx("bench-deployed")
    _, ours_pid = stack.enter_context(our_gateway(folder / "ours", ring, backend, FULL, runner))
    paths = folder / "paths"
    paths.write_text("".join(f"http://127.0.0.1{path}\n" for path in FULL.paths))
    socket = f"unix:{folder}/ours/gateway/{DOOR}"
    return {
        OURS: partial(load, socket, loads.pinned(ours_pid, cores), paths, clear[0]),
        PLAIN: partial(load, f"http://127.0.0.1:{plain}", loads.pinned(plain_pid, cores), paths, clear[0]),
    }


def load(base: str, worker: int, paths: Path, key: str) -> Load:
    """A second of as many requests as it takes, over TCP or a unix socket."""
    before = loads.cpu_us(worker)
    argv = ["h2load", "--h1", f"-c{CONNECTIONS}", "-t1", f"-D{loads.SECONDS}", f"--base-uri={base}", f"-i{paths}"]
    said = subprocess.run([*argv, "-H", f"X-API-Key: {key}"], capture_output=True, text=True, check=True).stdout
    used = loads.cpu_us(worker) - before
    count = int(_found(r"status codes: (\d+) 2xx", said))
    if not count or any(int(n) for n in re.findall(r"(\d+) (?:[345]xx|failed|errored|timeout)", said)):
        raise RuntimeError(f"not all requests were answered:\n{said}")
    mean = _microseconds(_found(r"time for request: +\S+ +\S+ +(\S+)", said))
    rate = float(_found(r"finished in .*?, ([\d.]+) req/s", said))
    return Load(rate, mean, mean, used / count)


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"h2load says nothing of {pattern!r}:\n{text}")
    return match[1]


def _microseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]
