"""Our gateway beside others that check a key, let some operations pass and write a log: Caddy, HAProxy, Starlette."""

import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from scripts.benchmarks import bare, loads, measure
from scripts.benchmarks.gateway import FULL, LIKE, OURS, PLAIN, make_targets
from scripts.benchmarks.loads import HEADS, Comparison, Target, load
from scripts.benchmarks.measure import HERE, Figure, Goal, MissingError, say
from tests.support.ports import free_port

CADDY, HAPROXY, PYTHON = "Caddy", "HAProxy", "Starlette + httpx"
COUNTING = "HAProxy, with rates"
VENV = HERE / ".venv-bench" / "bin" / "python"

# `handle` would be sorted ahead of a refusal that stands beside it: here each decides in its own place.
CADDYFILE = """
{{
    admin off
    auto_https off
}}
http://127.0.0.1:{port} {{
    log {{
        output file {folder}/access.log
    }}
    @known {{
        header_regexp X-API-Key ^({keys})$
        path_regexp ^({paths})$
        method GET
    }}
    handle @known {{
        reverse_proxy {backend} {{
            header_up -X-API-Key
        }}
    }}
    handle {{
        respond 401
    }}
}}
"""
HAPROXY_CONFIG = """
global
    nbthread 1
    log {folder}/log.sock local0
    maxconn 4096
defaults
    mode http
    log global
    option httplog
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend front
    bind 127.0.0.1:{port}
    acl known hdr(X-API-Key),map_str({folder}/keys.map) -m found
    acl listed path_reg -f {folder}/paths.lst
    http-request deny deny_status 401 unless known
    http-request deny deny_status 404 unless METH_GET listed
    {rates}
    http-request del-header X-API-Key
    default_backend back
backend back
    http-reuse always
    server origin {backend}
"""
# What each key asks for in a minute is counted, as ours does; the bound is out of reach.
RATES = """stick-table type string len 64 size 10k expire 2m store http_req_rate(60s)
    http-request track-sc0 hdr(X-API-Key)
    http-request deny deny_status 429 if { sc_http_req_rate(0) gt 1000000000 }"""


def run(rounds: int) -> list[Figure]:
    if shutil.which("wrk") is None:
        raise MissingError("wrk is not installed")
    say("peers: other gateways")
    with ExitStack() as stack:
        folder = loads.room(stack)
        cores = stack.enter_context(loads.own_core())
        targets = gateways(stack, folder, cores)
        taken = measure.alternate({name: partial(load, target) for name, target in targets.items()}, rounds)
    found, like = Comparison.of(taken, OURS), Comparison.of(taken, LIKE)
    others = [name for name in targets if name not in (OURS, LIKE, PLAIN)]
    compared = {name: found if name == COUNTING else like for name in others}  # with the one that does as much
    goals = [Goal(f"requests for the same CPU, against {n}", each.cpu[n], 1.0, True) for n, each in compared.items()]
    goals += [Goal(f"requests/s, against {name}", each.rate[name], 1.0, True) for name, each in compared.items()]
    notes = [
        f"{FULL.operations} operations and {FULL.keys} keys; ours with all its limits and the journal, and with what",
        "the others do: a key check, a list of operations, a log. The goals go by that one, and by the whole one where",
        "the other counts rates too",
        f"wrk: {loads.CONNECTIONS} keep-alive connections, {loads.SECONDS} s a round; each on one core with one worker",
        "the last two columns: ours by this, in requests/s and in requests for the same CPU time",
    ]
    return [Figure("peers: other gateways", rounds, HEADS, found.rows(), goals, notes, {"samples": found.each})]


def gateways(stack: ExitStack, folder: Path, cores: Sequence[int]) -> dict[str, Target]:
    """Ours, the plain proxy, and each of the others that is on this machine, in front of the same origin."""
    ours = make_targets(stack, folder, cores, FULL)
    targets = {name: ours[name] for name in (OURS, LIKE, PLAIN)}
    clear = re.findall(r"exp_\w+", Path(ours[OURS].script).read_text())
    origin = stack.enter_context(bare.nginx(folder / "behind", bare.ORIGIN, body=loads.BODY))[0]
    made = (
        ("caddy", CADDY, caddy),
        ("haproxy", HAPROXY, haproxy),
        ("haproxy", COUNTING, partial(haproxy, rates=RATES)),
        (str(VENV), PYTHON, starlette),
    )
    for program, name, make in made:
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") is None:
            say(f"  {name} is not installed")
            continue
        place = folder / re.sub("[^a-z]+", "-", name.lower())
        place.mkdir()
        port, pid = stack.enter_context(make(place, f"127.0.0.1:{origin}", clear))
        bare.await_answer(port)
        if (said := [bare.status(port, FULL.paths[0], key) for key in (clear[0], "wrong")]) != [200, 401]:
            raise RuntimeError(f"{name} answers {said}: the comparison would say nothing")
        targets[name] = Target(port, loads.whole(pid, cores), ours[OURS].script)
    return targets


@contextmanager
def caddy(folder: Path, backend: str, keys: Sequence[str]) -> Iterator[tuple[int, int]]:
    port = free_port()
    text = CADDYFILE.format(port=port, folder=folder, backend=backend, keys="|".join(keys), paths="|".join(_patterns()))
    (folder / "Caddyfile").write_text(text)
    with program(["caddy", "run", "--config", f"{folder}/Caddyfile"], folder, GOMAXPROCS="1", HOME=str(folder)) as pid:
        yield port, pid


@contextmanager
def haproxy(folder: Path, backend: str, keys: Sequence[str], rates: str = "") -> Iterator[tuple[int, int]]:
    port = free_port()
    (folder / "keys.map").write_text("".join(f"{key} 1\n" for key in keys))
    (folder / "paths.lst").write_text("".join(f"^{pattern}$\n" for pattern in _patterns()))
    (folder / "haproxy.cfg").write_text(HAPROXY_CONFIG.format(port=port, folder=folder, backend=backend, rates=rates))
    with log_sink(folder), program(["haproxy", "-db", "-f", f"{folder}/haproxy.cfg"], folder) as pid:
        yield port, pid


@contextmanager
def starlette(folder: Path, backend: str, keys: Sequence[str]) -> Iterator[tuple[int, int]]:
    port = free_port()
    (folder / "keys").write_text("\n".join(keys))
    (folder / "paths").write_text("\n".join(_patterns()))
    argv = [str(VENV), str(Path(__file__).with_name("starlette_gateway.py")), str(port), backend, str(folder)]
    with program(argv, folder) as pid:
        yield port, pid


@contextmanager
def log_sink(folder: Path) -> Iterator[None]:
    """Somebody has to take the lines that HAProxy logs; it takes them on the core of the load."""
    argv = [sys.executable, str(Path(__file__).with_name("log_sink.py")), f"{folder}/log.sock", f"{folder}/access.log"]
    with program(argv, folder):
        deadline = time.monotonic() + 10
        while not (folder / "log.sock").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        yield


@contextmanager
def program(argv: Sequence[str], folder: Path, **env: str) -> Iterator[int]:
    pid = measure.start(argv, measure.environment(**env), log=str(folder / "out"))
    try:
        yield pid
    finally:
        try:
            os.kill(pid, signal.SIGKILL)
        finally:
            os.waitpid(pid, 0)


def _patterns() -> list[str]:
    return [op.full_path.replace("{id}", "[^/]+") for op in FULL.made()]
