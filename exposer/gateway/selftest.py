"""Puts the self-test's questions to a running gateway, all at once, and judges the answers."""

import json
import secrets
import selectors
import socket
import struct
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from exposer import procs
from exposer.gateway import proof
from exposer.gateway.credential import credential
from exposer.gateway.folder import DRAINING, LIVE, make_like, revoke
from exposer.gateway.folder import read as read_files
from exposer.gateway.own_calls import OwnCalls
from exposer.gateway.own_keys import OwnKey, OwnKeys, mint_keys
from exposer.gateway.policy import Policy
from exposer.gateway.probes import Probe, Question, probes, questions
from exposer.openapi.model import Operation
from exposer.wire import Answer, NoAnswerError, request, short_socket_path

PATIENCE = 2.0  # for the answers of a gateway that is well, on a busy machine
STRANGERS = 8  # so many refused calls an address is let make at once, and we do not use up what is others'
REFUSALS = (400, 401, 403, 404, 405, 408, 413, 414, 429, 501, 503, 505)
TOO_LARGE, CLOSED = 413, 503
LARGEST = 4096
MOST_BYTES = 65536
AT_ONCE = struct.pack("ii", 1, 0)  # a connection that is closed leaves nothing behind
TRIES = 3  # that a gateway which answers others gets, until silence counts
SLOW = 3.0  # a harmless call that takes longer proves nothing


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back on one connection. `refused`: it is a refusal of the gateway's own; `id` is the call's."""

    status: int
    refused: bool
    id: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a self-test has shown. `hole` is a call that was not refused, `trouble` what else is wrong, each as a
    sentence; `passed` is the call with a key that got through, "" when none was made, and `why` says why."""

    calls: int = 0
    hole: str = ""
    trouble: str = ""
    passed: str = ""
    why: str = ""


@dataclass
class SelfTest:
    """For one policy, in the folder of its gateway. `keys` is None until its files were rendered or taken over; `reads`
    gives calls that are harmless; `open` tells whether anybody may be let in just now."""

    folder: Path
    policy: Policy
    hidden: Collection[Operation] = ()
    reads: Callable[[], Collection[str]] = tuple
    own: OwnCalls = field(default_factory=OwnCalls)
    open: Callable[[], bool] = lambda: True
    keys: OwnKeys | None = None
    calls: int = 0

    def with_keys(self) -> Policy:
        """The policy with new keys of ours in it, for files that are about to be written."""
        self.keys = mint_keys(self.policy)
        return replace(self.policy, passers=(*self.policy.passers, *self.keys.passers))

    def hole(self, listen: str) -> str:
        """The first call that is not refused, as a sentence; "" when all are."""
        found, trouble = self._ask(listen)
        return found or trouble

    def prove(self, listen: str, *, whole: bool) -> Proof:
        """All of it, or, when that has just been done, no more than the call that must get through."""
        found = trouble = passed = why = ""
        if whole or not self.calls:
            found, trouble = self._ask(listen)
        if not (found or trouble):
            passed, why, trouble = self._pass(f"http://{listen}")
        calls, self.calls = self.calls, 0
        return Proof(calls, found, trouble, passed, why)

    def base(self) -> str:
        """The gateway's own address, where it was told to listen last."""
        return f"http://{read_files(self.folder, ['listen']).get('listen', '')}"

    def questions(self) -> tuple[Question, ...]:
        """What the public address is to be asked."""
        return questions(self.policy, self.keys if self.open() else None, self.reads())

    @contextmanager
    def admitted(self, key: OwnKey | None) -> Iterator[None]:
        """Lets one of our keys in for as long as this lasts. A gateway without a folder for keys lets in nobody."""
        if key is None:
            yield
            return
        try:
            place = next((self.folder / name for name in (DRAINING, LIVE) if (self.folder / name).is_dir()), None)
            with suppress(FileNotFoundError):
                (place or make_like(self.folder, LIVE)).joinpath(key.id).touch(0o600)
            yield
        finally:
            revoke(self.folder, key.id)

    def _ask(self, listen: str) -> tuple[str, str]:
        """What was not refused, and what else was wrong."""
        keys = self.keys if self.open() else None
        asked = probes(self.policy, self.hidden, keys)
        with self.own.asking(), self.admitted(keys.inside if keys else None):
            replies = ask(listen, asked, self._answers(listen))
            self.own.refused(reply.id for reply in replies if reply is not None)
        self.calls += len(asked)
        for probe, reply in zip(asked, replies, strict=True):
            if reply is None:
                return f"{probe.name} was not refused", ""
            if not reply.refused and reply.status:
                return f"{probe.name} was not refused: it was answered {reply.status}", ""
        if any(reply is not None and not reply.status for reply in replies):
            return "", "the gateway does not answer"
        if keys is not None and all(reply and reply.status == 401 for reply in replies):
            return "", "a call with a valid key is refused like one without"
        return "", ""

    def _answers(self, listen: str) -> Callable[[], bool]:
        base = listen if listen.startswith("unix:") else f"http://{listen}"
        return lambda: proof.refuses(base, self.policy.probe, proof.UNTIL_SILENT)

    def _pass(self, base: str) -> tuple[str, str, str]:
        """Which call with a key got through, or why none was made, or what is wrong with it."""
        if self.keys is None:
            return "", "the gateway was taken over from an earlier supervisor, whose key for this is gone", ""
        if not self.open():
            return "", "nobody is let in at present", ""
        if self.policy.allow_from is not None:
            return "", "this machine is not on the list of addresses (limits.allow_from)", ""
        slow = ""
        for path in [*self.reads()][:3]:
            with self.own.asking(), self.admitted(self.keys.inside):
                self.calls += 1
                answer = with_key(base, Question("", "GET", path, self._shown(self.keys.inside)))
            if answer is None:
                self.own.passed(self.keys.inside.id)  # it is on record once the backend has answered, or nobody waits
                slow = f"GET {path} took more than {SLOW:g} s"
                continue
            if not lets_in(answer):
                self.own.refused([request_id(answer)])
                if answer.status == CLOSED and self.policy.doors:
                    return "", "the second tunnel is open, and not the one by which this is asked", ""
                return "", "", f"a call with a valid key does not get through: GET {path} is answered {answer.status}"
            self.own.passed(self.keys.inside.id)
            return f"GET {path}", "", ""
        return "", slow or "no published call is known to be harmless without parameters", ""

    def _shown(self, key: OwnKey) -> dict[str, str]:
        return credential(self.policy.methods, self.policy.header, key.clear.reveal())


