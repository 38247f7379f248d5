"""Something to load, and a round of load on it: requests a second, latency, CPU a request."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from scripts.benchmarks.measure import ratio

CONNECTIONS, SECONDS = 32, 1
# A gateway that had less of its core was held up by something else: then the rate says nothing about it.
SATURATED = 0.8
SPARE = 3  # so many disturbed rounds may be thrown away for each that counts
BODY = json.dumps({"items": [{"id": n, "text": "x" * 80} for n in range(9)]})[:1020].ljust(1024)
HEADS = ("", "requests/s", "p50 ms", "p99 ms", "CPU µs/request", "of a core", "in req/s", "in CPU")
FIELDS = ("rate", "p50", "p99", "cpu", "busy")

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


def room(stack: ExitStack) -> Path:
    """A folder for all that is compared, in memory where that can be had: on most machines /run, where a gateway's
    files are, is."""
    memory = "/dev/shm"
    folder = Path(
        stack.enter_context(
            tempfile.TemporaryDirectory(prefix="exposer-bench-", dir=memory if os.access(memory, os.W_OK) else None)
        )
    )
    folder.chmod(0o711)
    return folder


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


def pinned(master: int, cores: Sequence[int]) -> int:
    """The one worker of an nginx, put on the first core."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    if len(children) != 1:
        raise RuntimeError(f"nginx {master} has {len(children)} workers instead of one")
    return whole(int(children[0]), cores)


def whole(pid: int, cores: Sequence[int]) -> int:
    """A program with all its threads, put on the first core."""
    for thread in Path(f"/proc/{pid}/task").iterdir() if cores else ():
        os.sched_setaffinity(int(thread.name), {cores[0]})
    return pid


def script(path: Path, paths: Sequence[str], keys: Sequence[str]) -> str:
    """Keys stand in a file, not in arguments, here too."""
    lists = [
        f"{name} = {{{', '.join(json.dumps(item) for item in items)}}}"
        for name, items in (("PATHS", paths), ("KEYS", keys))
    ]
    path.touch(0o600)
    path.write_text("\n".join(lists) + SCRIPT)
    return str(path)


def load(target: Target, connections: int = CONNECTIONS) -> Load:
    """A second of as many requests as it takes."""
    before = cpu_us(target.worker)
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "-s", target.script, f"http://127.0.0.1:{target.port}"]
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
    """The CPU time that a process has had with all its threads, in microseconds."""
    total = 0.0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((thread / "schedstat").read_text().split()[0]) / 1000
        except (OSError, ValueError, IndexError):
            fields = (thread / "stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) * 1e6 / os.sysconf("SC_CLK_TCK")
    return total


@dataclass(frozen=True)
class Comparison:
    """What came out of some rounds. `rate` and `cpu` are how many times as many requests ours made as each other, in
    the same time and for the same CPU time."""

    each: Mapping[str, Mapping[str, Sequence[float]]]
    rate: Mapping[str, float]
    cpu: Mapping[str, float]
    sound: bool

    @classmethod
    def of(cls, taken: Mapping[str, Sequence[Load]], ours: str) -> "Comparison":
        each = {
            name: {what: [getattr(load, what) for load in loads] for what in FIELDS} for name, loads in taken.items()
        }
        return cls(
            each,
            {name: ratio(each[ours]["rate"], values["rate"]) for name, values in each.items()},
            {name: ratio(values["cpu"], each[ours]["cpu"]) for name, values in each.items()},
            all(undisturbed(loads) for loads in zip(*taken.values(), strict=True)),
        )

    def rows(self) -> list[tuple[str, ...]]:
        """One row a target, as HEADS says."""
        return [
            (
                name,
                f"{median(values['rate']):,.0f}",
                f"{median(values['p50']) / 1000:.2f}",
                f"{median(values['p99']) / 1000:.2f}",
                f"{median(values['cpu']):.1f}",
                f"{median(values['busy']):.0%}",
                f"{self.rate[name]:.2f}",
                f"{self.cpu[name]:.2f}",
            )
            for name, values in self.each.items()
        ]
