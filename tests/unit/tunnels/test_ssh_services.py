"""Which of a service's lines is the address."""

import pytest

from exposer.config.model import Tunnel
from exposer.tunnels.ssh import argv
from exposer.tunnels.ssh_services import SERVICES, address_in, read_address, settled

ADDRESSES = {
    "9239ab27cc1ba2.lhr.life tunneled with tls termination, https://9239ab27cc1ba2.lhr.life": "localhost.run",
    "https://rnxyz-1-2-3-4.a.free.pinggy.link": "pinggy",
    "Forwarding HTTP traffic from https://0123456789abcdef-192-0-2-1.serveousercontent.com": "serveo",
    "\x1b[32mForwarding HTTP traffic from https://name.serveo.net\x1b[0m\r": "serveo",
}


@pytest.mark.parametrize(("line", "name"), ADDRESSES.items())
def test_the_line_with_the_address_is_understood(line: str, name: str) -> None:
    assert read_address(SERVICES[name], line).startswith("https://")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("localhost.run", "https://localhost.run/docs/"),
        ("localhost.run", "a.lhr.life tunneled with tls termination, https://b.lhr.life"),
        ("localhost.run", "evil.example tunneled with tls termination, https://evil.example"),
        ("localhost.run", "say a.lhr.life tunneled with tls termination, https://a.lhr.life"),
        ("pinggy", "https://dashboard.pinggy.io"),
        ("pinggy", "http://rnxyz.a.free.pinggy.link"),
        ("pinggy", "https://user@a.free.pinggy.link"),
        ("pinggy", "https://a.free.pinggy.link.evil.example"),
        ("pinggy", "https://a.free.pinggy.link:8443"),
        ("pinggy", "https://[a.free.pinggy.link"),
        ("pinggy", "tcp://host:1"),
        ("serveo", "Forwarding HTTP traffic from https://evil.example/x.serveo.net"),
        ("serveo", "Forwarding HTTP traffic from http://name.serveo.net"),
        ("serveo", "https://name.serveo.net"),
    ],
)
def test_no_other_line_is_taken_for_it(name: str, line: str) -> None:
    assert read_address(SERVICES[name], line) == ""


def test_the_last_address_counts() -> None:
    lines = [f"{name}.lhr.life tunneled with tls termination, https://{name}.lhr.life" for name in ("a1", "b2")]
    assert address_in("localhost.run", lines) == "https://b2.lhr.life"
    assert address_in("localhost.run", []) == ""


def test_a_service_fills_in_what_the_user_has_not_set() -> None:
    plain = settled(Tunnel("ssh", service="pinggy"))
    assert (plain.host, plain.port, plain.remote_port, plain.user) == ("free.pinggy.io", 443, 0, "")
    own = settled(Tunnel("ssh", service="pinggy", host="mirror.example", port=2222, user="me"))
    assert (own.host, own.port, own.user) == ("mirror.example", 2222, "me")
    assert settled(Tunnel("ssh", host="h")) == Tunnel("ssh", host="h")


def test_a_service_gets_a_session_and_none_of_the_users_own_keys() -> None:
    command = argv("ssh", settled(Tunnel("ssh", service="localhost.run")), "127.0.0.1:8000", "/kh")
    assert "-N" not in command
    assert "PubkeyAuthentication=no" in command
    assert command[-4:] == ["-R", "80:127.0.0.1:8000", "--", "nokey@localhost.run"]
    assert "StrictHostKeyChecking=yes" in command
