"""`exposer audit` with the installed command: who called what, what left, and whether anybody altered the record."""

import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.exposure import EXPOSER, Exposure, sample_config
from tests.support.ports import free_port

pytestmark = pytest.mark.nginx


@pytest.fixture
def sample(tmp_path: Path) -> Iterator[Exposure]:
    made = Exposure(tmp_path, f"t{os.urandom(4).hex()}", sample_config(free_port()))
    try:
        yield made
    finally:
        made.close()


def asked(exposure: Exposure, *words: str) -> dict:
    done = exposure.run("audit", *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def calls(exposure: Exposure, *words: str) -> list[dict]:
    return asked(exposure, "--requests", *words)["requests"]


def until_recorded(exposure: Exposure, status: int, count: int) -> list[dict]:
    found: list[dict] = []

    def there() -> bool:
        found[:] = calls(exposure, "--key", "default", "--status", str(status))
        return len(found) >= count

    eventually(there, within=20)
    return found


def test_calls_are_on_record_by_label_and_operation_and_survive_down(sample: Exposure) -> None:
    sample.up()
    body = sample.get("/api/notes?word=secret-word").body
    sample.get("/api/nothing")
    found = until_recorded(sample, 200, 1)
    assert [(c["label"], c["method"], c["bytes"], c["address"]) for c in found] == [
        ("default", "GET", len(body), "127.0.0.1")
    ]
    assert found[0]["operation"]
    until_recorded(sample, 404, 1)
    sample.get("/api/notes")
    assert sample.run("down").returncode == 0
    assert len(calls(sample, "--key", "default", "--status", "2xx")) == 2
    text = sample.run("audit").stdout
    assert "default" in text
    assert "starting → online" in text
    assert "secret-word" not in text
    assert sample.key not in text
    assert sample.run("audit", "verify").returncode == 0


def test_what_left_is_summed_up(sample: Exposure) -> None:
    sample.up()
    left = sum(len(sample.get("/api/notes").body) for _ in range(3))
    found = until_recorded(sample, 200, 3)
    said = json.loads(sample.run("audit", "report", "--json").stdout)
    by_name = {row["name"]: row for row in said["operations"]}
    assert (by_name[found[0]["operation"]]["calls"], by_name[found[0]["operation"]]["bytes"]) == (3, left)
    assert said["calls"] >= 3
    text = sample.run("audit", "report").stdout
    assert "OPERATION" in text
    assert "default" in text


def test_csv_is_what_a_spreadsheet_takes(sample: Exposure) -> None:
    sample.up()
    sample.get("/api/notes")
    until_recorded(sample, 200, 1)
    rows = list(csv.DictReader(io.StringIO(sample.run("audit", "--csv", "--status", "200").stdout)))
    assert [(row["label"], row["status"]) for row in rows] == [("default", "200")]


def test_an_altered_row_is_named_and_the_command_fails(sample: Exposure) -> None:
    sample.up()
    for _ in range(3):
        sample.get("/api/notes")
    until_recorded(sample, 200, 3)
    sample.run("down")
    db = sqlite3.connect(sample.state / sample.name / "journal.db")
    with db:
        (seq,) = db.execute("SELECT min(seq) FROM requests WHERE status = 200").fetchone()
        db.execute("UPDATE requests SET bytes = 1 WHERE seq = ?", (seq,))
    db.close()
    done = sample.run("audit", "verify")
    assert done.returncode == 1
    assert f"row {seq} of requests" in done.stderr
    said = json.loads(sample.run("audit", "verify", "--json").stderr)
    assert said["error"]["code"] == "altered"


def test_it_follows_what_happens(sample: Exposure) -> None:
    sample.up()
    child = subprocess.Popen(
        [*EXPOSER, "--file", str(sample.file), "audit", "-f", "--requests", "--status", "200"],
        env=sample.env,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        sample.get("/api/notes")
        assert "default" in child.stdout.readline()
        sample.get("/api/notes")
        assert "  200  " in child.stdout.readline()
    finally:
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=60)


def test_a_killed_supervisor_costs_no_call_on_the_record(sample: Exposure) -> None:
    sample.up()
    sample.get("/api/notes")
    sample.kill("supervisor")
    for _ in range(4):
        assert sample.get("/api/notes").status == 200
    sample.up()
    assert len(until_recorded(sample, 200, 5)) == 5
    assert sample.run("audit", "verify").returncode == 0


def test_after_a_panic_the_last_calls_are_on_record_with_their_labels(sample: Exposure) -> None:
    sample.up()
    sample.get("/api/notes")
    until_recorded(sample, 200, 1)
    assert sample.run("panic", "--name", sample.name).returncode == 0
    found = calls(sample, "--status", "200")
    assert [c["label"] for c in found] == ["default"]
    assert "Panic" in sample.run("audit", "report", "--incident").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "yesterday"), "is no time"),
        (("--status", "teapot"), "is no status"),
        (("--follow", "--json"), "one document"),
    ],
)
def test_what_cannot_be_meant_is_said(sample: Exposure, words: tuple[str, ...], said: str) -> None:
    done = sample.run("audit", *words)
    assert (done.returncode, said in done.stderr) == (2, True)


def test_before_anything_is_recorded_that_is_said(sample: Exposure) -> None:
    done = sample.run("audit")
    assert done.returncode == 5
    assert "no record yet" in done.stderr


def test_the_status_can_be_watched_with_the_calls_as_they_come(sample: Exposure) -> None:
    sample.up()
    child = subprocess.Popen(
        [*EXPOSER, "--file", str(sample.file), "status", "--watch"], env=sample.env, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        lines = iter(child.stdout.readline, "")
        assert any("last minute" in line for line in lines)
        sample.get("/api/notes")
        assert any("  200  default" in line for line in lines)
    finally:
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=60)
    done = sample.run("status", "--watch", "--json")
    assert (done.returncode, "one document" in done.stderr) == (2, True)
