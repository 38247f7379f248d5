"""What the gate costs: our rendered gateway against nginx as a plain proxy and against the usual guide's config."""

import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from exposer import procs
from exposer.config.model import Auth, Limits, Rate
from exposer.gateway.nginx import NginxProcess
from exposer.gateway.policy import compile as compile_policy
from exposer.keys.model import Ring
from exposer.keys.ring import mint, new_ring
from exposer.openapi.model import Operation
from scripts.benchmarks import bare, measure
from scripts.benchmarks.measure import Figure, Goal, MissingError, ratio, say

CONNECTIONS, SECONDS = 32, 1
OPERATIONS, KEYS = 15, 10
# A gateway that had less of its core was held up by something else: then the rate says nothing about it.
SATURATED = 0.8
SPARE = 3  # so many disturbed rounds may be thrown away for each that counts
OURS, PLAIN, GUIDE = "exposer's gateway", "plain keep-alive proxy", "the usual guide's config"
LOGGED = "plain proxy, buffered log"
BODY = json.dumps({"items": [{"id": n, "text": "x" * 80} for n in range(9)]})[:1020].ljust(1024)

# The requests are made up before the clock starts; the summary comes as JSON.
SCRIPT = """
local made, at = {}, 0
init = function(args)
  for i, path in ipairs(PATHS) do
    wrk.headers["X-API-Key"] = KEYS[(i - 1) % #KEYS + 1]
    made[i] = wrk.format("GET", path)
  end
end
request = function() at = at % #made + 1; return made[at] end
done = function(summary, latency, requests)
  local e = summary.errors
  local failed = e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format('\\nRESULT {"requests":%d,"us":%d,"p50":%d,"p99":%d,"errors":%d}\\n', summary.requests,
    summary.duration, latency:percentile(50), latency:percentile(99), failed))
end
"""


@dataclass(frozen=True)
class Load:
    """One round of load: requests a second, microseconds a request."""

    rate: float
    p50: float
    p99: float
    cpu: float

    @property
    def busy(self) -> float:
        """How much of a core the worker had: near 1 when it is what limits the rate."""
        return self.rate * self.cpu / 1e6


@dataclass(frozen=True)
class Target:
    """Something to load: its port, the process that does its work, and the script with the keys that it takes."""

    port: int
    worker: int
    script: str


def run(rounds: int) -> list[Figure]:
    if shutil.which("wrk") is None:
        raise MissingError("wrk is not installed")
    say("gateway: requests through the gate")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="exposer-bench-")))
        folder.chmod(0o711)
        cores = stack.enter_context(own_core())
        targets = make_targets(stack, folder, cores)
        variants = {name: partial(load, target) for name, target in targets.items()}
        taken = measure.alternate(variants, rounds, sound=undisturbed, spare=SPARE * rounds)
    return [figure(taken, rounds, bool(cores))]


@contextmanager
def own_core() -> Iterator[list[int]]:
    """Load and origin take the second core, so that the gateways have the first; [] when there is only one."""
    before = os.sched_getaffinity(0)
    cores = sorted(before)[:2] if len(before) > 1 else []
    try:
        if cores:
            os.sched_setaffinity(0, {cores[1]})  # children inherit it
        yield cores
    finally:
        os.sched_setaffinity(0, before)


def make_targets(stack: ExitStack, folder: Path, cores: Sequence[int]) -> dict[str, Target]:
    """Everything that is compared, running, each with one worker, in front of the same origin."""
    ring, clear = new_keys()
    paths = [op.full_path.replace("{id}", f"abc{n}") for n, op in enumerate(operations())]
    origin, _ = stack.enter_context(bare.nginx(folder / "origin", bare.ORIGIN, body=BODY))
    backend = f"127.0.0.1:{origin}"
    plain, plain_pid = stack.enter_context(bare.nginx(folder / "plain", bare.PLAIN, backend=backend))
    logged, logged_pid = stack.enter_context(bare.nginx(folder / "logged", bare.LOGGED, backend=backend))
    guide, guide_pid = stack.enter_context(bare.nginx(folder / "guide", bare.GUIDE, backend=backend, key=clear[0]))
    ours, ours_pid = stack.enter_context(our_gateway(folder / "ours", ring, backend))
    all_keys, one_key = script(folder / "all.lua", paths, clear), script(folder / "one.lua", paths, clear[:1])
    for port, gated in ((ours, True), (guide, True), (plain, False), (logged, False)):
        found = [bare.status(port, paths[0], key) for key in (clear[0], "wrong")]
        if found != [200, 401 if gated else 200]:
            raise RuntimeError(f"port {port} answers {found}: the comparison would say nothing")
    return {
        OURS: Target(ours, pinned(ours_pid, cores), all_keys),
        PLAIN: Target(plain, pinned(plain_pid, cores), all_keys),
        LOGGED: Target(logged, pinned(logged_pid, cores), all_keys),
        GUIDE: Target(guide, pinned(guide_pid, cores), one_key),
    }


def new_keys() -> tuple[Ring, list[str]]:
    ring, clear = new_ring(), []
    for number in range(KEYS):
        ring, key = mint(ring, f"client-{number}", time.time())
        clear.append(key.reveal())
    return ring, clear


