"""The ssh command, and what ssh's lines mean."""

from dataclasses import replace
from pathlib import Path

import pytest

from exposer.config.model import Tunnel
from exposer.errors import ExposerError, MissingError
from exposer.secret import Secret
from exposer.tunnels.fact import Fact
from exposer.tunnels.ssh import Ssh, argv, explain, read_line

TUNNEL = Tunnel(
    "ssh", host="example.org", user="me", port=2222, identity="/k", remote_port=18080, url="https://app.example.org"
)


def test_the_command_leaves_nothing_to_the_users_own_config() -> None:
    command = argv("/usr/bin/ssh", TUNNEL, "127.0.0.1:8000", "/kh")
    assert command == [
        *("/usr/bin/ssh", "-F", "/dev/null", "-N", "-T", "-n", "-p", "2222", "-i", "/k"),
        *("-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes"),
        *("-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=/kh", "-o", "GlobalKnownHostsFile=/dev/null"),
        *("-o", "UpdateHostKeys=no", "-o", "CheckHostIP=no", "-o", "ExitOnForwardFailure=yes"),
        *("-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=2"),
        *("-o", "TCPKeepAlive=yes", "-o", "ControlMaster=no", "-o", "ControlPath=none", "-o", "ControlPersist=no"),
        *("-o", "ForwardAgent=no", "-o", "ForwardX11=no", "-o", "PermitLocalCommand=no"),
        *("-o", "LogVerbose=ssh.c:ssh_confirm_remote_forward():*"),
        *("-R", "127.0.0.1:18080:127.0.0.1:8000", "--", "me@example.org"),
    ]


def test_without_a_key_file_ssh_takes_the_users_own() -> None:
    assert "-i" not in argv("ssh", replace(TUNNEL, identity=""), "127.0.0.1:8000", "/kh")


LINES = {
    "debug1: ssh.c:ssh_confirm_remote_forward():1827 (pid=7): remote forward success for: listen 127.0.0.1:18080, "
    "connect 127.0.0.1:8000\r": "forwarding",
    "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @": "host-key-changed",
    "Host key for [127.0.0.1]:22 has changed and you have requested strict checking.": "host-key-changed",
    "No ED25519 host key is known for [127.0.0.1]:22 and you have requested strict checking.": "host-key-unknown",
    "Host key verification failed.": "host-key-unknown",
    "me@example.org: Permission denied (publickey).": "denied",
    "@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @": "identity",
    "Warning: Identity file /k not accessible: No such file or directory.": "identity",
    "Error: remote port forwarding failed for listen port 18080": "port-taken",
    "ssh: connect to host example.org port 2222: Connection refused": "network",
    "ssh: Could not resolve hostname example.org: Name or service not known": "network",
    "Connection timed out during banner exchange": "network",
    "Timeout, server example.org not responding.": "network",
    "command-line: line 0: Bad configuration option: logverbose": "options",
}


@pytest.mark.parametrize(("line", "kind"), LINES.items())
def test_each_line_of_ssh_is_understood(line: str, kind: str) -> None:
    fact = read_line(line)
    assert fact is not None
    assert fact.kind == kind


def test_the_success_line_tells_the_far_address() -> None:
    assert read_line(next(iter(LINES))) == Fact("forwarding", "127.0.0.1:18080")


def test_a_visitor_whose_request_finds_no_gateway_is_no_fault_of_the_tunnel() -> None:
    assert read_line("connect_to 127.0.0.1 port 19999: failed.\r") is None


def test_the_gravest_line_is_the_reason() -> None:
    changed = ["Host key for x has changed and you have requested", "Host key verification failed."]
    fault = explain(["Connection refused", *changed], TUNNEL)
    assert fault is not None
    assert fault.text.startswith("ALARM")
    assert fault.fatal


@pytest.mark.parametrize(
    ("kind", "fatal"), [("denied", True), ("identity", True), ("port-taken", False), ("network", False)]
)
def test_what_a_person_must_mend_is_fatal_and_what_time_mends_is_not(kind: str, fatal: bool) -> None:
    line = next(line for line, its in LINES.items() if its == kind)
    fault = explain([line], TUNNEL)
    assert fault is not None
    assert fault.fatal is fatal


def refused(tmp_path: Path, **changes: object) -> ExposerError:
    (tmp_path / "known_hosts").write_text("")
    tunnel = replace(TUNNEL, **({"identity": ""} | changes))  # type: ignore[arg-type]
    part = Ssh(tunnel, "n", "127.0.0.1:8000", str(tmp_path), str(tmp_path), lambda ref: Secret(""))
    with pytest.raises(ExposerError) as caught:
        part.start(lambda entry: pytest.fail("it was started"), lambda text: None)
    return caught.value


@pytest.mark.parametrize("host", ["", "-oProxyCommand=x", "a b", "a;b", "a@b", "$(x)", "a/b", "a\nb"])
def test_a_host_that_ssh_could_take_for_something_else_is_refused(host: str, tmp_path: Path) -> None:
    assert "tunnel.host" in refused(tmp_path, host=host).message


@pytest.mark.parametrize("user", ["-x", "a b", "a@b", "a;b", "a\nb"])
def test_a_user_that_ssh_could_take_for_something_else_is_refused(user: str, tmp_path: Path) -> None:
    assert "tunnel.user" in refused(tmp_path, user=user).message


def test_the_remote_port_is_never_left_to_the_server(tmp_path: Path) -> None:
    assert "remote_port" in refused(tmp_path, remote_port=0).message


@pytest.mark.parametrize("url", ["", "app.example.org", "ftp://x", "https://user:pw@host"])
def test_the_public_url_has_to_be_told(url: str, tmp_path: Path) -> None:
    assert "tunnel.url" in refused(tmp_path, url=url).message


def test_a_path_that_ssh_would_read_in_its_own_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a b").write_text("")
    assert "known_hosts" in refused(tmp_path, known_hosts=str(tmp_path / "a b")).message


def test_a_key_file_that_is_not_there_is_missed(tmp_path: Path) -> None:
    assert isinstance(refused(tmp_path, identity=str(tmp_path / "no-key")), MissingError)
