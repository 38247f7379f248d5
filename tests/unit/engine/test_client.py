"""What keeps us from the engine is told with what to do; objects of ours are told from others."""

import errno
import os
import socket
from pathlib import Path

import pytest
from requests.exceptions import ConnectionError as RequestsConnectionError

from exposer.engine import client
from exposer.errors import MissingError


def wrapped(number: int) -> Exception:
    """An operating system's error the way the libraries hand it on."""
    inner = OSError(number, os.strerror(number))
    return RequestsConnectionError(("Connection aborted.", inner), inner)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, "may not use the Docker engine"),
        (errno.EPERM, "may not use the Docker engine"),
        (errno.ECONNREFUSED, "is not running"),
    ],
)
def test_an_engine_out_of_reach_says_why_and_what_to_do(number: int, said: str) -> None:
    error = client.why_not(wrapped(number), "")
    assert said in error.message
    assert error.hint
    assert error.exit_code == 4


def test_a_missing_socket_means_not_running_where_docker_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no Docker engine was found" in client.why_not(wrapped(errno.ENOENT), "").message
    (tmp_path / "docker").write_text("#!/bin/sh\n")
    (tmp_path / "docker").chmod(0o755)
    assert "is not running" in client.why_not(wrapped(errno.ENOENT), "").message


def test_any_other_trouble_is_quoted() -> None:
    assert "strange" in client.why_not(ValueError("strange"), "").message


def test_docker_host_is_honoured_and_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(MissingError, match=r"none\.sock"):
        client.connect()


def test_an_engine_that_has_gone_leaves_a_socket_that_refuses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/dead.sock")
    with pytest.raises(MissingError, match="is not running"):
        client.connect()


def test_labels_tell_exposure_role_and_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EXPOSER_STATE_DIR", str(tmp_path / "one"))
    one = client.labels("demo", "backend")
    assert one["io.exposer.name"] == "demo"
    assert one["io.exposer.role"] == "backend"
    monkeypatch.setenv("EXPOSER_STATE_DIR", str(tmp_path / "two"))
    assert client.labels("demo", "backend")["io.exposer.home"] != one["io.exposer.home"]
    assert str(tmp_path) not in repr(one)


def test_the_docker_library_is_not_loaded_before_it_is_needed() -> None:
    import subprocess
    import sys

    code = "import sys, exposer.engine.client, exposer.engine.image, exposer.engine.container, exposer.backends;"
    code += "sys.exit('docker' in sys.modules or 'requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
