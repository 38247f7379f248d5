"""A way that is broken outside: the status says where, and only that part is started anew."""

from collections.abc import Callable

import pytest

from tests.support import sshd
from tests.support.edge import Edge
from tests.support.eventually import eventually
from tests.support.exposure import Exposure, sample_config
from tests.support.ports import free_port

pytestmark = [pytest.mark.nginx, pytest.mark.ssh, pytest.mark.slow]


def test_status_names_the_broken_hop_and_only_an_agent_that_nobody_hears_is_started_anew(
    server: sshd.Sshd, make_exposure: Callable[..., Exposure]
) -> None:
    edge = Edge(server.remote_port)
    lines = f"""provider = "ssh"
host = "127.0.0.1"
port = {server.port}
user = "{server.user}"
identity = "{server.identity}"
known_hosts = "{server.known_hosts}"
remote_port = {server.remote_port}
url = "{edge.url}"
"""
    exposure = make_exposure(sample_config(free_port()).replace('provider = "local"', lines))
    exposure.up()
    assert exposure.status()["hop"] is None
    tunnel, gateway, backend = (exposure.pid(role) for role in ("tunnel", "gateway", "backend"))

    edge.instead = (200, {"Content-Type": "text/html"}, b"<html>Welcome to the hotel")
    eventually(lambda: exposure.status()["hop"] == "edge", within=60)
    assert exposure.phase() == "degraded"
    assert "a page answers" in exposure.status()["checks"]["why"]
    assert "at the edge" in exposure.run("status").stdout
    edge.instead = None
    exposure.wait_for("online", within=60)
    assert exposure.pid("tunnel") == tunnel, "what is broken at the edge is not mended by a new agent"

    edge.instead = (530, {"CF-RAY": "1"}, b"error code: 1033")
    eventually(lambda: exposure.status()["hop"] == "agent", within=60)
    eventually(lambda: exposure.pid("tunnel") not in (0, tunnel), within=90)
    edge.instead = None
    exposure.wait_for("online", within=60)
    assert (exposure.pid("gateway"), exposure.pid("backend")) == (gateway, backend)
    edge.close()
