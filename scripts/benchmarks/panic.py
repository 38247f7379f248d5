"""How long data goes on leaving after `exposer panic` was typed, with a download in progress."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from scripts.benchmarks import measure
from scripts.benchmarks.measure import EXPOSER, Figure, percentile, say
from scripts.benchmarks.trial import Trial, command_config, trial

RUNS = 20
PACE = 25_000_000  # bytes a second that the reader takes
PIECE = 64 * 1024
CHOSEN = """[schema]\nclient = "openapi"\ninclude = ["GET /download"]"""
FLOWING = 4_000_000  # a download is in progress once so many bytes have come
WITHIN = 20.0


@dataclass(frozen=True)
class Cut:
    """One panic, in milliseconds from the start of its process; `after` counts the bytes that still came."""

    last_byte: float
    returned: float
    after: int


def run(rounds: int) -> list[Figure]:
    runs = max(RUNS, rounds)
    say("panic: a cut in the middle of a download")
    with trial(command_config("benchmarks/download.py", extra=CHOSEN)) as ours:
        cut_once(ours)  # warms up
        cuts = []
        for number in range(runs):
            cuts.append(cut_once(ours))
            say(f"  run {number + 1} of {runs}")
    return [figure(cuts)]


def cut_once(ours: Trial) -> Cut:
    """Online, a download, the panic, and back to where it can go online again."""
    ours.up()
    try:
        with download(ours) as reader:
            return panic(ours, reader)
    finally:
        ours.time("unlock", "--yes", ours.name)
        ours.time("down")


def panic(ours: Trial, reader: socket.socket) -> Cut:
    """Cuts while the reader reads on, as a caller would."""
    ended: list[tuple[float, int]] = []
    paced(reader, lambda count: count >= FLOWING)
    begun = time.monotonic()
    child = measure.start([EXPOSER, "panic", "--reason", "benchmark"], ours.env, log=ours.log)
    waiter = threading.Thread(target=lambda: ended.append((os.waitpid(child, 0)[1], time.monotonic())))
    waiter.start()
    flow = paced(reader, lambda count: time.monotonic() - begun > WITHIN)
    waiter.join()
    ((status, at),) = ended
    if status or not flow.over:
        raise RuntimeError(
            f"the panic ended with {status}; the download is {'cut' if flow.over else 'still in progress'}"
        )
    return Cut((flow.last - begun) * 1000, (at - begun) * 1000, flow.count)


@contextmanager
def download(ours: Trial) -> Iterator[socket.socket]:
    """A call with a key whose answer does not end. Little is kept on the reader's side: what it gets has just left."""
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PIECE)
        reader.settimeout(WITHIN)
        address = urlsplit(ours.url)
        reader.connect((address.hostname, address.port))
        reader.sendall(f"GET /download HTTP/1.1\r\nHost: bench\r\nX-API-Key: {ours.key}\r\n\r\n".encode())
        if not (head := reader.recv(PIECE)).startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"the download does not begin: {head[:200]!r}")
        yield reader


@dataclass(frozen=True)
class Flow:
    """What was read: how much, when the last of it came, and whether the other side has ended it."""

    count: int
    last: float
    over: bool


def paced(reader: socket.socket, enough: Callable[[int], bool]) -> Flow:
    """Reads at the reader's pace until it is enough, or over."""
    begun = last = time.monotonic()
    count = 0
    while not enough(count):
        try:
            data = reader.recv(PIECE)
        except ConnectionError:
            data = b""
        if not data:
            return Flow(count, last, True)
        count, last = count + len(data), time.monotonic()
        time.sleep(max(0.0, count / PACE - (last - begun)))
    return Flow(count, last, False)


def figure(cuts: list[Cut]) -> Figure:
    times = {
        "to the last byte that came": [cut.last_byte for cut in cuts],
        "to the command's return": [cut.returned for cut in cuts],
    }
    rows = [(name, *(f"{value:.0f}" for value in spread(values))) for name, values in times.items()]
    rows.append(("bytes that still came, kB", *(f"{value / 1000:,.0f}" for value in spread([c.after for c in cuts]))))
    notes = [
        f"from the start of the process `exposer panic`, ms; one download at {PACE // 1_000_000} MB/s over loopback",
        "the last bytes are what was in the kernel's buffers when the gateway was killed",
    ]
    data = {
        "last_byte_ms": [c.last_byte for c in cuts],
        "returned_ms": [c.returned for c in cuts],
        "bytes": [c.after for c in cuts],
    }
    return Figure(
        "panic: a cut in the middle of a download",
        len(cuts),
        ("", "p50", "p95", "max"),
        rows,
        [],
        notes,
        {"samples": data},
    )


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    return percentile(values, 0.5), percentile(values, 0.95), max(values)
