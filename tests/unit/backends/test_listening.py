"""Where a program listens, as the kernel prints it."""

import errno
import os
import socket
import subprocess
import sys
from contextlib import suppress

import pytest

from exposer.backends import listening

TCP = """   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0
   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1 0 100 0 0 10 0
   2: 00000000:1F90 0100007F:1234 01 00000000:00000000 00:00000000 00000000     0        0 13 1 0 100 0 0 10 0
   3: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 14 1 0 100 0 0 10 0"""


@pytest.mark.skipif(sys.byteorder != "little", reason="the sample is from a little-endian machine")
def test_only_listeners_on_the_port_count() -> None:
    assert listening.listeners(TCP.splitlines(), 8080) == {"11": "127.0.0.1", "12": "0.0.0.0"}


@pytest.mark.skipif(sys.byteorder != "little", reason="the sample is from a little-endian machine")
def test_long_addresses_are_read_too() -> None:
    assert listening.decode("00000000000000000000000001000000") == "::1"
    assert listening.decode("0" * 32) == "::"
    assert listening.decode("0000000000000000FFFF00000100007F").startswith("::ffff:7")


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="only Linux tells")
def test_a_listener_on_all_addresses_is_found_and_one_on_the_loopback_is_fine() -> None:
    session = os.getsid(0)
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        assert listening.beyond_loopback(session, port) == [f"0.0.0.0:{port}"]
        assert listening.beyond_loopback(1 << 22, port) == []
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert listening.beyond_loopback(session, server.getsockname()[1]) == []


def served(*addresses: str) -> tuple[list[socket.socket], int]:
    """Listeners of this process on one port that is free at each of the addresses."""
    while True:
        first = socket.create_server((addresses[0], 0))
        sockets, port = [first], first.getsockname()[1]
        try:
            for address in addresses[1:]:
                sockets.append(socket.create_server((address, port)))
            return sockets, port
        except OSError as error:
            for each in sockets:
                each.close()
            if error.errno != errno.EADDRINUSE:
                raise


def mine() -> str:
    """An address of this machine that is not the loopback's."""
    found = sorted(address for address in listening.addresses() if ":" not in address)
    if not found:
        pytest.skip("this machine has only the loopback")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("198.51.100.1", 9))  # sends nothing; a network of Docker's may be gone in a moment, this one not
        if (outward := probe.getsockname()[0]) in found:
            return str(outward)
    return found[0]


def test_a_backend_on_the_loopback_is_reached_nowhere_else() -> None:
    sockets, port = served("127.0.0.1")
    with sockets[0]:
        assert listening.beside(f"http://127.0.0.1:{port}") == []
        assert listening.beside(f"http://localhost:{port}/base") == []


def test_one_that_listens_on_all_addresses_is_reached_at_each_of_this_machine() -> None:
    sockets, port = served("0.0.0.0")
    with sockets[0]:
        assert f"{mine()}:{port}" in listening.beside(f"http://127.0.0.1:{port}")
        assert f"{mine()}:{port}" in listening.beside(f"http://localhost:{port}")


def test_one_that_listens_on_a_second_address_is_found_there() -> None:
    sockets, port = served("127.0.0.1", mine())
    with sockets[0], sockets[1]:
        assert listening.beside(f"http://127.0.0.1:{port}") == [f"{mine()}:{port}"]


def test_another_program_on_the_same_port_of_another_address_is_not_meant() -> None:
    sockets, port = served("127.0.0.1", mine())
    keep = [sys.executable, "-c", "print('up', flush=True); input()"]
    with (
        sockets[0],
        subprocess.Popen(keep, pass_fds=[sockets[1].fileno()], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other,
    ):
        sockets[1].close()  # now it is the other one's alone
        assert other.stdout is not None
        assert other.stdout.readline() == b"up\n"
        assert listening.beside(f"http://127.0.0.1:{port}") == []
        other.kill()


def test_a_backend_that_is_given_by_an_address_others_reach_is_open_there() -> None:
    assert listening.beside(f"http://{mine()}:8080") == [f"{mine()}:8080"]


@pytest.mark.parametrize("upstream", ["http://192.0.2.77:80", "https://api.invalid", "http://", "unix:/x/y.sock"])
def test_a_backend_elsewhere_has_no_address_here(upstream: str) -> None:
    assert listening.beside(upstream) == []
