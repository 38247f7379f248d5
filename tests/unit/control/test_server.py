"""The daemon's end of the control socket."""

import socket
import threading
from pathlib import Path

import pytest

from exposer.control.client import ask
from exposer.control.server import ControlServer
from exposer.errors import NotRunningError


def test_each_question_is_answered_and_nobody_answers_after_the_end(tmp_path: Path) -> None:
    path = str(tmp_path / "control.sock")
    server = ControlServer(path, lambda asked: {"heard": asked["command"]})
    for word in ("status", "nudge", "status"):
        assert ask(path, word) == {"heard": word}
    server.close()
    assert not Path(path).exists()
    with pytest.raises(NotRunningError):
        ask(path, "status")


def test_one_that_is_never_asked_ends_too(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    server = ControlServer(str(tmp_path / "control.sock"), lambda asked: {})
    (thread,) = set(threading.enumerate()) - before
    server.close()
    thread.join(timeout=20)
    assert not thread.is_alive()


def test_a_question_without_an_end_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    path = str(tmp_path / "control.sock")
    server = ControlServer(path, lambda asked: {"heard": True})
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(path)
        silent.sendall(b'{"command"')
        assert ask(path, "status") == {"heard": True}
    server.close()
