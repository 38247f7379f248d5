"""The record: how many calls a second it takes in, how quickly it is asked, and how quickly it is verified."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from exposer.gateway.accesslog import CURRENT, AccessLog, begin
from exposer.journal import Filter, Journal, Request
from exposer.supervisor.recorder import Recorder, RecordRules
from scripts.benchmarks import measure
from scripts.benchmarks.measure import Figure, Goal, say

RATE, SECONDS = 20_000, 10
ROWS, KEYS = 1_000_000, 100
BEGAN = 1_795_000_000.0
# Writes lines as the gateway does, at an even pace, from a process of its own.
WRITER = """
import sys, time
path, rate, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
line = ('{"time":%.3f,"key":"k%07d","operation":"listThings","method":"GET","status":200,"bytes":1024,'
        '"duration":0.002,"address":"203.0.113.7","request":"bench-%d-1"}\\n')
began, written = time.time(), 0
with open(path, "ab", buffering=0) as file:
    while written < rate * seconds:
        due = min(int((time.time() - began) * rate), rate * seconds)
        now = time.time()
        file.write("".join(line % (now, n % 10, n) for n in range(written, due)).encode())
        written = due
        time.sleep(0.02)
"""


def run(rounds: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="exposer-bench-") as folder:
        return [recording(Path(folder)), asking(Path(folder), rounds)]


def recording(folder: Path) -> Figure:
    """Real lines in a real log, a real recorder; everything must be there soon after the last was written."""
    say(f"journal: {RATE:,} calls a second for {SECONDS} s")
    place = folder / "gateway"
    place.mkdir()
    begin(place)
    journal = Journal(folder / "recorded.db")
    rules = RecordRules(1e9, 10**10, refuse=False)
    record = Recorder(AccessLog(place), journal, rules, lambda said: say(said.text), lambda why: None, lambda: None)
    record.start()
    began = time.monotonic()
    argv = [sys.executable, "-c", WRITER, str(place / CURRENT), str(RATE), str(SECONDS)]
    pid = measure.start(argv, measure.environment())
    os.waitpid(pid, 0)
    written = time.monotonic() - began
    record.close()
    behind = time.monotonic() - began - written
    found = journal.traffic(0)[0]
    whole = journal.broken() is None
    journal.close()
    rows = [("calls", f"{found:,}", f"{written:.1f}", f"{behind:.2f}", "yes" if whole else "NO")]
    goals = [Goal("calls missing", RATE * SECONDS - found, 0), Goal("rows that do not fit", 0 if whole else 1, 0)]
    heads = ("", "recorded", "s written", "s behind at the end", "verified")
    notes = ["written by another process at an even pace, each line once; the recorder as `exposer up` runs it"]
    return Figure("journal: taking calls in", 1, heads, rows, goals, notes)


def asking(folder: Path, rounds: int) -> Figure:
    say(f"journal: {ROWS:,} rows")
    journal = Journal(folder / "asked.db")
    for batch in batches():
        journal.record(batch, {})
    journal.note_heads()
    query, check = [], []
    for number in range(rounds):
        say(f"  round {number + 1} of {rounds}")
        key, day = f"k{number % KEYS:07}", BEGAN + 86_400 * 3
        began = time.perf_counter()
        journal.requests(Filter(since=day, until=day + 86_400, keys=(key,)), 100_000)
        query.append((time.perf_counter() - began) * 1000)
        began = time.perf_counter()
        if journal.broken() is not None:
            raise RuntimeError("the journal is not whole")
        check.append(ROWS / (time.perf_counter() - began))
    journal.close()
    rows = [
        ("calls of one key on one day", f"{median(query):.1f} ms"),
        ("verify, rows a second", f"{median(check):,.0f}"),
    ]
    goals = [
        Goal("ms for the calls of one key on one day", median(query), 100),
        Goal("rows verified a second", median(check), 200_000, True),
    ]
    notes = [f"{ROWS:,} rows over ten days, {KEYS} keys"]
    return Figure("journal: a million rows", rounds, ("", "median"), rows, goals, notes, {"ms": query, "rows/s": check})


def batches() -> Iterator[list[Request]]:
    step = 86_400 * 10 / ROWS
    for first in range(0, ROWS, 10_000):
        yield [
            Request(BEGAN + n * step, f"k{n % KEYS:07}", "listThings", "GET", 200, 1024, 0.002, f"r-{n}", "203.0.113.7")
            for n in range(first, first + 10_000)
        ]
