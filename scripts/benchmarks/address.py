"""How long it takes from a changed public address until everything that depends on it has followed."""

import json
import os
import signal
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from scripts.benchmarks.measure import Figure, Goal, say
from scripts.benchmarks.trial import Trial, command_config, trial
from tests.support import fake_cloudflared

LIMIT = 1000.0
WITHIN = 30.0
# Each step with the event that ends it; the clock starts when the tunnel says its new address.
STEPS = (("document written", "published"), ("own hook has run, notices are out", "announced"))
FIRST, SECOND = "one-b-c-d.trycloudflare.com", "two-b-c-d.trycloudflare.com"


def run(rounds: int) -> list[Figure]:
    say("address: a quick tunnel comes back with another address (a stand-in for cloudflared)")
    taken: dict[str, list[float]] = {name: [] for name, _ in STEPS}
    for turn in range(rounds + 1):
        for (name, _), lasted in zip(STEPS, change(), strict=True):
            if turn:
                taken[name].append(lasted)
        say(f"  round {turn} of {rounds}" if turn else "  warming up")
    rows = [(name, f"{median(times):.0f}", f"{max(times):.0f}") for name, times in taken.items()]
    goals = [Goal("address change to everything rewritten, ms", median(taken[STEPS[-1][0]]), LIMIT)]
    notes = ["from the tunnel's word to the document on disk, and to the end of a hook that does nothing (/bin/true)"]
    return [Figure("address: after a change", rounds, ("", "ms", "worst"), rows, goals, notes, {"ms": taken})]


def change() -> list[float]:
    """One exposure with one change: a second one soon after would be damped."""
    with TemporaryDirectory(prefix="exposer-bench-") as folder:
        binary = fake_cloudflared.install(Path(folder), hostname=FIRST)
        tunnel = f'provider = "cloudflared"\nbinary = "{binary}"'
        config = command_config(extra='[hooks]\naddress_changed = ["/bin/true"]\n[notify]\ndesktop = false\n')
        with trial(config.replace('provider = "local"', tunnel)) as ours:
            ours.up()
            await_event(ours, "announced", FIRST)
            fake_cloudflared.turn(binary, hostname=SECOND)
            os.killpg(tunnel_pid(ours), signal.SIGKILL)
            begun = await_event(ours, "address-changed", SECOND)
            return [(await_event(ours, kind, SECOND) - begun) * 1000 for _, kind in STEPS]


def await_event(ours: Trial, kind: str, host: str) -> float:
    """When the first event of that kind about that host happened. Raises RuntimeError when it does not."""
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        found = [at for at, what, data in ours.events() if what == kind and f"https://{host}" in str(data["text"])]
        if kind == "address-changed":
            found = [at for at, what, data in ours.events() if what == kind and data["url"] == f"https://{host}"]
        if found:
            return found[0]
        time.sleep(0.05)
    raise RuntimeError(f"{kind} did not happen within {WITHIN:g} s")


def tunnel_pid(ours: Trial) -> int:
    lines = Path(ours.folder, "run", ours.name, "ledger").read_text().splitlines()
    return next(int(entry["pid"]) for line in reversed(lines) if (entry := json.loads(line))["role"] == "tunnel")
