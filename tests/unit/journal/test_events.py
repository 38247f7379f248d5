"""The journal tells what happened, notices when it was altered, and refuses secrets."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exposer.journal import Journal, JournalError, store
from exposer.secret import Secret
from tests.support.disk import fill, mounted

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    opened = Journal(path)
    yield opened
    opened.close()


def tamper(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    with db:
        db.execute(statement)
    db.close()


def test_what_was_written_is_read_again_in_order(journal: Journal, path: Path) -> None:
    written = [journal.append("k", n=n, who="Zoë") for n in range(5)]
    assert journal.events() == written
    assert journal.events(after=3) == written[3:]
    assert journal.events(after=1, limit=2) == written[1:3]
    assert journal.head() == 5
    other = Journal(path)
    assert other.events() == written
    other.close()


def test_an_empty_journal_is_whole(journal: Journal) -> None:
    assert (journal.head(), journal.events(), journal.broken_at()) == (0, [], None)


def test_it_is_private_with_all_that_sqlite_puts_beside_it(journal: Journal, path: Path) -> None:
    journal.append("k")
    assert {name: (path.parent / name).stat().st_mode & 0o777 for name in os.listdir(path.parent)} == {
        "journal.db": 0o600,
        "journal.db-wal": 0o600,
        "journal.db-shm": 0o600,
    }


@given(st.lists(st.tuples(st.text(min_size=1, max_size=8), JSON), max_size=6))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_was_written_the_chain_holds(tmp_path: Path, written: list[tuple[str, object]]) -> None:
    path = tmp_path / "any.db"
    path.unlink(missing_ok=True)
    journal = Journal(path)
    try:
        for kind, value in written:
            journal.append(kind.encode(errors="replace").decode(), value=value)
        assert [event.data["value"] for event in journal.events()] == [value for _, value in written]
        assert journal.broken_at() is None
    finally:
        journal.close()


@pytest.mark.parametrize(
    ("statement", "at"),
    [
        ("UPDATE events SET data = '{\"n\": 9}' WHERE seq = 3", 3),
        ("UPDATE events SET kind = 'other' WHERE seq = 1", 1),
        ("UPDATE events SET at = at + 0.000001 WHERE seq = 4", 4),
        ("UPDATE events SET chain = (SELECT chain FROM events WHERE seq = 1) WHERE seq = 2", 2),
        ("DELETE FROM events WHERE seq = 1", 1),
        ("DELETE FROM events WHERE seq = 3", 3),
        ("INSERT INTO events SELECT 6, at, kind, data, chain FROM events WHERE seq = 5", 6),
    ],
)
def test_a_changed_or_removed_row_is_found(journal: Journal, path: Path, statement: str, at: int) -> None:
    for n in range(5):
        journal.append("k", n=n)
    assert journal.broken_at() is None
    tamper(path, statement)
    assert journal.broken_at() == at
    journal.append("still", n=1)  # and nobody gets it whole again by going on
    assert journal.broken_at() == at


def test_two_rows_in_each_others_place_are_found(journal: Journal, path: Path) -> None:
    for n in range(4):
        journal.append("k", n=n)
    for statement in ("-2 WHERE seq = 2", "2 WHERE seq = 3", "3 WHERE seq = -2"):
        tamper(path, f"UPDATE events SET seq = {statement}")
    assert journal.broken_at() == 2


@pytest.mark.parametrize("where", [Secret("geheim"), [Secret("geheim")], {"deep": {"er": (Secret("geheim"),)}}])
def test_a_secret_is_refused_wherever_it_is(journal: Journal, where: object) -> None:
    with pytest.raises(TypeError) as caught:
        journal.append("k", value=where)
    assert "geheim" not in str(caught.value)
    assert journal.head() == 0
    assert journal.append("k").seq == 1


def test_a_secret_is_refused_as_the_kind_of_event(journal: Journal) -> None:
    with pytest.raises(TypeError) as caught:
        journal.append(Secret("geheim"))  # type: ignore[arg-type]
    assert "geheim" not in str(caught.value)
    assert journal.append("k").seq == 1


def test_a_path_that_is_not_utf8_is_written_and_locks_nobody_out(journal: Journal, path: Path) -> None:
    other = Journal(path)
    written = journal.append("request", path="/caf\udce9")
    assert other.append("k").seq == 2
    assert other.events(limit=1)[0].data == written.data
    assert other.broken_at() is None
    with pytest.raises(ValueError):
        journal.append("bad\udce9kind")
    assert other.append("k").seq == 3
    other.close()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "tiny", "size=256k") as place:
        yield place


def test_a_full_disk_is_said_and_what_was_written_stays_whole(tiny_disk: Path) -> None:
    journal = Journal(tiny_disk / "journal.db")
    written = 0

    def fill() -> None:
        nonlocal written
        for _ in range(2000):
            journal.append("k", text="x" * 500)
            written += 1

    with pytest.raises(JournalError, match="could not be written"):
        fill()
    assert written > 0
    assert journal.head() == written
    assert journal.broken_at() is None
    journal.close()


def test_a_disk_too_full_to_begin_is_said(tiny_disk: Path) -> None:
    fill(tiny_disk)
    with pytest.raises(JournalError, match=r"journal\.db"):
        Journal(tiny_disk / "journal.db")


def test_no_folder_for_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"journal\.db"):
        Journal(tmp_path / "nowhere" / "journal.db")


def test_a_newer_versions_journal_is_refused_and_left_as_it_is(journal: Journal, path: Path) -> None:
    journal.append("k")
    tamper(path, "PRAGMA user_version=99")
    with pytest.raises(JournalError, match="newer version"):
        Journal(path)
    assert journal.head() == 1


@pytest.mark.parametrize("content", [b"this is no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_journal_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(JournalError, match="cannot be used") as caught:
        Journal(path)
    assert "mv " in caught.value.hint
    assert path.read_bytes() == content


def test_a_symlink_in_its_place_is_refused(tmp_path: Path, path: Path) -> None:
    path.symlink_to(tmp_path / "victim")
    with pytest.raises(JournalError, match="symbolic links"):
        Journal(path)
    assert not (tmp_path / "victim").exists()


WRITER = """
import sys
from pathlib import Path
from exposer.journal import Journal, store
store.PATIENCE = 60.0  # whoever has the file may stand still for a while
sys.stdin.readline()
journal = Journal(Path(sys.argv[1]))
for n in range(60):
    journal.append("k", who=sys.argv[2], n=n)
