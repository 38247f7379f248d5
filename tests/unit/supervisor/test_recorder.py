"""The log is read when there is something to read; trouble is seen without that too."""

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from exposer import procs
from exposer.gateway.accesslog import CURRENT, AccessLog, Batch, begin
from exposer.journal import Filter, Head, Journal, Request
from exposer.state.facts import Recorded
from exposer.supervisor import recorder
from exposer.supervisor.recorder import Recorder, RecordRules
from tests.support.eventually import eventually
from tests.unit.gateway.test_accesslog import line


class Log(AccessLog):
    """The real one; it counts how often it is read, and its disk may be full."""

    reads = 0
    full = False

    def read(self, reading: Mapping[str, int]) -> Batch:
        self.reads += 1
        return super().read(reading)

    def room(self) -> int:
        return 0 if self.full else super().room()


class Scene:
    def __init__(self, folder: Path, journal: Journal) -> None:
        begin(folder)
        self.log, self.journal, self.told = Log(folder), journal, list[Recorded]()
        self.closed: list[str] = []
        rules = RecordRules(1e9, 10**9, refuse=True)
        self.recorder = Recorder(self.log, journal, rules, self.told.append, self.closed.append, lambda: None)
        self._path = folder / CURRENT

    def write(self, data: bytes) -> None:
        with self._path.open("ab") as file:
            file.write(data)

    def recorded(self) -> list[str]:
        return [request.request for _, request in self.journal.requests(Filter(), 1000)]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    folder = tmp_path / "gateway"
    folder.mkdir()
    journal = Journal(tmp_path / "journal.db")
    yield Scene(folder, journal)
    journal.close()


def test_a_log_that_has_not_grown_is_not_read_again_and_each_line_is_taken_in(scene: Scene) -> None:
    scene.recorder.step()
    for _ in range(3):
        scene.recorder.step()
    assert scene.log.reads == 1
    for number in ("1", "2"):
        scene.write(line(request=number))
        scene.recorder.step()
        scene.recorder.step()
    assert sorted(scene.recorded()) == ["1", "2"]
    assert scene.log.reads == 3


def test_half_a_line_is_taken_in_when_its_rest_has_come(scene: Scene) -> None:
    whole = line(request="1")
    scene.write(whole[:20])
    scene.recorder.step()
    scene.recorder.step()
    assert scene.recorded() == []
    scene.write(whole[20:])
    scene.recorder.step()
    assert scene.recorded() == ["1"]


def test_a_disk_without_room_closes_the_gate_though_nobody_calls(scene: Scene) -> None:
    scene.recorder.step()
    scene.log.full = True
    scene.recorder.step()
    assert [fact.kind for fact in scene.told] == ["unrecorded"]
    assert scene.closed[-1]
    scene.log.full = False
    scene.recorder.step()
    assert scene.closed[-1] == ""


def test_a_call_on_a_disk_without_room_is_on_record_once_however_long_that_lasts(scene: Scene) -> None:
    heard: list[str] = []
    scene.recorder.listeners.append(lambda requests: heard.extend(request.request for request in requests))
    scene.recorder.step()
    scene.log.full = True
    scene.write(line(request="1"))
    for _ in range(3):
        scene.recorder.step()
    scene.log.full = False
    scene.recorder.step()
    assert (scene.recorded(), heard) == (["1"], ["1"])
    assert [fact.kind for fact in scene.told] == ["unrecorded", "recorded-again"]
    assert scene.closed[-1] == ""


def test_an_end_of_the_record_that_was_altered_is_told_once(scene: Scene, tmp_path: Path) -> None:
    scene.write(line(request="1"))
    scene.recorder.step()
    db = sqlite3.connect(tmp_path / "journal.db")
    with db:
        db.execute("DELETE FROM requests")
    db.close()
    scene.write(line(request="2"))
    for _ in range(2):
        scene.recorder.close()
        scene.write(line(request="3"))
    assert [fact.kind for fact in scene.told] == ["record-altered"]
    assert scene.journal.broken() is not None


class Stalling(Journal):
    """Its disk stands still until it is told to go on, the first time that calls are put on record."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.stalled, self.go_on = threading.Event(), threading.Event()

    def record(self, requests: Sequence[Request], reading: Mapping[str, int]) -> None:
        if requests and not self.stalled.is_set():
            self.stalled.set()
            assert self.go_on.wait(60)
        super().record(requests, reading)


def test_a_call_is_on_record_once_though_the_disk_stood_still_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "END_WITHIN", 0.1)
    folder = tmp_path / "gateway"
    folder.mkdir()
    journal = Stalling(tmp_path / "journal.db")
    scene = Scene(folder, journal)
    heard: list[str] = []
    scene.recorder.listeners.append(lambda requests: heard.extend(request.request for request in requests))
    scene.recorder.start()
    scene.write(line(request="1"))
    assert journal.stalled.wait(30)
    scene.write(line(request="2"))
    reads = scene.log.reads
    closing = threading.Thread(target=scene.recorder.close)
    closing.start()
    procs.wait_until(lambda: scene.log.reads > reads, 2.0)  # when it may go wrong it does so now
    journal.go_on.set()
    for thread in (closing, scene.recorder._thread):
        thread.join(30)
        assert not thread.is_alive()
    assert (scene.recorded(), heard) == (["1", "2"], ["1", "2"])
    assert [fact.kind for fact in scene.told] == []
    assert journal.broken() is None
    journal.close()


class Reloading(Recorder):
    """The config is read anew at the worst moment, and names nobody any more who is told of the head."""

    def _is_due(self, what: str, every: float) -> bool:
        if what == "post":
            self.rules = RecordRules(1e9, 10**9, refuse=True)
        return what == "post"


def test_a_config_that_changes_while_the_head_is_sent_is_no_trouble(scene: Scene) -> None:
    posted: list[Mapping[str, Head]] = []
    rules = RecordRules(1e9, 10**9, refuse=True, post=posted.append)
    keeper = Reloading(scene.log, scene.journal, rules, scene.told.append, scene.closed.append, lambda: None)
    keeper.start()
    eventually(lambda: posted or scene.told, within=30)
    keeper.close()
    assert posted == [scene.journal.heads()]
    assert (scene.told, scene.closed) == ([], [])