def with_key(base: str, question: Question) -> Answer | None:
    """The beginning of an answer, None when it does not come soon."""
    headers = {**question.headers, "User-Agent": "exposer self-test"}
    try:
        return request(base, question.path, headers=headers, timeout=SLOW, limit=LARGEST, cut=True)
    except NoAnswerError:
        return None


def is_refusal(answer: Answer) -> bool:
    """Whether an answer is the gateway's own, and not the backend's."""
    return answer.headers.get("content-type", "").startswith("application/problem+json") and request_id(answer) != ""


def lets_in(answer: Answer) -> bool:
    """Whether a key was let in: an answer that is too large was given by the backend too."""
    return answer.status == TOO_LARGE or not is_refusal(answer)


def request_id(answer: Answer) -> str:
    """The id that a refusal tells its caller; "" when it tells none."""
    return _told(answer.body)[1]


def ask(listen: str, asked: Sequence[Probe], answers: Callable[[], bool]) -> list[Reply | None]:
    """The reply to each, None where there was only silence although a call that came later was answered."""
    net = f"127.{1 + secrets.randbelow(254)}.{secrets.randbelow(256)}"
    bodiless = [probe.head.startswith(b"HEAD ") for probe in asked]
    got = [bytearray() for _ in asked]

    def whole(number: int) -> bool:
        """nginx holds a connection for a while when it refuses without waiting for a body."""
        return read(bytes(got[number]), bodiless=bodiless[number]).refused

    with selectors.DefaultSelector() as selector:
        sockets = [_send(listen, probe, f"{net}.{1 + n // STRANGERS}") for n, probe in enumerate(asked)]
        try:
            for number, one in enumerate(sockets):
                if one is not None:
                    selector.register(one, selectors.EVENT_READ, number)
            _collect(selector, got, whole, PATIENCE)
            sane = True
            for _ in range(TRIES):
                if not selector.get_map() or not (sane := answers()):
                    break
                _collect(selector, got, whole, PATIENCE / 2)
            silent = {key.data for key in selector.get_map().values()}
        finally:
            for one in sockets:
                if one is not None:
                    one.close()
    unheard = None if sane else Reply(0, False)
    return [
        unheard if n in silent and not data else read(bytes(data), bodiless=bodiless[n]) for n, data in enumerate(got)
    ]


def read(data: bytes, *, bodiless: bool = False) -> Reply:
    """A reply as far as it matters here: only what has the very form of the gateway's own refusals counts as one.
    `bodiless`: it answers HEAD."""
    front, _, body = data.partition(b"\r\n\r\n")
    words = front.split(b" ", 2)
    status = int(words[1]) if len(words) > 1 and words[0].startswith(b"HTTP/1.") and words[1].isdigit() else 0
    if status not in REFUSALS:
        return Reply(status, False)
    said, told = _told(body)
    return Reply(status, b"application/problem+json" in front if bodiless else said == status, told)


def _told(body: bytes) -> tuple[int, str]:
    """The status and the id in a problem's body."""
    try:
        said = json.loads(body)
        return int(said["status"]), str(said["request_id"])
    except (ValueError, KeyError, TypeError):
        return 0, ""


def _send(listen: str, probe: Probe, source: str) -> socket.socket | None:
    """Comes from a loopback address of its own, so that the quota of bad callers is left to others. None when nobody
    listens."""
    host, _, port = listen.rpartition(":")
    one = socket.socket(socket.AF_UNIX if host == "unix" else socket.AF_INET, socket.SOCK_STREAM)
    try:
        one.settimeout(PATIENCE)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the port is not kept from whoever listens next
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        if host == "unix":
            with short_socket_path(port) as path:
                one.connect(path)
        else:
            with suppress(OSError):  # other systems than Linux have one loopback address only
                one.bind((source, 0))
            one.connect((host, int(port)))
        one.sendall(probe.head)
        one.setblocking(False)
    except OSError:
        one.close()
        return None
    return one


def _collect(
    selector: selectors.BaseSelector, got: list[bytearray], whole: Callable[[int], bool], patience: float
) -> None:
    """Takes in what comes; what has ended, or is whole, is taken off the selector."""
    until = procs.monotonic() + patience
    while selector.get_map() and (left := until - procs.monotonic()) > 0:
        for key, _ in selector.select(left):
            try:
                data = key.fileobj.recv(65536)  # type: ignore[union-attr]
            except (BlockingIOError, InterruptedError):
                continue
            except OSError:
                data = b""
            got[key.data] += data
            if not data or whole(key.data) or len(got[key.data]) > MOST_BYTES:
                selector.unregister(key.fileobj)