journal.close()
"""


def test_processes_that_open_and_write_at_once_lose_nothing(path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, path, str(n)], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for n in range(3)
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    for writer in writers:
        _, said = writer.communicate(timeout=60)
        assert (writer.returncode, said) == (0, b"")
    journal = Journal(path)
    events = journal.events(limit=10_000)
    assert journal.broken_at() is None
    journal.close()
    assert [event.seq for event in events] == list(range(1, 181))
    for who in "012":
        assert [event.data["n"] for event in events if event.data["who"] == who] == list(range(60))


OPENER = """
import os, sys
from pathlib import Path
from exposer.journal import Journal, store
store.PATIENCE = 60.0
folder, mine, others = sys.argv[1:]
for n in range(60):
    Path(folder, f"{n}.{mine}").touch()
    while not os.path.exists(f"{folder}/{n}.{others}"):
        pass
    try:
        journal = Journal(Path(folder, f"{n}.db"))
        journal.append("k")
        journal.close()
    except Exception as error:
        print(error, file=sys.stderr)
"""


def test_processes_that_open_a_new_one_at_once_both_get_it(tmp_path: Path) -> None:
    begin = partial(subprocess.Popen[bytes], stderr=subprocess.PIPE)
    argv = [sys.executable, "-c", OPENER, tmp_path]
    with begin([*argv, "a", "b"]) as one, begin([*argv, "b", "a"]) as other:
        try:
            said = [opener.communicate(timeout=120)[1] for opener in (one, other)]
        finally:
            one.kill()
            other.kill()
    assert (one.returncode, other.returncode, said) == (0, 0, [b"", b""])
    for n in range(60):
        journal = Journal(tmp_path / f"{n}.db")
        assert (journal.head(), journal.broken_at()) == (2, None)
        journal.close()


def test_a_new_one_that_somebody_else_is_writing_to_is_waited_for(path: Path) -> None:
    path.touch(0o600)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    leaving = threading.Timer(0.3, other.rollback)
    leaving.start()
    journal = Journal(path)
    leaving.join()
    other.close()
    assert journal.append("k").seq == 1
    assert sorted(os.listdir(path.parent)) == ["journal.db", "journal.db-shm", "journal.db-wal"]
    journal.close()


def test_one_that_somebody_else_keeps_to_himself_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PATIENCE", 0.2)
    path.touch(0o600)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalError, match="locked"):
        Journal(path)
    other.close()


def test_threads_that_write_at_once_lose_nothing(journal: Journal) -> None:
    def write() -> None:
        for n in range(30):
            journal.append("k", n=n)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.head() == 120
    assert journal.broken_at() is None


def test_a_writer_that_is_killed_leaves_a_whole_journal(path: Path) -> None:
    code = WRITER.replace("range(60)", "range(10**9)").replace(
        'journal.append("k", who', 'print(n, flush=True); journal.append("k", who'
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, path, "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
        while writer.stdout.readline() != b"40\n":
            pass
        writer.kill()
    journal = Journal(path)
    assert journal.head() >= 40
    assert journal.broken_at() is None
    assert journal.append("k").seq == journal.head()
    journal.close()
