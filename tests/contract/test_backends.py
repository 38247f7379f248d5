"""Backends that are programs or just addresses, with real processes."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exposer import procs
from exposer.backends.process import LOG_LIMIT
from exposer.config.model import SecretRef
from exposer.errors import ExposerError, MissingError, TimeoutExceededError
from exposer.procs import Entry, Ledger
from tests.support.backends import Stage, ask
from tests.support.eventually import eventually
from tests.support.images import SERVER
from tests.support.ports import free_port


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    (tmp_path / "server.py").write_text(SERVER)
    try:
        yield stage
    finally:
        stage.close()
        for entry in stage.ledger:
            if entry.process is not None:
                procs.stop(entry.process)


@pytest.fixture
def command(tmp_path: Path) -> dict[str, object]:
    argv = (sys.executable, "-u", "server.py")
    return {"kind": "command", "command": argv, "cwd": str(tmp_path), "port": free_port(), "env": LOOPBACK}


LOOPBACK = {"BIND": "127.0.0.1"}


def test_a_program_is_started_until_healthy_and_ended(stage: Stage, command: dict[str, object]) -> None:
    part, entry = stage.start(**command)
    assert part.look(entry).healthy is True
    assert "warning" not in part.look(entry).detail
    assert entry.detail["upstream"] == f"http://127.0.0.1:{command['port']}"
    part.stop(entry)
    look = part.look(entry)
    assert (look.alive, look.healthy) == (False, False)
    part.stop(entry)


def test_it_gets_its_port_its_variables_its_secrets_and_no_others(
    stage: Stage, command: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NGROK_AUTHTOKEN", "not-for-the-backend")
    stage.secrets = {"TOKEN": "it's a\n's3cret'"}
    _, entry = stage.start(**{**command, "env": {**LOOPBACK, "PLAIN": "p", "TOKEN": SecretRef("env", "TOKEN")}})
    inside = ask(entry, "/env")
    assert inside["PORT"] == str(command["port"])
    assert inside["PLAIN"] == "p"
    assert inside["TOKEN"] == "it's a\n's3cret'"
    assert "NGROK_AUTHTOKEN" not in inside
    assert b"s3cret" not in b"".join(line.to_line() for line in [*stage.ledger, entry])
    assert entry.process is not None
    assert b"s3cret" not in Path(f"/proc/{entry.process.pid}/cmdline").read_bytes()


def test_it_is_on_record_before_it_runs(stage: Stage, command: dict[str, object]) -> None:
    def record(entry: Entry) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        stage.part(**command).start(record, stage.told.append)
    log = Path(stage.state, "logs", "backend.log")
    assert log.read_bytes() == b""


def test_a_program_that_dies_shows_its_last_words_without_secrets(stage: Stage, command: dict[str, object]) -> None:
    stage.secrets = {"DIE": "the-s3cret"}
    with pytest.raises(ExposerError) as caught:
        stage.start(**{**command, "env": {"DIE": SecretRef("env", "DIE")}})
    assert "exit code 3" in caught.value.message or "ended with exit code 3" in caught.value.message
    assert "about to die: …" in caught.value.message
    assert "s3cret" not in caught.value.message


def test_last_words_are_of_this_start_only(stage: Stage, command: dict[str, object]) -> None:
    for word in ("first", "second"):
        with pytest.raises(ExposerError) as caught:
            stage.start(**{**command, "env": {"DIE": word}})
    assert "about to die: second" in caught.value.message
    assert "first" not in caught.value.message


def test_a_program_that_writes_much_does_not_fill_the_disk(stage: Stage, command: dict[str, object]) -> None:
    part, entry = stage.start(**command)
    log = Path(stage.state, "logs", "backend.log")
    os.truncate(log, LOG_LIMIT + 1)
    assert part.look(entry).healthy is True
    assert log.stat().st_size < LOG_LIMIT
    os.truncate(log, LOG_LIMIT + 1)
    part.stop(entry)
    stage.start(**command)
    assert log.stat().st_size < LOG_LIMIT


def test_a_program_that_never_gets_healthy_is_ended(stage: Stage, command: dict[str, object]) -> None:
    with pytest.raises(TimeoutExceededError, match="GET /health answers 503"):
        stage.start(**{**command, "env": {**LOOPBACK, "SICK": "1"}, "start_timeout": 10.0})
    (entry,) = stage.ledger
    assert entry.process is not None
    assert not entry.process.alive()


def test_a_port_that_somebody_has_is_refused_before_anything_starts(stage: Stage, command: dict[str, object]) -> None:
    taken = ("127.0.0.1", int(str(command["port"])))
    with socket.create_server(taken), pytest.raises(ExposerError, match="in use already"):
        stage.start(**command)
    assert stage.ledger == []


def test_a_missing_program_is_missing(stage: Stage, command: dict[str, object]) -> None:
    with pytest.raises(MissingError, match="no-such-program") as caught:
        stage.start(**{**command, "command": ("no-such-program",)})
    assert caught.value.hint
    with pytest.raises(MissingError, match=r"\./nothing"):
        stage.start(**{**command, "command": ("./nothing",)})


def test_a_program_is_found_beside_the_config(stage: Stage, command: dict[str, object], tmp_path: Path) -> None:
    script = tmp_path / "serve"
    script.write_text(f"#!/bin/sh\nexec {sys.executable} -u server.py\n")
    script.chmod(0o755)
    part, entry = stage.start(**{**command, "command": ("./serve",)})
    assert part.look(entry).healthy is True


def test_python_is_there_even_when_path_has_none(
    stage: Stage, command: dict[str, object], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    part, entry = stage.start(**{**command, "command": ("python3", "-u", "server.py")})
    assert part.look(entry).healthy is True


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="only Linux tells")
def test_a_program_that_listens_to_everybody_is_warned_about(stage: Stage, command: dict[str, object]) -> None:
    part, entry = stage.start(**{**command, "env": {"BIND": "0.0.0.0"}})
    assert "reachable past the gateway" in part.look(entry).detail["warning"]


def test_a_program_that_ends_is_seen_with_its_exit_code(stage: Stage, command: dict[str, object]) -> None:
    part, entry = stage.start(**command)
    with pytest.raises(ExposerError):
        ask(entry, "/quit")
    look = eventually(lambda: (seen := part.look(entry)).alive is False and seen)
    assert "exit code 7" in look.error


def test_a_running_program_is_adopted_by_its_digest(stage: Stage, command: dict[str, object], tmp_path: Path) -> None:
    part, entry = stage.start(**command)
    ledger = Ledger(str(tmp_path / "ledger"))
    ledger.append(entry)
    adopted = stage.part(**{**command, "health": "/env"}).adopt(ledger.entries())
    assert adopted is not None
    assert adopted.process == entry.process
    assert stage.part(**{**command, "env": {"OTHER": "1"}}).adopt([entry]) is None
    part.stop(entry)
    assert part.adopt([entry]) is None


def test_its_log_can_be_read(stage: Stage, command: dict[str, object]) -> None:
    part, entry = stage.start(**command)
    assert "serving at" in part.logs(entry, 50)
    assert len(part.logs(entry, 1).splitlines()) == 1
    lines = part.follow(entry)
    part.stop(entry)
    assert list(lines) == []


def test_an_address_is_only_asked(stage: Stage, command: dict[str, object]) -> None:
    program, running = stage.start(**command)
    part, entry = stage.start(kind="url", url=f"http://127.0.0.1:{command['port']}/")
    assert entry.process is None
    assert part.look(entry).healthy is True
    assert ask(entry, "/env")
    assert part.adopt([running, entry]) is entry
    part.stop(entry)
    assert program.look(running).healthy is True
    program.stop(running)
    look = part.look(entry)
    assert (look.alive, look.healthy) == (True, False)
    assert "no answer" in look.error


def test_an_address_where_nobody_answers_is_told_in_time(stage: Stage) -> None:
    with pytest.raises(TimeoutExceededError, match="no answer to GET /health"):
        stage.start(kind="url", url=f"http://127.0.0.1:{free_port()}", start_timeout=0.3)
    assert stage.ledger == []
