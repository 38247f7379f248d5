"""The journal keeps every call, says who took what, and notices when a row was altered."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exposer.journal import Filter, Journal, JournalError, Request, verify
from exposer.journal.chain import SEPARATOR, link_request
from exposer.journal.queries import COLUMNS
from tests.unit.journal.test_events import tamper

NOON = 1_795_700_000.0


def call(n: int = 0, **changes: object) -> Request:
    fields = {
        "at": NOON + n,
        "key": "aaaaaaaa",
        "operation": "listNotes",
        "method": "GET",
        "status": 200,
        "bytes": 100 + n,
        "duration": 0.012,
        "request": f"r-{n}",
        "address": "203.0.113.7",
    }
    return Request(**(fields | changes))  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    opened = Journal(path)
    yield opened
    opened.close()


def everything(journal: Journal) -> list[Request]:
    return [request for _, request in journal.requests(Filter(), 10_000)]


def test_calls_are_read_again_as_they_were_written(journal: Journal) -> None:
    written = [call(n, path="/x" * n, address="2001:db8::1") for n in range(5)]
    journal.record(written, {"log": 7})
    assert everything(journal) == written
    assert journal.requests(Filter(), 2) == [(4, written[3]), (5, written[4])]


def test_calls_and_how_far_the_log_was_read_are_kept_together_or_not_at_all(journal: Journal, path: Path) -> None:
    journal.record([call(1)], {"a": 10, "b": 3})
    assert journal.reading() == {"a": 10, "b": 3}
    tamper(path, "CREATE TRIGGER full BEFORE INSERT ON reading BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
    with pytest.raises(JournalError, match="the disk is full"):
        journal.record([call(2)], {"a": 20})
    assert (everything(journal), journal.reading()) == ([call(1)], {"a": 10, "b": 3})


def test_a_journal_of_the_version_before_is_taken_over_with_its_events(path: Path) -> None:
    first = Journal(path)
    event = first.append("old", n=1)
    first.close()
    tamper(path, "DROP TABLE requests")
    tamper(path, "DROP TABLE kept")
    tamper(path, "DROP TABLE reading")
    tamper(path, "PRAGMA user_version = 1")
    journal = Journal(path)
    journal.record([call()], {})
    assert (journal.events(), everything(journal), journal.broken()) == ([event], [call()], None)
    journal.close()


@pytest.mark.parametrize(
    ("statement", "seq", "why"),
    [
        ("UPDATE requests SET bytes = 1 WHERE seq = 3", 3, "changed"),
        ("UPDATE requests SET address = '198.51.100.1' WHERE seq = 2", 2, "changed"),
        ("UPDATE requests SET at = at + 1 WHERE seq = 4", 4, "changed"),
        ("UPDATE requests SET key = key || char(31), operation = substr(operation, 2) WHERE seq = 4", 4, "changed"),
        ("DELETE FROM requests WHERE seq = 1", 1, "missing"),
        ("DELETE FROM requests WHERE seq = 3", 3, "missing"),
        ("DELETE FROM requests WHERE seq = 5", 5, "missing: rows up to number 5"),
        ("DELETE FROM requests", 1, "missing"),
        (
            "INSERT INTO requests SELECT 6, at, key, operation, method, status, bytes, duration, request, address,"
            " path, chain FROM requests WHERE seq = 5",
            6,
            "changed",
        ),
    ],
)
def test_an_altered_row_is_named(journal: Journal, path: Path, statement: str, seq: int, why: str) -> None:
    journal.record([call(n) for n in range(1, 6)], {})
    journal.note_heads()
    assert journal.broken() is None
    tamper(path, statement)
    found = journal.broken()
    assert found is not None
    assert (found.table, found.seq) == ("requests", seq)
    assert why in found.why


RELINKED = "UPDATE requests SET bytes = 1, chain = {chain!r} WHERE seq = 5"


def relinked(path: Path) -> str:
    """The newest row changed, with the hash that goes with it."""
    db = sqlite3.connect(path)
    before = db.execute("SELECT chain FROM requests WHERE seq = 4").fetchone()[0]
    row = list(db.execute(f"SELECT {COLUMNS} FROM requests WHERE seq = 5").fetchone())
    db.close()
    row[6] = 1
    return RELINKED.format(chain=link_request(before, SEPARATOR.join(map(str, row))))


@pytest.mark.parametrize("noted", [True, False])
@pytest.mark.parametrize(
    "harm",
    [lambda path: "DELETE FROM requests WHERE seq > 2", lambda path: "DELETE FROM requests", relinked],
)
def test_nobody_hides_what_was_done_to_the_newest_rows_by_going_on(
    journal: Journal, path: Path, harm: Callable[[Path], str], noted: bool
) -> None:
    journal.record([call(n) for n in range(1, 6)], {})
    if noted:
        assert journal.note_heads() == []
    tamper(path, harm(path))
    for n in range(10, 20):
        journal.record([call(n)], {})
        assert journal.note_heads() == ["requests"]
    found = journal.broken()
    assert found is not None
    assert (found.table, found.seq) == ("requests", 5)
    again = Journal(path)
    assert again.note_heads() == ["requests"]
    assert again.broken() == found
    again.close()


@pytest.mark.parametrize(("kept", "seq"), [(0, 0), (0, -7), (3, 3), (3, 1)])
def test_a_row_put_in_before_the_first_is_named(journal: Journal, path: Path, kept: int, seq: int) -> None:
    journal.record([call(n) for n in range(1, 10)], {})
    while kept and journal.forget(NOON + kept + 1, 10**9):
        pass
    assert journal.broken() is None
    columns = COLUMNS.removeprefix("seq, ")
    tamper(path, f"INSERT INTO requests SELECT {seq}, {columns}, chain FROM requests WHERE seq = 5")
    found = journal.broken()
    assert found is not None
    assert (found.table, found.seq) == ("requests", seq)
    assert "put in" in found.why


def test_rows_that_are_removed_just_now_because_their_time_is_over_are_no_loss(journal: Journal, path: Path) -> None:
    """By the supervisor, while a command verifies."""
    journal.record([call(n) for n in range(10)], {})

    class Removing:
        turns = 0

        def __enter__(self) -> None:
            self.turns += 1
            if self.turns < 9:
                journal.forget(NOON + self.turns, 10**9)

        def __exit__(self, *_: object) -> None: ...

    db = sqlite3.connect(path)
    assert verify.broken(db, Removing(), {}, lambda: {"requests": 9}) is None  # type: ignore[arg-type]
    db.close()
    assert len(everything(journal)) < 10


def test_a_call_dated_back_by_a_clock_gone_wrong_takes_no_others_along(journal: Journal) -> None:
    written = [call(1), call(2), call(3, at=1000.0), call(4)]
    journal.record(written, {})
    while journal.forget(NOON, 10**9):
        pass
    assert everything(journal) == written
    while journal.forget(NOON + 3, 10**9):
        pass
    assert everything(journal) == written[3:]
    assert journal.broken() is None


@pytest.mark.parametrize("forgotten", [0, 2])
def test_nobody_passes_rows_off_as_too_old(journal: Journal, path: Path, forgotten: int) -> None:
    journal.record([call(n) for n in range(1, 10)], {})
    journal.note_heads()
    while journal.forget(NOON + forgotten + 1, 10**9):
        pass
    assert journal.broken() is None
    tamper(path, "INSERT OR REPLACE INTO kept SELECT 'requests', seq, chain FROM requests WHERE seq = 5")
    tamper(path, "DELETE FROM requests WHERE seq <= 5")
    for n in (20, 21):
        found = journal.broken()
        assert found is not None
        assert (found.table, found.seq) == ("requests", forgotten + 1)
        journal.record([call(n)], {})
        journal.note_heads()


def test_a_journal_that_knows_nothing_yet_of_what_may_go_is_whole(journal: Journal, path: Path) -> None:
    """One of the version before, or whose note is gone."""
    journal.record([call(n) for n in range(10)], {})
    journal.note_heads()
    while journal.forget(NOON + 5, 10**9):
        pass
    path.with_name(f"{path.name}.heads").unlink()
    assert journal.broken() is None
    journal.note_heads()
    while journal.forget(NOON + 7, 10**9):
        pass
    assert journal.broken() is None


def test_rows_whose_time_is_over_are_not_missed_by_the_note_of_the_newest(journal: Journal) -> None:
    journal.record([call(n) for n in range(5)], {})
    journal.note_heads()
    journal.record([call(n) for n in range(5, 10)], {})
    while journal.forget(NOON + 8, 10**9):
        pass
    assert journal.note_heads() == []
    assert journal.broken() is None


def test_two_calls_in_each_others_place_are_found(journal: Journal, path: Path) -> None:
    journal.record([call(n) for n in range(4)], {})
    for statement in ("-2 WHERE seq = 2", "2 WHERE seq = 3", "3 WHERE seq = -2"):
        tamper(path, f"UPDATE requests SET seq = {statement}")
    found = journal.broken()
    assert found is not None
    assert found.seq in (2, -2)


def test_a_journal_written_anew_as_a_whole_does_not_fit_the_head_that_was_noted(journal: Journal, path: Path) -> None:
    journal.record([call(n) for n in range(3)], {})
    journal.note_heads()
    noted = journal.noted_heads()
    journal.close()
    for left in path.parent.glob("journal.db*"):
        if not left.name.endswith(".heads"):
            left.unlink()
    other = Journal(path)
    other.record([call(n, bytes=1) for n in range(3)], {})
    found = other.broken()
    assert found is not None
    assert "not the row that was noted" in found.why
    assert noted["requests"].seq == found.seq
    other.close()


def test_a_long_journal_is_verified_piece_by_piece(
    journal: Journal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exposer.journal.verify.BATCH", 7)
    journal.record([call(n) for n in range(50)], {})
    journal.note_heads()
    assert journal.broken() is None
    journal.record([call(n) for n in range(50, 60)], {})
    assert journal.broken() is None
    tamper(path, "UPDATE requests SET status = 500 WHERE seq = 41")
    assert journal.broken_at() == 41


def test_only_what_is_asked_for_is_found(journal: Journal) -> None:
    calls = [
        call(0),
        call(1, key="bbbbbbbb"),
        call(2, operation="getNote", status=404),
        call(3, key="", operation="", status=401, path="/admin"),
        call(4, status=503),
    ]
    journal.record(calls, {})

    def found(**wanted: object) -> list[Request]:
        return [request for _, request in journal.requests(Filter(**wanted), 100)]  # type: ignore[arg-type]

    assert found(keys=("bbbbbbbb",)) == [calls[1]]
    assert found(keys=("aaaaaaaa", "bbbbbbbb")) == [calls[n] for n in (0, 1, 2, 4)]
    assert found(keys=()) == []
    assert found(operation="getNote") == [calls[2]]
    assert found(status=(400, 499)) == [calls[2], calls[3]]
    assert found(since=NOON + 1, until=NOON + 2) == [calls[1], calls[2]]
    assert found(after=3) == [calls[3], calls[4]]
    assert found(keys=("' OR 1=1 --",)) == []


def test_it_says_what_each_key_has_taken(journal: Journal) -> None:
    journal.record(
        [call(0), call(5), call(7, operation="", status=404), call(9, key="bbbbbbbb"), call(10, key="", status=401)], {}
    )
    assert {key: (u.last_used, u.calls, u.bytes) for key, u in journal.usage(0).items()} == {
        "aaaaaaaa": (NOON + 5, 2, 205),
        "bbbbbbbb": (NOON + 9, 1, 109),
    }
    assert set(journal.usage(NOON + 8)) == {"bbbbbbbb"}


def test_what_left_is_summed_up_by_day_key_and_operation(journal: Journal) -> None:
    day = 86_400
    journal.record([call(0), call(1), call(2, operation="getNote"), call(day), call(day, key="bbbbbbbb")], {})
    said = [(s.day, s.key, s.operation, s.calls, s.bytes) for s in journal.shares(Filter())]
    first, second = (time.strftime("%Y-%m-%d", time.gmtime(NOON + n)) for n in (0, day))
    assert sorted(said) == sorted(
        [
            (first, "aaaaaaaa", "listNotes", 2, 201),
            (first, "aaaaaaaa", "getNote", 1, 102),
            (second, "aaaaaaaa", "listNotes", 1, 100 + day),
            (second, "bbbbbbbb", "listNotes", 1, 100 + day),
        ]
    )


def test_old_rows_go_and_the_rest_can_still_be_verified(journal: Journal, path: Path) -> None:
    journal.append("old")
    journal.record([call(n) for n in range(10)], {})
    journal.note_heads()
    assert journal.forget(NOON + 4, 10**9) == 4
    assert journal.forget(NOON + 4, 10**9) == 0
    assert everything(journal) == [call(n) for n in range(4, 10)]
    assert journal.broken() is None
    tamper(path, "DELETE FROM requests WHERE seq = 5")
    assert journal.broken_at() == 5


def test_the_newest_row_stays_whatever_its_age_and_the_chain_goes_on(journal: Journal) -> None:
    journal.record([call(n) for n in range(3)], {})
    while journal.forget(NOON + 100, 10**9):
        pass
    assert everything(journal) == [call(2)]
    journal.record([call(3)], {})
    assert journal.broken() is None
    assert [seq for seq, _ in journal.requests(Filter(), 10)] == [3, 4]


def test_a_journal_that_is_too_large_loses_its_oldest_calls(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exposer.journal.retain.BATCH", 100)
    journal.record([call(n) for n in range(2000)], {})
    before = journal.forget(0, 10**9)
    assert before == 0
    gone = 0
    while step := journal.forget(0, 200_000):
        gone += step
    left = everything(journal)
    assert left == [call(n) for n in range(gone, 2000)]
    assert 0 < len(left) < 1500
    assert journal.broken() is None


def test_a_journal_from_a_newer_version_is_left_alone(path: Path) -> None:
    Journal(path).close()
    tamper(path, "PRAGMA user_version = 99")
    with pytest.raises(JournalError, match="newer version") as error:
        Journal(path)
    assert error.value.hint == "upgrade exposer"
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (99,)
    db.close()
