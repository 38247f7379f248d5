"""What a tunnel costs: the start beyond the agent's own, how soon its end is noticed, and what the supervisor takes
while nothing happens. A real sshd on loopback is the far side, so the public address can be asked from here."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from scripts.benchmarks import measure
from scripts.benchmarks.measure import HERE, Figure, Goal, MissingError, say
from scripts.benchmarks.trial import Trial, trial
from tests.support import sshd
from tests.support.eventually import eventually
from tests.support.exposure import get
from tests.support.ports import free_port

START, NOTICED = 0.5, 1.0  # seconds
MEMORY, PROCESSOR = 60.0, 0.5  # MB, and per cent of one core
IDLE = 30.0
SETTLE = 5.0
TICKS = os.sysconf("SC_CLK_TCK")


def run(rounds: int) -> list[Figure]:
    if not sshd.AVAILABLE:
        raise MissingError("there is no OpenSSH server")
    with TemporaryDirectory(prefix="exposer-bench-") as folder, backend() as port, sshd.Sshd(Path(folder)) as server:
        say("tunnel: from `up` to the first answer outside")
        starts = [started(config(server, port)) for _ in range(rounds + 1)][1:]
        say("tunnel: an agent that dies, and then nothing at all")
        with trial(config(server, port)) as ours:
            ours.up()
            ends = [died(ours) for _ in range(rounds + 1)][1:]
            idle = idled(ours)
    return [start_figure(starts, rounds), end_figure(ends, rounds), idle_figure(idle)]


@contextmanager
def backend() -> Iterator[int]:
    """One that runs already: its own start is nobody's figure here."""
    port = free_port()
    argv = [str(HERE / "scripts" / "sample_backend.py")]
    pid = measure.start([sys.executable, *argv], measure.environment(PORT=str(port)))
    try:
        eventually(lambda: get(f"http://127.0.0.1:{port}/health").status == 200, within=20)
        yield port
    finally:
        measure.end(pid)


def config(server: sshd.Sshd, port: int) -> str:
    return f"""
engine = "process"
[backend]
url = "http://127.0.0.1:{port}"
health = "/health"
openapi = "/openapi.json"
[tunnel]
provider = "ssh"
host = "127.0.0.1"
port = {server.port}
user = "{server.user}"
identity = "{server.identity}"
known_hosts = "{server.known_hosts}"
remote_port = {server.remote_port}
url = "http://127.0.0.1:{server.remote_port}"
[limits]
rate = "60000/min"
[notify]
desktop = false
"""


def started(text: str) -> dict[str, float]:
    """From the command to the first answer by the public address, and how much of it is the agent's."""
    with trial(text) as ours:
        public = [line.split('"')[1] for line in text.splitlines() if line.startswith("url = ")][-1]
        seen = threading.Event()
        at: list[float] = []
        watcher = threading.Thread(target=lambda: _first_answer(public, seen, at), daemon=True)
        begun = time.time()
        watcher.start()
        ours.up()
        eventually(lambda: bool(at), within=30)
        seen.set()
        agent = next(
            float(str(data["seconds"]))
            for _, kind, data in ours.events()
            if kind == "started" and data.get("role") == "tunnel"
        )
        total = at[0] - begun
        return {"total": total, "agent": agent, "beyond": total - agent}


def _first_answer(public: str, over: threading.Event, at: list[float]) -> None:
    """The gateway itself answers with 401 to whoever has no key, as soon as the way is there."""
    while not at and not over.wait(0.005):
        if get(f"{public}/api/notes").status == 401:
            at.append(time.time())


def died(ours: Trial) -> dict[str, float]:
    """From the agent's death to the note of it, and to the first answer by the next one."""
    pid = pid_of(ours, "tunnel")
    known = len(ours.events())
    begun = time.time()
    os.kill(pid, signal.SIGKILL)

    def noted(kind: str) -> list[float]:
        return [at for at, what, data in ours.events()[known:] if what == kind and data.get("role") == "tunnel"]

    eventually(lambda: noted("gone") and noted("started"), within=30)
    eventually(lambda: get(f"{ours.url}/api/notes", ours.key).status == 200, within=30)
    return {"noticed": noted("gone")[0] - begun, "up again": noted("started")[0] - begun}


def idled(ours: Trial) -> dict[str, dict[str, float]]:
    """What each process of ours takes while nobody calls."""
    time.sleep(SETTLE)
    pids = {role: pid_of(ours, role) for role in ("supervisor", "guard", "gateway", "tunnel")}
    before, begun = {role: ticks(pid) for role, pid in pids.items()}, time.monotonic()
    say(f"  idle for {IDLE:g} s")
    time.sleep(IDLE)
    lasted = time.monotonic() - begun
    return {
        role: {**memory(pid), "processor": (ticks(pid) - before[role]) / TICKS / lasted * 100}
        for role, pid in pids.items()
    }


def pid_of(ours: Trial, role: str) -> int:
    lines = Path(ours.folder, "run", ours.name, "ledger").read_text().splitlines()
    entries = [entry for line in lines if (entry := json.loads(line))["role"] == role and "pid" in entry]
    plain = [entry for entry in entries if not entry["detail"].get("leash")]
    return int(plain[-1]["pid"])


def ticks(pid: int) -> int:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(words[11]) + int(words[12])


def memory(pid: int) -> dict[str, float]:
    """In MB: all that is resident, and its share of what others use too."""
    lines = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]]
    sizes = {words[0].rstrip(":"): int(words[1]) * 1024 / 1e6 for words in lines}
    return {"resident": sizes["Rss"], "share": sizes["Pss"]}


def start_figure(taken: list[dict[str, float]], rounds: int) -> Figure:
    names = {"total": "in all", "agent": "the agent's own part", "beyond": "beyond it"}
    rows = [(name, *_seconds([one[key] for one in taken])) for key, name in names.items()]
    goal = Goal("from `up` to the public answer beyond the agent's own time, s", _median(taken, "beyond"), START)
    notes = ["the backend runs already; the agent's own part is from its start until it says that it is connected"]
    return Figure("tunnel: from `up` to the first answer outside", rounds, ("", "s", "worst"), rows, [goal], notes)


def end_figure(taken: list[dict[str, float]], rounds: int) -> Figure:
    rows = [(name, *_seconds([one[name] for one in taken])) for name in ("noticed", "up again")]
    goal = Goal("a dead agent is noticed, s", _median(taken, "noticed"), NOTICED)
    return Figure("tunnel: after the agent's death", rounds, ("", "s", "worst"), rows, [goal])


def idle_figure(found: dict[str, dict[str, float]]) -> Figure:
    rows = [
        (role, f"{one['resident']:.1f}", f"{one['share']:.1f}", f"{one['processor']:.2f} %")
        for role, one in found.items()
    ]
    ours = found["supervisor"]
    goals = [
        Goal("the idle supervisor, resident MB", ours["resident"], MEMORY),
        Goal("the idle supervisor, per cent of a core", ours["processor"], PROCESSOR),
    ]
    heads = ("", "resident MB", "share MB", "processor")
    notes = [f"over {IDLE:g} s without a call, with tunnel, gateway and guard running; once"]
    return Figure("tunnel: while nothing happens", 1, heads, rows, goals, notes, {"idle": found})


def _median(taken: list[dict[str, float]], key: str) -> float:
    return median(one[key] for one in taken)


def _seconds(values: list[float]) -> tuple[str, str]:
    return f"{median(values):.2f}", f"{max(values):.2f}"
