"""What a real gateway has answered is what the journal has: over rotation, kills and a full disk, each call once."""

import http.client
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from exposer.gateway import accesslog
from exposer.gateway.accesslog import CURRENT, OLD, AccessLog
from exposer.gateway.host import find_nginx
from exposer.gateway.shutter import Shutter
from exposer.journal import Filter, Journal, Request
from exposer.state.facts import Recorded
from exposer.supervisor.recorder import Recorder, RecordRules, take_in
from tests.support.disk import fill, mounted
from tests.support.eventually import eventually
from tests.support.gateway import Gate, ask

pytestmark = [pytest.mark.nginx, pytest.mark.skipif(not find_nginx(), reason="nginx is not installed")]
RULES = RecordRules(86_400.0, 10**9, refuse=False)


@pytest.fixture
def gate(fresh: Gate) -> Gate:
    return fresh


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal.db")
    yield opened
    opened.close()


def recorder(gate: Gate, journal: Journal, told: list[Recorded], rules: RecordRules = RULES) -> Recorder:
    return Recorder(
        AccessLog(gate.folder),
        journal,
        rules,
        told.append,
        Shutter(gate.folder).shut,
        lambda: gate.entry.process if gate.entry else None,
        gate.own_calls,
    )


def stop(gate: Gate) -> None:
    assert gate.entry is not None
    gate.part.stop(gate.entry)


def recorded(journal: Journal) -> list[Request]:
    return [request for _, request in journal.requests(Filter(), 1_000_000)]


class Callers:
    """Calls without a pause, on connections kept open and on new ones; `answered` counts by status."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._end = threading.Event()
        self.answered = 0
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._call, args=(kept,)) for kept in (True, True, False)]
        for thread in self._threads:
            thread.start()

    def _call(self, kept: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._gate.port, timeout=40)
        while not self._end.is_set():
            try:
                reply = ask(connection, "/v1/items", self._gate.key())
            except ConnectionError:  # a reload ends one that was idle, as when this thread had to wait for its turn
                connection.close()
                continue
            with self._lock:
                self.answered += reply.status == 200
            if not kept:
                connection.close()  # the next call opens it again
        connection.close()

    def end(self) -> int:
        self._end.set()
        for thread in self._threads:
            thread.join(timeout=60)
        return self.answered


def test_a_call_is_on_record_with_its_key_operation_bytes_and_address(gate: Gate, journal: Journal) -> None:
    gate.start()
    reply = gate.call("/v1/items/7?secret=value")
    gate.call("/v1/items", {})
    gate.call("/admin?x=1")
    told: list[Recorded] = []
    record = recorder(gate, journal, told)
    eventually(lambda: (record.step(), len(recorded(journal)) >= 3)[1])
    first, refused, hidden = sorted(recorded(journal), key=lambda request: request.status)  # in any order
    assert (first.key, first.operation, first.method, first.status) == (
        gate.key_id("alice"),
        "GET /v1/items/{id}",
        "GET",
        200,
    )
    assert (first.bytes, first.address, first.path) == (len(reply.body), "127.0.0.1", "")
    assert (refused.key, refused.status, refused.path) == ("", 401, "/v1/items")
    assert (hidden.key, hidden.operation, hidden.status, hidden.path) == (gate.key_id("alice"), "", 404, "/admin")
    assert told == []


def test_a_key_in_an_address_is_never_on_record(gate: Gate, journal: Journal) -> None:
    for whole in (False, True):
        gate.changes["log_queries"] = whole
        gate.part = gate.make()
        gate.start()
        key = gate.keys["alice"]
        gate.call(f"/v1/items?key={key}&a=1", {})
        gate.call(f"/nowhere/{key}", {})
        gate.call("/v1/items?a=2")
        eventually(lambda: (gate.folder / CURRENT).read_bytes().count(b'"address":"127.0.0.1"') == 3)
        text = (gate.folder / CURRENT).read_text()
        assert key not in text
        assert ("?a=2" in text) == whole
        stop(gate)
        (gate.folder / CURRENT).unlink()


@pytest.mark.slow
def test_no_call_is_lost_or_taken_twice_over_rotations(
    gate: Gate, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accesslog, "LARGE", 20_000)
    gate.start()
    told: list[Recorded] = []
    record = recorder(gate, journal, told)
    record.start()
    callers = Callers(gate)
    begun = time.monotonic()
    seen = set()
    while (passed := time.monotonic() - begun) < 8 or (len(seen) < 3 and passed < 120):
        with suppress(FileNotFoundError):
            seen.add((gate.folder / CURRENT).read_bytes()[:40])  # its name; an inode may be given to the next but one
        gate.reload()
    answered = callers.end()
    stop(gate)
    record.close()
    found = recorded(journal)
    assert len({request.request for request in found}) == len(found)
    assert len([r for r in found if r.status == 200]) == answered
    assert (told, journal.broken()) == ([], None)
    assert len(seen) > 2


READER = """
import sys
from exposer.gateway import accesslog
from exposer.gateway.accesslog import AccessLog
from exposer.journal import Journal
from exposer.supervisor.recorder import Recorder, RecordRules
from exposer.procs import ProcessId
from pathlib import Path

