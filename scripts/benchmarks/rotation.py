"""Keys change under load: what is lost, when a new key is good, when an old one is not, and how its streams end."""

import json
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

from exposer import procs
from exposer.gateway import folder as place
from exposer.gateway.nginx import NginxProcess
from exposer.keys import ring as rings
from exposer.procs import Entry
from scripts.benchmarks import bare, loads
from scripts.benchmarks.callers import MANNERS, Line
from scripts.benchmarks.gateway import FULL, new_keys, our_policy
from scripts.benchmarks.measure import HERE, Figure, Goal, environment, percentile, say

ROTATIONS, REQUESTS = 50, 100_000
OPEN = 6  # connections that were open before and go on with a key that is revoked
PAUSE = 0.001  # what is measured must not wait for those who measure
STREAM = """
    server {{
        listen 127.0.0.1:{port};
        location / {{ default_type application/json; return 200 '{body}'; }}
        location /v1/things2 {{ limit_rate 40; return 200 '{body}'; }}
    }}
"""


def run(rounds: int) -> list[Figure]:
    """`rounds` says how many rotations: the usual number of rounds makes the 50 that the goal is about."""
    rotations = max(2, ROTATIONS * rounds // 7)
    say(f"rotation: {rotations} under load")
    with ExitStack() as stack:
        shared = "/dev/shm" if Path("/dev/shm").is_dir() else None
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="exposer-bench-", dir=shared)))
        folder.chmod(0o711)
        origin, _ = stack.enter_context(bare.nginx(folder / "origin", STREAM, body=loads.BODY))
        gate = stack.enter_context(gateway(folder, f"127.0.0.1:{origin}"))
        callers = [stack.enter_context(caller(gate, *which)) for which in everybody(gate)]
        time.sleep(1)
        taken = [gate.rotate() for _ in range(rotations)]
        said = [each() for each in callers]
    return [figure(rotations, taken, said)]


class Rotating:
    """A gateway, a key that stays for those who call all the time, and one that is replaced again and again."""

    def __init__(self, folder: Path, backend: str) -> None:
        self.folder = folder / "gateway"
        self.backend, self.probe = backend, secrets.token_hex(24)
        self.ring, clear = new_keys(FULL.keys)
        self.steady = folder / "steady"
        self.steady.touch(0o600)
        self.steady.write_text(clear[0])
        self.clear, self.key = clear[1], self.ring.keys[1]
        self.entry = self._part().start(self._record, self._tell)
        self.port = str(self.entry.detail["listen"]).rpartition(":")[2]

    def rotate(self) -> dict[str, float]:
        """A new key by a reload, then the end of the old one as `keys revoke` does it. Milliseconds."""
        old, old_clear = self.key, self.clear
        self.ring, secret = rings.mint(self.ring, f"next-{self.ring.generation}", time.time())
        self.key, self.clear = self.ring.keys[-1], secret.reveal()
        begun = time.monotonic()
        with Watcher(self.port, self.clear) as new:
            self._reload()
        everywhere = time.monotonic()
        with ExitStack() as stack:
            users = [stack.enter_context(User(self.port, old_clear)) for _ in range(OPEN)]
            stream = stack.enter_context(Stream(self.port, old_clear))
            time.sleep(0.1)
            revoked = time.monotonic()
            self.ring, _ = rings.revoke(self.ring, old.label, time.time())
            called = time.monotonic()
            place.revoke(self.folder, old.id)
            self._reload()
            stream.wait()
        return {
            "accepted": (new.first - begun) * 1000,
            "everywhere": (everywhere - begun) * 1000,
            "refused": max(0.0, max(user.last for user in users) - called) * 1000,
            "cut": (stream.ended - revoked) * 1000,
            "stray": sum(user.odd for user in users),
        }

    def close(self) -> None:
        self._part().stop(self.entry)
        procs.reap()

    def _part(self) -> NginxProcess:
        return NginxProcess(self.folder, our_policy(self.ring, self.backend, FULL, self.probe), workers=2)

    def _reload(self) -> None:
        part = self._part()
        self.entry = part.reload(self.entry, self._record, self._tell)

    def _record(self, entry: Entry) -> None:
        pass

    def _tell(self, text: str) -> None:
        pass


class Background:
    """Something that goes on in a thread until it is left."""

    def __enter__(self) -> Any:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _go(self) -> None:
        raise NotImplementedError


