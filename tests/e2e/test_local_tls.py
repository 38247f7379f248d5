"""https on this machine, for clients that insist."""

import http.client
import json
import os
import signal
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from exposer.tls.authority import LocalAuthority
from tests.support.eventually import eventually
from tests.support.exposure import Exposure, get, sample_config
from tests.support.ports import free_port

pytestmark = pytest.mark.nginx


def ask(url: str, path: str, context: ssl.SSLContext, key: str = "") -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=10, context=context)
    try:
        connection.request("GET", path, headers={"X-API-Key": key} if key else {})
        return connection.getresponse().status
    finally:
        connection.close()


def with_tls(config: str) -> str:
    return config.replace('provider = "local"', 'provider = "local"\ntls = true')


def test_local_https_is_trusted_by_its_own_authority_and_by_nobody_else(
    make_exposure: Callable[..., Exposure],
) -> None:
    exposure = make_exposure(with_tls(sample_config(free_port())))
    said = exposure.up()
    assert exposure.url.startswith("https://127.0.0.1:")
    ca = said["tunnel"]["ca"]
    assert ca == str(exposure.state / exposure.name / "tls" / "ca.pem")
    assert ca in exposure.run("status").stdout
    trusting = ssl.create_default_context(cafile=ca)
    assert ask(exposure.url, "/api/notes", trusting, exposure.key) == 200
    assert ask(exposure.url, "/api/notes", trusting) == 401
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(exposure.url, "/api/notes", ssl.create_default_context(), exposure.key)
    plain = get(exposure.url.replace("https://", "http://") + "/api/notes", exposure.key)
    assert (plain.status, plain.json()["title"]) == (400, "Bad request")
    assert exposure.status()["checks"]["refuses_without_key"] is True

    document = json.loads(exposure.run("schema", "show").stdout)
    assert document["servers"][0]["url"].startswith(exposure.url)
    folder = exposure.runtime / exposure.name / "gateway"
    assert (folder / "tls.key").stat().st_mode & 0o077 == 0
    before = exposure.url
    gateway = exposure.pid("gateway")
    os.kill(gateway, signal.SIGKILL)
    eventually(lambda: exposure.pid("gateway") not in (0, gateway), within=30)
    exposure.wait_for("online", within=30)
    assert exposure.status()["public_url"] == before, "clients find it where it was"
    assert ask(exposure.url, "/api/notes", trusting, exposure.key) == 200
    assert exposure.run("panic").returncode == 0
    with pytest.raises(OSError, match="refused"):
        ask(exposure.url, "/api/notes", trusting, exposure.key)


def test_old_and_weak_tls_is_refused(make_exposure: Callable[..., Exposure]) -> None:
    exposure = make_exposure(with_tls(sample_config(free_port())))
    said = exposure.up()

    def context(low: ssl.TLSVersion, high: ssl.TLSVersion, ciphers: str = "ALL:@SECLEVEL=0") -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=said["tunnel"]["ca"])
        made.set_ciphers(ciphers)
        made.minimum_version, made.maximum_version = low, high
        return made

    version = ssl.TLSVersion
    assert ask(exposure.url, "/api/notes", context(version.TLSv1_2, version.TLSv1_2), exposure.key) == 200
    assert ask(exposure.url, "/api/notes", context(version.TLSv1_3, version.TLSv1_3), exposure.key) == 200
    weak = context(version.TLSv1_2, version.TLSv1_2, "AES128-SHA:AES256-SHA256:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        ask(exposure.url, "/api/notes", weak, exposure.key)
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old = context(version.TLSv1, version.TLSv1_1)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(exposure.url, "/api/notes", old, exposure.key)


def test_tls_can_be_switched_on_and_off_and_a_certificate_that_nears_its_end_is_replaced(
    make_exposure: Callable[..., Exposure],
) -> None:
    config = sample_config(free_port())
    exposure = make_exposure(config)
    state = exposure.state / exposure.name
    # An earlier run has left a certificate that ends soon.
    for folder in (exposure.state, state):
        folder.mkdir(mode=0o700)
    old = LocalAuthority(state, exposure.name).certificate(datetime.now(UTC) - timedelta(days=25)).certificate
    exposure.up()
    gateway = exposure.pid("gateway")
    exposure.write(with_tls(config))
    eventually(lambda: str(exposure.status()["public_url"]).startswith("https://"), within=30)
    exposure.wait_for("online", within=30)
    exposure.url = exposure.status()["public_url"]
    context = ssl.create_default_context(cafile=str(state / "tls" / "ca.pem"))
    assert ask(exposure.url, "/api/notes", context, exposure.key) == 200
    assert (state / "tls" / "leaf.pem").read_text() != old
    assert exposure.pid("gateway") == gateway, "a reload is enough"
    exposure.write(config)
    eventually(lambda: str(exposure.status()["public_url"]).startswith("http://"), within=30)
    eventually(lambda: not Path(exposure.runtime, exposure.name, "gateway", "tls.key").exists(), within=10)
    assert os.listdir(state / "tls")