accesslog.LARGE = 20_000
master = ProcessId.of(int(sys.argv[3]))
record = Recorder(AccessLog(sys.argv[1]), Journal(Path(sys.argv[2])), RecordRules(1e9, 10**9, False), print,
                  lambda why: None, lambda: master)
record._run()
"""


@pytest.mark.slow
def test_a_reader_that_is_killed_again_and_again_loses_nothing_and_takes_nothing_twice(
    gate: Gate, journal: Journal, tmp_path: Path
) -> None:
    gate.start()
    assert gate.entry is not None
    assert gate.entry.process is not None
    callers = Callers(gate)
    chance = random.Random(7)
    argv = [sys.executable, "-c", READER, str(gate.folder), str(tmp_path / "journal.db"), str(gate.entry.process.pid)]
    for _ in range(12):
        child = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        threading.Event().wait(0.4 + chance.random())
        child.send_signal(signal.SIGKILL)
        child.wait()
    answered = callers.end()
    stop(gate)
    take_in(AccessLog(gate.folder), journal)
    found = recorded(journal)
    assert len({request.request for request in found}) == len(found)
    assert len([r for r in found if r.status == 200]) == answered
    assert answered > 100
    assert journal.broken() is None


def test_on_a_full_disk_calls_wait_in_the_log_and_are_taken_in_later(gate: Gate, tmp_path: Path) -> None:
    gate.start()
    told: list[Recorded] = []
    with mounted(tmp_path / "small", "size=300k") as place:
        journal = Journal(place / "journal.db")
        record = recorder(gate, journal, told)
        record.step()
        fill(place)
        for _ in range(30):
            gate.call("/v1/items")
        eventually(lambda: (gate.folder / CURRENT).read_bytes().count(b'"status":200') == 30)
        record.step()
        assert [said.kind for said in told] == ["unrecorded"]
        assert "full" in told[0].trouble
        assert gate.call("/v1/items").status == 200  # "report": it goes on
        (place / "filler").unlink()
        eventually(lambda: (record.step(), len(recorded(journal)) == 31)[1])
        assert [said.kind for said in told] == ["unrecorded", "recorded-again"]
        assert told[1].trouble == ""
        journal.close()


def test_with_refuse_no_call_passes_that_cannot_be_recorded(gate: Gate, tmp_path: Path) -> None:
    gate.start()
    told: list[Recorded] = []
    with mounted(tmp_path / "small", "size=300k") as place:
        journal = Journal(place / "journal.db")
        record = recorder(gate, journal, told, RecordRules(86_400.0, 10**9, refuse=True))
        gate.call("/v1/items")
        fill(place)
        eventually(lambda: (record.step(), bool(told))[1])
        assert gate.call("/v1/items").status == 401
        journal.close()


def test_what_is_left_in_the_log_is_taken_in_where_no_supervisor_runs(gate: Gate, journal: Journal) -> None:
    gate.start()
    for _ in range(5):
        gate.call("/v1/items")
    stop(gate)
    take_in(AccessLog(gate.folder), journal)
    assert len(gate.own_calls.others(recorded(journal))) == 5
    assert journal.reading() == {}
    take_in(AccessLog(gate.folder.parent / "gone"), journal)


def test_whoever_listens_gets_every_batch_in_order(gate: Gate, journal: Journal) -> None:
    gate.start()
    record = recorder(gate, journal, [])
    heard: list[Request] = []
    record.listeners.append(heard.extend)
    for n in range(4):
        gate.call(f"/v1/items/{n}")
    eventually(lambda: (record.step(), len(heard) == 4)[1])
    assert heard == recorded(journal)


def test_a_log_that_is_gone_is_said(gate: Gate, journal: Journal) -> None:
    gate.start()
    told: list[Recorded] = []
    record = recorder(gate, journal, told)
    gate.call("/v1/items")
    eventually(lambda: (record.step(), len(recorded(journal)) == 1)[1])
    (gate.folder / CURRENT).unlink()
    record.step()
    assert [said.kind for said in told] == ["log-missing"]
    assert not (gate.folder / OLD).exists()
    assert os.path.lexists(gate.folder)
