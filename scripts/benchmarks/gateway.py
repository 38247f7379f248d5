"""What the gate costs: our rendered gateway against nginx as a plain proxy and against the usual guide's config."""

import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

from exposer import procs
from exposer.config.model import Auth, Limits, Rate
from exposer.gateway.nginx import NginxProcess, Runner
from exposer.gateway.policy import Policy
from exposer.gateway.policy import compile as compile_policy
from exposer.keys.model import Ring
from exposer.keys.ring import mint, new_ring
from exposer.openapi.model import Operation
from scripts.benchmarks import bare, loads, measure
from scripts.benchmarks.loads import HEADS, Comparison, Load, Target, load
from scripts.benchmarks.measure import Figure, Goal, MissingError, say

OURS, PLAIN, GUIDE = "exposer's gateway", "plain keep-alive proxy", "the usual guide's config"
LOGGED = "plain proxy, buffered log"
LIKE = "exposer's, key, list, log"  # the least that it does: each key's rate is counted too, that is always on


@dataclass(frozen=True)
class Size:
    """How much the gateway has to know."""

    operations: int
    keys: int
    whole: bool = False  # with all its limits, and the journal written from its log meanwhile

    @property
    def paths(self) -> list[str]:
        """A path of each operation, as it is called."""
        return [op.full_path.replace("{id}", f"abc{n}") for n, op in enumerate(self.made())]

    def made(self) -> list[Operation]:
        """Half of them with a parameter in the path."""
        paths = [f"/v1/things{n}" + ("/{id}" if n % 2 else "") for n in range(self.operations)]
        return [Operation(f"op{n}", "GET", path, path) for n, path in enumerate(paths)]


THIN, FULL, MANY = Size(15, 10), Size(30, 10, whole=True), Size(200, 1000, whole=True)


def run(rounds: int) -> list[Figure]:
    if shutil.which("wrk") is None:
        raise MissingError("wrk is not installed")
    return [thin(rounds), full(rounds), many(rounds)]


def thin(rounds: int) -> Figure:
    say("gateway: requests through the gate")
    with scene(THIN) as (targets, notes):
        taken = compare(targets, (OURS, PLAIN, LOGGED, GUIDE), rounds)
    found = Comparison.of(taken, OURS)
    goals = [Goal("requests for the same CPU, against the plain proxy", found.cpu[PLAIN], 0.75, True)]
    if found.sound:
        goals.append(Goal("requests/s against the plain proxy", found.rate[PLAIN], 0.75, True))
        goals.append(Goal("requests/s against the usual guide's", found.rate[GUIDE], 1.0, True))
    else:
        goals.append(Goal("requests for the same CPU, against the usual guide's", found.cpu[GUIDE], 1.0, True))
    return figure("gateway: requests through the gate", found, rounds, goals, notes)


def full(rounds: int) -> Figure:
    """With everything on; and the latency where there is no queue."""
    say("gateway: everything on")
    with scene(FULL) as (targets, notes):
        taken = compare(targets, (OURS, PLAIN), rounds)
        say("gateway: everything on, one connection")
        alone = measure.alternate({n: partial(load, targets[n], connections=1) for n in (OURS, PLAIN)}, rounds)
    found = Comparison.of(taken, OURS)
    more = median((a.p50 - b.p50) / 1000 for a, b in zip(alone[OURS], alone[PLAIN], strict=True))
    goals = [
        *rate_goals(found, 0.70),
        Goal("CPU a request, against the plain proxy", 1 / found.cpu[PLAIN], 1.5),
        Goal("ms more p50 on one connection", more, 0.05),
    ]
    return figure("gateway: everything on", found, rounds, goals, notes)


def many(rounds: int) -> Figure:
    say("gateway: 1,000 keys and 200 operations")
    with scene(MANY) as (targets, notes):
        taken = compare(targets, (OURS, PLAIN), rounds)
    found = Comparison.of(taken, OURS)
    return figure("gateway: 1,000 keys and 200 operations", found, rounds, rate_goals(found, 0.62), notes)


def rate_goals(found: Comparison, least: float) -> list[Goal]:
    """In requests a second where the machine was ours, in CPU where it was not."""
    if found.sound:
        return [Goal("requests/s against the plain proxy", found.rate[PLAIN], least, True)]
    return [Goal("requests for the same CPU, against the plain proxy", found.cpu[PLAIN], least, True)]


def compare(targets: dict[str, Target], names: Sequence[str], rounds: int) -> dict[str, list[Load]]:
    variants = {name: partial(load, targets[name]) for name in names}
    return measure.alternate(variants, rounds, sound=loads.undisturbed, spare=loads.SPARE * rounds)


