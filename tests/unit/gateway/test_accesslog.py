"""Lines of the gateway's log become requests; half lines wait, and nothing is taken twice."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exposer.gateway import accesslog
from exposer.gateway.accesslog import CURRENT, DONE, OLD, AccessLog, begin, parse
from exposer.journal import Request
from exposer.procs import ProcessId


def line(n: int = 0, **changes: object) -> bytes:
    said = {
        "time": 1_795_700_000.5 + n,
        "key": "aaaaaaaa",
        "operation": "listNotes",
        "method": "GET",
        "status": 200,
        "bytes": 93,
        "duration": 0.012,
        "address": "203.0.113.7",
        "request": f"r-{n}",
    }
    return json.dumps(said | changes).encode() + b"\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    begin(tmp_path)
    return tmp_path


def write(folder: Path, data: bytes, name: str = CURRENT) -> None:
    with (folder / name).open("ab") as file:
        file.write(data)


def ids(requests: tuple[Request, ...]) -> list[str]:
    return [request.request for request in requests]


def test_a_line_tells_of_one_call() -> None:
    assert parse(line(path="/a")) == Request(
        1_795_700_000.5, "aaaaaaaa", "listNotes", "GET", 200, 93, 0.012, "r-0", "203.0.113.7", "/a"
    )


@pytest.mark.parametrize(("written", "status"), [(b"000", 0), (b"009", 9)])
def test_a_call_that_was_given_up_before_it_had_a_status_is_a_call_too(written: bytes, status: int) -> None:
    found = parse(line(path='/"status":000').replace(b'"status": 200', b'"status":' + written))
    assert found is not None
    assert (found.status, found.key, found.path) == (status, "aaaaaaaa", '/"status":000')


@pytest.mark.parametrize(
    "bad", [b"", b"{", b"[]", b"null", b'"x"', b"{}", line()[:-20], line(status="x"), line(key=1), b"\xff\xfe"]
)
def test_a_line_that_makes_no_sense_is_no_call(bad: bytes) -> None:
    assert parse(bad) is None


def test_bytes_that_are_not_utf8_and_control_characters_do_no_harm() -> None:
    raw = line(path="PLACE").replace(b"PLACE", b"/\xff\\u001b[31m\\u001f\\u0000/x")
    found = parse(raw)
    assert found is not None
    assert found.path == "/�?[31m??/x"


@given(st.binary(max_size=300))
def test_nothing_that_stands_in_a_log_breaks_the_reader(raw: bytes) -> None:
    parse(raw)


def test_each_call_is_taken_once_and_half_a_line_waits_for_its_rest(folder: Path) -> None:
    log = AccessLog(folder)
    write(folder, line(1) + line(2)[:30])
    first = log.read({})
    assert ids(first.requests) == ["r-1"]
    write(folder, line(2)[30:] + line(3))
    second = log.read(first.reading)
    assert ids(second.requests) == ["r-2", "r-3"]
    assert (log.read(second.reading).requests, second.senseless, second.missing) == ((), 0, False)


def test_the_log_and_the_one_before_are_both_read_whichever_grows(folder: Path) -> None:
    log = AccessLog(folder)
    write(folder, line(1))
    reading = log.read({}).reading
    (folder / CURRENT).rename(folder / OLD)
    begin(folder)
    write(folder, line(2), OLD)
    write(folder, line(3))
    batch = log.read(reading)
    assert ids(batch.requests) == ["r-2", "r-3"]
    write(folder, line(4), OLD)
    assert ids(log.read(batch.reading).requests) == ["r-4"]


def test_a_file_in_the_place_of_another_is_not_taken_for_it_even_with_its_inode(folder: Path) -> None:
    log = AccessLog(folder)
    write(folder, line(1) + line(2))
    reading = log.read({}).reading
    (folder / CURRENT).unlink()
    begin(folder)
    write(folder, line(3) + line(4) + line(5))
    batch = log.read(reading)
    assert ids(batch.requests) == ["r-3", "r-4", "r-5"]
    assert batch.missing


def test_a_log_that_somebody_has_emptied_is_read_from_its_beginning_and_that_is_said(folder: Path) -> None:
    log = AccessLog(folder)
    write(folder, line(1) + line(2))
    reading = log.read({}).reading
    os.truncate(folder / CURRENT, 0)
    write(folder, line(3))
    batch = log.read(reading)
    assert ids(batch.requests) == ["r-3"]
    assert batch.missing


def test_damaged_lines_are_counted_and_the_others_are_kept(folder: Path) -> None:
    write(folder, line(1) + b"\0\0\0\n" + b"{nonsense\n" + line(2))
    batch = AccessLog(folder).read({})
    assert (ids(batch.requests), batch.senseless) == (["r-1", "r-2"], 1)


def test_a_large_log_is_read_piece_by_piece(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accesslog, "MOST_BYTES", 500)
    write(folder, b"".join(line(n) for n in range(20)))
    log, reading, found, rounds = AccessLog(folder), {}, [], 0
    while True:
        batch = log.read(reading)
        found += ids(batch.requests)
        reading = dict(batch.reading)
        rounds += 1
        if not batch.more:
            break
    assert found == [f"r-{n}" for n in range(20)]
    assert rounds > 3


def test_a_line_without_end_does_not_hold_up_the_rest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accesslog, "MOST_BYTES", 2000)
    monkeypatch.setattr(accesslog, "LONGEST", 1000)
    write(folder, b"x" * 5000 + b"\n" + line(1))
    log, reading, found = AccessLog(folder), {}, []
    for _ in range(6):
        batch = log.read(reading)
        reading = dict(batch.reading)
        found += ids(batch.requests)
    assert found == ["r-1"]


def test_no_log_is_no_calls(tmp_path: Path) -> None:
    batch = AccessLog(tmp_path / "nowhere").read({})
    assert (batch.requests, dict(batch.reading), batch.missing) == ((), {}, False)


def test_a_symlink_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(line(1))
    (tmp_path / CURRENT).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        AccessLog(tmp_path).read({})


def test_the_old_file_may_go_once_it_is_read_and_nobody_has_it_open(folder: Path) -> None:
    log, me = AccessLog(folder), ProcessId.of(os.getpid())
    write(folder, line(1))
    (folder / CURRENT).rename(folder / OLD)
    begin(folder)
    assert log.finished({}, None) == ""
    reading = log.read({}).reading
    with (folder / OLD).open("ab"):
        assert log.finished(reading, me) == ""
    name = log.finished(reading, me)
    assert name in reading
    done = {**reading, name: DONE}
    write(folder, line(2))
    assert ids(log.read(done).requests) == ["r-2"]
    log.drop()
    batch = log.read(done)
    assert (ids(batch.requests), batch.missing, name in batch.reading) == (["r-2"], False, False)


def test_the_log_is_private(folder: Path) -> None:
    assert (folder / CURRENT).stat().st_mode & 0o777 == 0o600
