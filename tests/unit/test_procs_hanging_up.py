"""A connection of another process can be ended from outside; what listens and what is not meant stays."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from exposer.procs import ProcessId
from exposer.procs.hanging_up import hang_up, has_open
from tests.support.eventually import eventually

# Takes each connection, answers on it, and says when it has ended.
SERVER = """
import socket, sys, threading
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
def serve(taken):
    taken.sendall(b"here")
    while taken.recv(100):
        pass
    taken.close()
    print("ended", flush=True)
while True:
    threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()
"""


@pytest.fixture
def server() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as child:
        yield child
        child.kill()


def said(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    return server.stdout.readline().strip()


def test_connections_that_are_meant_end_and_what_listens_goes_on(server: subprocess.Popen[str]) -> None:
    port = int(said(server))
    process = ProcessId.of(server.pid)
    assert process is not None
    with socket.create_connection(("127.0.0.1", port), timeout=20) as caller:
        assert caller.recv(4) == b"here"
        assert hang_up(process, lambda own: False) == frozenset()
        ended = hang_up(process, lambda own: own[1] == port)
        assert len(ended) == 1
        assert caller.recv(4) == b""
        assert said(server) == "ended"
        eventually(lambda: not has_open(process, ended))
    with socket.create_connection(("127.0.0.1", port), timeout=20) as caller:
        assert caller.recv(4) == b"here"


def test_of_a_process_that_is_gone_nothing_is_ended(server: subprocess.Popen[str]) -> None:
    said(server)
    process = ProcessId.of(server.pid)
    assert process is not None
    server.kill()
    server.wait()
    assert hang_up(process, lambda own: True) == frozenset()
    assert hang_up(ProcessId(server.pid, "1", process.boot), lambda own: True) == frozenset()
    assert not has_open(process, [1])