@contextmanager
def scene(size: Size) -> Iterator[tuple[dict[str, Target], list[str]]]:
    """Everything that is compared, running, each with one worker, in front of the same origin; and how."""
    with ExitStack() as stack:
        folder = loads.room(stack)
        cores = stack.enter_context(loads.own_core())
        yield (
            make_targets(stack, folder, cores, size),
            [
                f"{size.operations} operations, {size.keys:,} keys, key check, allow-list, buffered log; 1 kB of JSON",
                *(
                    ["rate, concurrency and all other limits on (out of reach); the journal kept meanwhile"]
                    * size.whole
                ),
                f"wrk: {loads.CONNECTIONS} keep-alive connections, {loads.SECONDS} s a round; one worker each, TCP",
                "gateway on one core, load and origin on the other" if cores else "nothing pinned: there is one core",
            ],
        )


def make_targets(stack: ExitStack, folder: Path, cores: Sequence[int], size: Size = THIN) -> dict[str, Target]:
    ring, clear = new_keys(size.keys)
    origin, _ = stack.enter_context(bare.nginx(folder / "origin", bare.ORIGIN, body=loads.BODY))
    backend = f"127.0.0.1:{origin}"
    plain, plain_pid = stack.enter_context(bare.nginx(folder / "plain", bare.PLAIN, backend=backend))
    logged, logged_pid = stack.enter_context(bare.nginx(folder / "logged", bare.LOGGED, backend=backend))
    guide, guide_pid = stack.enter_context(bare.nginx(folder / "guide", bare.GUIDE, backend=backend, key=clear[0]))
    ours, ours_pid = stack.enter_context(our_gateway(folder / "ours", ring, backend, size))
    like, like_pid = stack.enter_context(our_gateway(folder / "like", ring, backend, replace(size, whole=False)))
    paths = size.paths
    all_keys, one_key = (loads.script(folder / f"{n}.lua", paths, k) for n, k in (("all", clear), ("one", clear[:1])))
    for port, gated in ((ours, True), (like, True), (guide, True), (plain, False), (logged, False)):
        found = [bare.status(port, paths[0], key) for key in (clear[0], "wrong")]
        if found != [200, 401 if gated else 200]:
            raise RuntimeError(f"port {port} answers {found}: the comparison would say nothing")
    return {
        OURS: Target(ours, loads.pinned(ours_pid, cores), all_keys),
        LIKE: Target(like, loads.pinned(like_pid, cores), all_keys),
        PLAIN: Target(plain, loads.pinned(plain_pid, cores), all_keys),
        LOGGED: Target(logged, loads.pinned(logged_pid, cores), all_keys),
        GUIDE: Target(guide, loads.pinned(guide_pid, cores), one_key),
    }


def new_keys(number: int) -> tuple[Ring, list[str]]:
    ring, clear = new_ring(), []
    for n in range(number):
        ring, key = mint(ring, f"client-{n}", time.time())
        clear.append(key.reveal())
    return ring, clear


def our_policy(ring: Ring, backend: str, size: Size, probe: str = "") -> Policy:
    rate = Rate(1_000_000, 1)
    limits = Limits(rate=rate, concurrency=20_000, total_rate=rate, total_concurrency=60_000)
    return compile_policy(
        ring=ring,
        operations=size.made(),
        auth=Auth(),
        limits=limits if size.whole else Limits(rate=rate),
        upstream=f"http://{backend}",
        upstream_host=backend,
        now=time.time(),
        probe=probe or secrets.token_hex(24),
        probe_answer=probe or secrets.token_hex(24),
    )


@contextmanager
def our_gateway(
    folder: Path, ring: Ring, backend: str, size: Size = THIN, runner: Runner | None = None
) -> Iterator[tuple[int, int]]:
    """The gateway as `exposer up` makes it; only the limits are out of reach."""
    gateway = NginxProcess(folder / "gateway", our_policy(ring, backend, size), workers=1, runner=runner)
    folder.mkdir(mode=0o711)
    entry = gateway.start(lambda entry: None, lambda text: None)
    try:
        assert entry.process is not None
        with keep_record(folder / "gateway") if size.whole else nullcontext():
            yield int(str(entry.detail["listen"]).rpartition(":")[2]), entry.process.pid
    finally:
        gateway.stop(entry)
        procs.reap()


@contextmanager
def keep_record(gateway: Path) -> Iterator[None]:
    """The supervisor's part, with the journal on disk: it runs on the core of the load, as whatever else runs here."""
    with tempfile.TemporaryDirectory(prefix="exposer-bench-") as disk:
        argv = [sys.executable, "-m", "scripts.benchmarks.keep_record", str(gateway), f"{disk}/journal.db"]
        keeper = measure.start(argv, measure.environment(), log=f"{disk}/out")
        try:
            yield
        finally:
            measure.end(keeper)


def figure(title: str, found: Comparison, rounds: int, goals: list[Goal], notes: list[str]) -> Figure:
    how = [*notes, "the last two columns: ours by this, in requests/s and in requests for the same CPU time"]
    if found.sound:
        how.append(f"rounds in which a gateway had less than {loads.SATURATED:.0%} of its core were made again")
    else:
        how.append("others used the machine, so requests/s and latency say nothing here: go by the CPU")
    return Figure(title, rounds, HEADS, found.rows(), goals, how, {"samples": found.each})