class Watcher(Background):
    """Tries a key on new connections until it is accepted."""

    def __init__(self, port: str, clear: str) -> None:
        self.first = float("inf")
        self._port, self._head = port, head(clear)

    def _go(self) -> None:
        while not self._over.is_set() and self.first == float("inf"):
            line = Line(self._port)
            line.socket.sendall(self._head)
            if line.answer()[0] == 200:
                self.first = time.monotonic()
            line.socket.close()
            time.sleep(PAUSE)


class User(Background):
    """Calls with a key on one connection that it keeps, and remembers when it sent what was last accepted."""

    def __init__(self, port: str, clear: str) -> None:
        self.last, self.odd = 0.0, 0
        self._line, self._port, self._head = Line(port), port, head(clear)

    def _go(self) -> None:
        while not self._over.is_set():
            sent = time.monotonic()
            try:
                self._line.socket.sendall(self._head)
                status, stays = self._line.answer()
            except OSError:
                status, stays = 0, False
            self.last = sent if status == 200 else self.last
            self.odd += status not in (200, 401, 429)
            if not stays:
                self._line.socket.close()
                self._line = Line(self._port)
            time.sleep(PAUSE)
        self._line.socket.close()


class Stream(Background):
    """An answer that would go on for a long time."""

    def __init__(self, port: str, clear: str) -> None:
        self.ended = float("inf")
        self._socket = Line(port).socket
        self._socket.sendall(head(clear, "/v1/things2"))
        if b" 200 " not in self._socket.recv(100):
            raise RuntimeError("the stream did not begin")

    def _go(self) -> None:
        with suppress(ConnectionError):
            while self._socket.recv(65536):
                pass
        self.ended = time.monotonic()

    def wait(self) -> None:
        self._thread.join(15)

    def __exit__(self, *exc: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        super().__exit__(*exc)
        self._socket.close()


@contextmanager
def gateway(folder: Path, backend: str) -> Iterator[Rotating]:
    made = Rotating(folder, backend)
    try:
        yield made
    finally:
        made.close()


def everybody(gate: Rotating) -> list[tuple[str, str]]:
    """Each manner of calling, by the port and by the socket."""
    return [(manner, where) for manner in MANNERS for where in (gate.port, str(gate.folder / place.DOOR))]


@contextmanager
def caller(gate: Rotating, manner: str, where: str) -> Iterator[Any]:
    """A process that calls until what is yielded is called: that returns what it counted."""
    argv = [sys.executable, "-m", "scripts.benchmarks.callers", manner, where, str(gate.steady)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment(), cwd=HERE)

    def end() -> dict[str, Any]:
        process.send_signal(signal.SIGTERM)
        counted: dict[str, Any] = json.loads(process.communicate(timeout=60)[0])
        return {"manner": manner, "by": "port" if where.isdigit() else "socket", **counted}

    try:
        yield end
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def head(clear: str, path: str = "/v1/things0") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {clear}\r\n\r\n".encode()


def figure(rotations: int, taken: list[dict[str, float]], said: list[dict[str, Any]]) -> Figure:
    names = {
        "accepted": "new key first accepted",
        "everywhere": "new key accepted everywhere",
        "refused": "old key last sent and accepted",
        "cut": "its running stream ended",
    }
    every = {name: [each[name] for each in taken] for name in names}
    rows = [
        (names[name], f"{median(found):.1f}", f"{percentile(found, 0.95):.1f}", f"{max(found):.1f}")
        for name, found in every.items()
    ]
    served, lost = (sum(each[what] for each in said) for what in ("served", "lost"))
    lost += sum(int(each["stray"]) for each in taken)
    goals = [
        Goal("requests lost", lost, 0),
        Goal("a new key accepted, median in ms", median(every["accepted"]), 50),
        Goal("a revoked key refused on every connection, longest in ms", max(every["refused"]), 5),
        Goal("its streams cut, longest in ms", max(every["cut"]), 500),
    ]
    if rotations >= ROTATIONS:
        goals.append(Goal("requests meanwhile", served, REQUESTS, True))
    notes = [
        f"{rotations} rotations, two reloads each; {served:,} requests by the port and by the unix socket, {lost} lost",
        "callers: kept connections, kept ones with pauses, new ones, heads sent in two halves",
        *(f"lost: {each['manner']} by the {each['by']}: {each['samples']}" for each in said if each["lost"]),
    ]
    data: dict[str, object] = {"samples": taken, "callers": said}
    heads = ("ms", "median", "p95", "longest")
    return Figure("rotation: keys change under load", rotations, heads, rows, goals, notes, data)