def operations() -> list[Operation]:
    """Half of them with a parameter in the path."""
    paths = [f"/v1/things{n}" + ("/{id}" if n % 2 else "") for n in range(OPERATIONS)]
    return [Operation(f"op{n}", "GET", path, path) for n, path in enumerate(paths)]


@contextmanager
def our_gateway(folder: Path, ring: Ring, backend: str) -> Iterator[tuple[int, int]]:
    """The gateway as `exposer up` makes it; only the rate limit is out of reach."""
    policy = compile_policy(
        ring=ring,
        operations=operations(),
        auth=Auth(),
        limits=Limits(rate=Rate(1_000_000, 1)),
        upstream=f"http://{backend}",
        upstream_host=backend,
        now=time.time(),
        probe=secrets.token_hex(24),
        probe_answer=secrets.token_hex(24),
    )
    gateway = NginxProcess(folder / "gateway", policy, workers=1)
    folder.mkdir(mode=0o711)
    entry = gateway.start(lambda entry: None, lambda text: None)
    try:
        assert entry.process is not None
        yield int(str(entry.detail["listen"]).rpartition(":")[2]), entry.process.pid
    finally:
        gateway.stop(entry)
        procs.reap()


def pinned(master: int, cores: Sequence[int]) -> int:
    """The one worker of an nginx, put on the first core."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    if len(children) != 1:
        raise RuntimeError(f"nginx {master} has {len(children)} workers instead of one")
    if cores:
        os.sched_setaffinity(int(children[0]), {cores[0]})
    return int(children[0])


def script(path: Path, paths: Sequence[str], keys: Sequence[str]) -> str:
    """Keys stand in a file, not in arguments, here too."""
    lists = [
        f"{name} = {{{', '.join(json.dumps(item) for item in items)}}}"
        for name, items in (("PATHS", paths), ("KEYS", keys))
    ]
    path.touch(0o600)
    path.write_text("\n".join(lists) + SCRIPT)
    return str(path)


def load(target: Target) -> Load:
    """A few seconds of as many requests as it takes."""
    before = cpu_us(target.worker)
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", target.script, f"http://127.0.0.1:{target.port}"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    used = cpu_us(target.worker) - before
    found = json.loads(said.rpartition("RESULT ")[2])
    if found["errors"]:
        raise RuntimeError(f"{found['errors']} of {found['requests']} requests failed:\n{said}")
    count = found["requests"]
    return Load(count / found["us"] * 1e6, found["p50"], found["p99"], used / count)


def undisturbed(loads: Iterable[Load]) -> bool:
    """Whether each gateway was what limited its rate: nobody else had its core, or that of the load."""
    return all(each.busy >= SATURATED for each in loads)


def cpu_us(pid: int) -> float:
    """The CPU time a process has had, in microseconds."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1000
    except (OSError, ValueError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1e6 / os.sysconf("SC_CLK_TCK")


def figure(taken: dict[str, list[Load]], rounds: int, is_pinned: bool) -> Figure:
    fields = ("rate", "p50", "p99", "cpu", "busy")
    each = {name: {what: [getattr(load, what) for load in loads] for what in fields} for name, loads in taken.items()}
    rate = {name: ratio(each[OURS]["rate"], values["rate"]) for name, values in each.items()}
    cpu = {name: ratio(values["cpu"], each[OURS]["cpu"]) for name, values in each.items()}
    rows = [
        (
            name,
            f"{median(values['rate']):,.0f}",
            f"{median(values['p50']) / 1000:.2f}",
            f"{median(values['p99']) / 1000:.2f}",
            f"{median(values['cpu']):.1f}",
            f"{median(values['busy']):.0%}",
            f"{rate[name]:.2f}",
            f"{cpu[name]:.2f}",
        )
        for name, values in each.items()
    ]
    goals = [Goal("requests for the same CPU, against the plain proxy", cpu[PLAIN], 0.75, True)]
    notes = [
        f"{OPERATIONS} operations, {KEYS} keys, key check, allow-list, buffered log, limit out of reach; 1 kB of JSON",
        f"wrk: {CONNECTIONS} keep-alive connections, {SECONDS} s a round; one worker each, TCP to the same origin",
        "gateway on one core, load and origin on the other" if is_pinned else "nothing pinned: there is one core",
        "the last two columns: ours by this, in requests/s and in requests for the same CPU time",
    ]
    if all(undisturbed(loads) for loads in zip(*taken.values(), strict=True)):
        goals.append(Goal("requests/s against the plain proxy", rate[PLAIN], 0.75, True))
        goals.append(Goal("requests/s against the usual guide's", rate[GUIDE], 1.0, True))
        notes.append(f"rounds in which a gateway had less than {SATURATED:.0%} of its core were made again")
    else:
        goals.append(Goal("requests for the same CPU, against the usual guide's", cpu[GUIDE], 1.0, True))
        notes.append("others used the machine, so requests/s and latency say nothing here: go by the CPU")
    heads = ("", "requests/s", "p50 ms", "p99 ms", "CPU µs/request", "of a core", "in req/s", "in CPU")
    return Figure("gateway: requests through the gate", rounds, heads, rows, goals, notes, {"samples": each})
