"""Where a program listens, as the kernel prints it."""

import os
import socket
import sys

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
