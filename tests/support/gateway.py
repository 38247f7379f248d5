"""A real gateway in front of the echo backend, with keys and operations to try it."""

import base64
import contextlib
import http.client
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from exposer.config.model import Auth, Limits, Rate
from exposer.gateway.accesslog import parse
from exposer.gateway.nginx import NginxProcess, Runner
from exposer.gateway.own_calls import OwnCalls
from exposer.gateway.policy import Policy
from exposer.gateway.policy import compile as compile_policy
from exposer.keys import ring as rings
from exposer.keys.model import KeyState, Ring
from exposer.openapi.model import Operation
from exposer.procs import Entry, ProcessId
from exposer.secret import Secret
from tests.support.echo import Echo
from tests.support.eventually import eventually

PROBE, ANSWER = "5" * 40, "it is me"


def op(method: str, path: str) -> Operation:
    return Operation(f"{method} {path}", method, path, path)


OPERATIONS = (
    op("GET", "/v1/items"),
    op("GET", "/v1/items/{id}"),
    op("POST", "/v1/items"),
    op("GET", "/v1/files/{name}.{ext}"),
    op("GET", "/rest/v{version}/x"),
    op("GET", "/latest.{ext}"),
    op("GET", "/图书/目 录"),
    op("GET", "/odata/items({id})"),
    op("GET", "/trailing/"),
    op("DELETE", "/v1/items/{id}"),
)
HIDDEN = (op("GET", "/v1/items/export"), op("GET", "/admin"), op("DELETE", "/v1/items"))


def make_policy(ring: Ring, upstream: str, **changes: Any) -> Policy:
    """A policy with a generous rate, so that only tests about rates meet it."""
    given: dict[str, Any] = {
        "ring": ring,
        "operations": OPERATIONS,
        "hidden": HIDDEN,
        "auth": Auth(methods=("api-key", "bearer", "basic")),
        "limits": Limits(rate=Rate(100_000, 1), timeout=30.0),
        "upstream": upstream,
        "upstream_host": "app.internal",
        "now": 1000.0,
        "probe": PROBE,
        "probe_answer": ANSWER,
    }
    return compile_policy(**(given | changes))


def with_decoy(ring: Ring, label: str) -> Ring:
    return replace(
        ring,
        keys=tuple(replace(key, state=KeyState.DECOY) if key.label == label else key for key in ring.keys),
    )


def basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@dataclass
class Reply:
    """An answer, with every header."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Vault:
    """Stands for the key ring's, which encrypts with a key of its own."""

    def __init__(self) -> None:
        self._fernet = Fernet(Fernet.generate_key())

    def seal(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def unseal(self, sealed: str) -> str:
        return self._fernet.decrypt(sealed.encode()).decode()


VAULT = Vault()


class Gate:
    """One gateway: `alice` and `bob` have keys. `close` ends it."""

    def __init__(self, root: Path, **changes: Any) -> None:
        self.echo = Echo()
        self.folder = root / "run" / "gateway"
        self.ring = rings.new_ring()
        self.keys: dict[str, str] = {}
        for label in ("alice", "bob"):
            self.mint(label)
        self.runner: Runner | None = changes.pop("runner", None)
        self.changes = changes
        self.own_calls = OwnCalls()
        self.reads: tuple[str, ...] = ()  # what the self-test may ask for
        self.own: dict[str, dict[str, Any]] = {}  # what single keys may take, by label
        self.entries: list[Entry] = []
        self.told: list[str] = []
        self.part = self.make()
        self.entry: Entry | None = None

    def mint(self, label: str) -> None:
        self.ring, clear = rings.mint(self.ring, label, 0.0)
        self.keys[label] = clear.reveal()

    def rotate(self, label: str, grace: float) -> str:
        """Returns the old key."""
        old = self.keys[label]
        self.ring, clear, _ = rings.rotate(self.ring, label, 1000.0, grace=grace)
        self.keys[label] = clear.reveal()
        return old

    def key_id(self, label: str) -> str:
        return self.keys[label].split("_")[1]

    def make(
        self, *, templates: str = "", workers: int = 2, port: int = 0, ca: str = "", **changes: Any
    ) -> NginxProcess:
        policy = make_policy(self.ring, **({"upstream": self.echo.url} | self.changes | changes))
        own = {self.key_id(label): what for label, what in self.own.items()}
        policy = replace(policy, passers=tuple(replace(each, **own.get(each.id, {})) for each in policy.passers))
        return NginxProcess(
            self.folder,
            policy,
            templates=templates,
            workers=workers,
            port=port,
            ca=ca,
            runner=self.runner,
            own=self.own_calls,
            vault=VAULT,
            hidden=HIDDEN,
            reads=lambda: self.reads,
        )

    def start(self) -> "Gate":
        self.entry = self.part.start(self.entries.append, self.told.append)
        return self

    def reload(self, **changes: Any) -> None:
        assert self.entry is not None
        part = self.make(**changes)
        self.entry = part.reload(self.entry, self.entries.append, self.told.append)
        self.part = part

    @property
    def port(self) -> int:
        assert self.entry is not None
        return int(self.entry.detail["listen"].rpartition(":")[2])

    def key(self, label: str = "alice") -> dict[str, str]:
        return {"X-API-Key": self.keys[label]}

    def call(
        self, target: str, headers: Mapping[str, str] | None = None, method: str = "GET", body: bytes | None = None
    ) -> Reply:
        """One call on a connection of its own; with alice's key unless other headers are given."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=40)
        try:
            return ask(connection, target, self.key() if headers is None else headers, method, body)
        finally:
            connection.close()

    def raw(self, data: bytes) -> bytes:
        """Sends bytes as they are and returns all that comes back."""
        got: list[bytes] = []
        with socket.create_connection(("127.0.0.1", self.port), timeout=40) as connection:
            connection.sendall(data)
            with contextlib.suppress(ConnectionResetError):
                got.extend(iter(lambda: connection.recv(65536), b""))
        return b"".join(got)

    def head(self, target: str, *more: str, method: str = "GET", key: str = "alice") -> bytes:
        """A request head, spelled out."""
        lines = [f"{method} {target} HTTP/1.1", "Host: x", "Connection: close", f"X-API-Key: {self.keys[key]}", *more]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def status(self, target: str, *more: str, method: str = "GET") -> int:
        answer = self.raw(self.head(target, *more, method=method))
        return int(answer.split(b" ", 2)[1]) if answer else 0

    def refusal(self, target: str, headers: Mapping[str, str], method: str = "GET", body: bytes | None = None) -> Reply:
        """The answer to a bad call, as soon as bad callers have their quota back."""
        found: list[Reply] = []

        def answered() -> bool:
            found.append(self.call(target, headers, method, body))
            return found[-1].status != 429

        eventually(answered)
        return found[-1]

    def close(self) -> None:
        if self.entry is not None:
            self.part.stop(self.entry)
        self.echo.close()


def slowed_down(call: Callable[[], Reply]) -> list[Reply]:
    """The refusals of a caller who goes on calling: there are many before long, on a slow machine after more calls."""
    refused: list[Reply] = []
    for _ in range(400):
        reply = call()
        refused += [reply] if reply.status == 429 else []
        if len(refused) >= 20:
            return refused
    raise AssertionError(f"only {len(refused)} of 400 calls were refused")


def process(gate: Gate) -> ProcessId:
    assert gate.entry is not None
    assert gate.entry.process is not None
    return gate.entry.process


def workers(gate: Gate) -> list[ProcessId]:
    return gate.part._runner.workers(process(gate))


def ask(
    connection: http.client.HTTPConnection,
    target: str,
    headers: Mapping[str, str],
    method: str = "GET",
    body: bytes | None = None,
) -> Reply:
    """One call on an open connection; the target goes out as it is."""
    connection.putrequest(method, target, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused before all of the body was sent
        connection.endheaders(body)
    response = connection.getresponse()
    return Reply(response.status, response.headers, response.read())


def secret_header(value: str) -> tuple[str, Secret]:
    return "Authorization", Secret(value)


def log(gate: Gate) -> list[dict[str, object]]:
    """What the log has of callers; the first line is the file's own name, and the last may still be being written."""
    lines = (gate.folder / "access.log").read_bytes().split(b"\n")[1:-1]
    return [json.loads(line) for line in lines if (said := parse(line)) is None or gate.own_calls.others((said,))]
