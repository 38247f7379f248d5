"""This machine as the public server: a certificate from a real ACME authority, or one's own."""

import base64
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exposer.gateway.front import has_ipv6
from exposer.tls.served import Served
from tests.support import pebble
from tests.support.certificates import self_signed
from tests.support.eventually import eventually
from tests.support.exposure import REPOSITORY, Exposure, sample_config
from tests.support.ports import free_port

pytestmark = [pytest.mark.nginx, pytest.mark.slow]
HOST = "api.exposer.test"
SCANNER = REPOSITORY / ".venv-scanner" / "bin" / "python"


class Direct(http.client.HTTPSConnection):
    """Goes to this machine whatever the name; the certificate is kept in `shown`."""

    def __init__(self, port: int, context: ssl.SSLContext, address: str = "127.0.0.1") -> None:
        super().__init__(HOST, port, timeout=30, context=context)
        self._trust = context
        self._address = address
        self.shown = b""

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), timeout=30)
        self.sock = self._trust.wrap_socket(plain, server_hostname=HOST)
        self.shown = self.sock.getpeercert(binary_form=True) or b""


def ask(
    port: int, path: str, context: ssl.SSLContext, key: str = "", address: str = "127.0.0.1"
) -> tuple[int, dict[str, str], bytes]:
    connection = Direct(port, context, address)
    try:
        connection.request("GET", path, headers={"X-API-Key": key} if key else {})
        answer = connection.getresponse()
        answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, connection.shown
    finally:
        connection.close()


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def config(https: int, plain: int, more: str) -> str:
    lines = f"""provider = "server"
hostname = "{HOST}"
https_port = {https}
http_port = {plain}
{more}"""
    return sample_config(free_port()).replace('provider = "local"', lines)


@pytest.mark.skipif(not pebble.AVAILABLE, reason="pebble is not installed")
def test_a_certificate_is_got_from_an_acme_authority_and_renewed_without_dropping_a_call(
    tmp_path: Path, make_exposure: Callable[..., Exposure]
) -> None:
    https, plain = free_port(), free_port()
    with pebble.Pebble(tmp_path / "pebble", plain) as authority:
        more = f'acme = "{authority.directory}"\nacme_ca = "{authority.ca_file}"\n'
        exposure = make_exposure(config(https, plain, more))
        exposure.up()
        assert exposure.url == f"https://{HOST}:{https}"
        status, headers, first = ask(https, "/api/notes", unverified(), exposure.key)
        assert (status, headers["strict-transport-security"]) == (200, "max-age=31536000")
        status, headers, _ = ask(https, "/api/notes", unverified())
        assert (status, headers["strict-transport-security"]) == (401, "max-age=31536000")

        moved = http.client.HTTPConnection("127.0.0.1", plain, timeout=10)
        moved.request("GET", "/api/notes?x=1", headers={"X-API-Key": exposure.key})
        answer = moved.getresponse()
        assert (answer.status, answer.headers["Location"]) == (308, f"https://{HOST}:{https}/api/notes?x=1")
        moved.close()

        served = Served(exposure.state / exposure.name)
        account = (served.folder / "account.key").read_bytes()
        assert all(path.stat().st_mode & 0o077 == 0 for path in served.folder.iterdir())
        gateway = exposure.pid("gateway")
        shorten(served)
        seen: set[bytes] = set()

        def renewed() -> bool:
            status, _, shown = ask(https, "/api/notes", unverified(), exposure.key)
            assert status == 200
            seen.add(shown)
            return len(seen - {first}) >= 2  # the one that nears its end, and the new one

        eventually(renewed, within=60)
        assert exposure.pid("gateway") == gateway
        assert (served.folder / "account.key").read_bytes() == account
    before = served.pair()
    shorten(served)
    old = served.pair()
    assert old != before
    eventually(lambda: "could not be renewed" in str(exposure.status()["tunnel"].get("warning")), within=30)
    assert served.pair() == old, "without the authority the old certificate stays in force"
    assert ask(https, "/api/notes", unverified(), exposure.key)[0] == 200
    assert served.next_try() > datetime.now(UTC).timestamp()


@pytest.mark.skipif(not pebble.AVAILABLE, reason="pebble is not installed")
def test_an_authority_that_demands_an_account_of_ones_own_gets_its_key_and_says_so_without_it(
    tmp_path: Path, make_exposure: Callable[..., Exposure]
) -> None:
    https, plain = free_port(), free_port()
    secret = base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()
    with pebble.Pebble(tmp_path / "pebble", plain, accounts={"kid-1": secret}) as authority:
        more = f'acme = "{authority.directory}"\nacme_ca = "{authority.ca_file}"\n'
        exposure = make_exposure(config(https, plain, more))
        done = exposure.run("up", "-d", "--timeout", "40s")
        assert done.returncode != 0
        assert "externalAccountRequired" in done.stderr
        (exposure.state / exposure.name / "tls" / "next-try.json").unlink()
        exposure.env["ACME_KEY"] = secret
        exposure.write(config(https, plain, f'{more}acme_kid = "kid-1"\nacme_key = "env:ACME_KEY"\n'))
        exposure.up()
        assert lets_in(https, exposure.key)


def write_hook(hook: Path, said: Path, authority: pebble.Pebble, first: str = "") -> None:
    """A program that answers the check by DNS; `first` is what it does before."""
    hook.write_text(f"""#!{sys.executable}
import json, os, sys, time, urllib.request
told = json.load(sys.stdin)
open({str(said)!r}, "a").write(json.dumps(told | {{"pid": os.getpid()}}) + chr(10))
{first}
record = {{"host": told["name"] + ".", "value": told["value"]}}
place = {authority.dns_api!r} + ("/set-txt" if told["action"] == "add" else "/clear-txt")
urllib.request.build_opener(urllib.request.ProxyHandler({{}})).open(place, json.dumps(record).encode()).close()
""")
    hook.chmod(0o700)


@pytest.mark.skipif(not pebble.AVAILABLE, reason="pebble is not installed")
@pytest.mark.parametrize("then", ["up", "panic"])
def test_killed_within_an_order_nothing_is_open_and_the_next_up_gets_the_certificate(
    tmp_path: Path, make_exposure: Callable[..., Exposure], then: str
) -> None:
    https, plain = free_port(), free_port()
    hook, said, held = tmp_path / "dns.py", tmp_path / "said.jsonl", tmp_path / "held"
    with pebble.Pebble(tmp_path / "pebble", free_port()) as authority:
        write_hook(hook, said, authority, f"while os.path.exists({str(held)!r}): time.sleep(0.05)")
        more = f'acme = "{authority.directory}"\nacme_ca = "{authority.ca_file}"\n'
        exposure = make_exposure(config(https, plain, f'{more}dns_hook = ["{hook}"]\ndns_wait = "1s"\n'))
        held.touch()
        starting = threading.Thread(target=exposure.run, args=("up", "-d"))
        starting.start()
        eventually(lambda: said.exists() and said.read_text().count("\n") == 1, within=60)
        account = (exposure.state / exposure.name / "tls" / "account.key").read_bytes()
        program = json.loads(said.read_text())["pid"]
        exposure.kill("supervisor")
        assert not listening(https)
        if then == "panic":
            assert exposure.run("panic").returncode == 0
            eventually(lambda: not Path(f"/proc/{program}/exe").exists())
            assert not listening(plain)
            starting.join(60)
            return
        held.unlink()
        starting.join(60)
        exposure.up()
        assert lets_in(https, exposure.key)
        assert (exposure.state / exposure.name / "tls" / "account.key").read_bytes() == account
        told = [(each["action"], each["value"]) for each in map(json.loads, said.read_text().splitlines())]
        added, removed = ({value for does, value in told if does == which} for which in ("add", "remove"))
        assert added == removed, "the record of the killed order is gone as well"
        exposure.run("down")
    eventually(lambda: not Path(f"/proc/{program}/exe").exists())


@pytest.mark.skipif(not pebble.AVAILABLE, reason="pebble is not installed")
def test_where_port_80_is_out_of_reach_a_program_answers_the_check_by_dns(
    tmp_path: Path, make_exposure: Callable[..., Exposure]
) -> None:
    https, hook, said = free_port(), tmp_path / "dns.py", tmp_path / "said.jsonl"
    with pebble.Pebble(tmp_path / "pebble", free_port()) as authority:  # it would find nobody by http
        write_hook(hook, said, authority)
        more = f'acme = "{authority.directory}"\nacme_ca = "{authority.ca_file}"\n'
        exposure = make_exposure(config(https, free_port(), f'{more}dns_hook = ["{hook}"]\ndns_wait = "1s"\n'))
        exposure.up()
        assert lets_in(https, exposure.key)
    told = [json.loads(line) for line in said.read_text().splitlines()]
    assert told
    assert [each["action"] for each in told] == ["add", "remove"] * (len(told) // 2)  # an order may be sent anew
    assert {(each["type"], each["name"]) for each in told} == {("TXT", f"_acme-challenge.{HOST}")}


@pytest.mark.skipif(not pebble.AVAILABLE, reason="pebble is not installed")
def test_three_renewals_under_load_lose_no_call(tmp_path: Path, make_exposure: Callable[..., Exposure]) -> None:
    https, plain = free_port(), free_port()
    with pebble.Pebble(tmp_path / "pebble", plain, life=15) as authority:
        more = f'acme = "{authority.directory}"\nacme_ca = "{authority.ca_file}"\n'
        exposure = make_exposure(config(https, plain, more))
        exposure.up()
        over, lost, seen, served = threading.Event(), [], set(), [0, 0]

        def new_connections() -> None:
            while not over.is_set():
                try:
                    status, _, shown = ask(https, "/api/notes", unverified(), exposure.key)
                    seen.add(shown)
                    served[0] += 1
                    if status != 200:
                        lost.append(status)
                except OSError as error:
                    lost.append(repr(error))

        def kept_alive() -> None:
            connection = Direct(https, unverified())
            while not over.is_set():
                try:
                    connection.request("GET", "/api/notes", headers={"X-API-Key": exposure.key})
                    answer = connection.getresponse()
                    answer.read()
                    served[1] += 1
                    if answer.status != 200:
                        lost.append(answer.status)
                except (OSError, http.client.HTTPException) as error:
                    lost.append(repr(error))
                    connection.close()
            connection.close()

        threads = [threading.Thread(target=job) for job in (new_connections, kept_alive)]
        for thread in threads:
            thread.start()
        try:
            eventually(lambda: len(seen) >= 4, within=300)  # the first one and three more
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert lost == []
        assert min(served) > 0


def lets_in(port: int, key: str) -> bool:
    try:
        return ask(port, "/api/notes", unverified(), key)[0] == 200
    except OSError:  # not yet
        return False


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def own_files(folder: Path) -> str:
    """The lines of a config for a certificate of one's own, which is good for a while."""
    pair = self_signed(HOST, datetime.now(UTC) - timedelta(days=1), 90)
    (folder / "chain.pem").write_text(pair.certificate)
    (folder / "key.pem").write_text(pair.key.reveal())
    return f'certificate = "{folder}/chain.pem"\nkey = "{folder}/key.pem"\n'


def shorten(served: Served) -> None:
    """Puts a certificate in place that nears its end, for the same name."""
    served.keep(self_signed(HOST, datetime.now(UTC) - timedelta(days=80), days=90))


def test_a_name_that_leads_elsewhere_gets_no_certificate_and_the_authority_is_not_hammered(
    tmp_path: Path, make_exposure: Callable[..., Exposure]
) -> None:
    if not pebble.AVAILABLE:
        pytest.skip("pebble is not installed")
    https, plain = free_port(), free_port()
    with pebble.Pebble(tmp_path / "pebble", free_port()) as authority:  # it looks where nobody is
        more = f'acme = "{authority.directory}"\nacme_ca = "{authority.ca_file}"\n'
        exposure = make_exposure(config(https, plain, more))
        done = exposure.run("up", "-d", "--timeout", "40s")
        assert done.returncode != 0
        assert "could not reach" in done.stderr
        assert not listening(https)
    wait = json.loads((exposure.state / exposure.name / "tls" / "next-try.json").read_text())["at"]
    assert wait > datetime.now(UTC).timestamp()


def test_own_certificate_files_are_served_and_new_ones_taken_over(
    tmp_path: Path, make_exposure: Callable[..., Exposure]
) -> None:
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"

    def write(host: str, days: int = 90) -> None:
        pair = self_signed(host, datetime.now(UTC) - timedelta(days=1), days)
        key.write_text(pair.key.reveal())
        chain.write_text(pair.certificate)

    https, plain = free_port(), free_port()
    write(HOST)
    exposure = make_exposure(config(https, plain, f'certificate = "{chain}"\nkey = "{key}"\n'))
    exposure.up()
    trusting = ssl.create_default_context(cafile=str(chain))
    status, _, first = ask(https, "/api/notes", trusting, exposure.key)
    assert status == 200
    write(HOST)
    eventually(lambda: ask(https, "/api/notes", unverified(), exposure.key)[2] != first, within=20)
    assert exposure.phase() == "online"
    good = ask(https, "/api/notes", unverified(), exposure.key)[2]
    write(HOST, days=1)  # it has ended just now
    eventually(lambda: "the last good one stays in force" in str(exposure.status()["tunnel"].get("warning")), within=20)
    assert ask(https, "/api/notes", unverified(), exposure.key)[::2] == (200, good)
    key.write_text("torn")
    assert ask(https, "/api/notes", unverified(), exposure.key)[::2] == (200, good)
    challenge = http.client.HTTPConnection("127.0.0.1", plain, timeout=10)
    challenge.request("GET", f"/.well-known/acme-challenge/{'a' * 20}")
    assert challenge.getresponse().status == 308, "there is no account that an authority could know"
    challenge.close()
    exposure.run("panic")
    assert not listening(https)
    assert not listening(plain)


@pytest.mark.parametrize("wrong", ["other", "ended", "torn"])
def test_a_certificate_that_cannot_serve_ends_the_start_with_the_reason(
    wrong: str, tmp_path: Path, make_exposure: Callable[..., Exposure]
) -> None:
    host = "other.exposer.test" if wrong == "other" else HOST
    pair = self_signed(host, datetime.now(UTC) - timedelta(days=100), 50 if wrong == "ended" else 200)
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_text("torn" if wrong == "torn" else pair.certificate)
    key.write_text(pair.key.reveal())
    exposure = make_exposure(config(free_port(), free_port(), f'certificate = "{chain}"\nkey = "{key}"\n'))
    done = exposure.run("up", "-d", "--timeout", "20s")
    assert done.returncode != 0
    says = {"other": "is not for api.exposer.test", "ended": "has ended", "torn": "cannot be used"}[wrong]
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_callers_come_in_by_ipv6_as_well(tmp_path: Path, make_exposure: Callable[..., Exposure]) -> None:
    https, plain = free_port(), free_port()
    own = own_files(tmp_path)
    exposure = make_exposure(config(https, plain, own))
    exposure.up()
    assert ask(https, "/api/notes", unverified(), exposure.key, address="::1")[0] == 200
    assert ask(https, "/api/notes", unverified(), address="::1")[0] == 401
    connection = http.client.HTTPConnection("::1", plain, timeout=10)
    connection.request("GET", "/api/notes?a=1", headers={"Host": HOST})
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (308, f"https://{HOST}:{https}/api/notes?a=1")
    connection.close()


@pytest.mark.parametrize("taken", ["https_port", "http_port"])
def test_a_port_that_somebody_has_ends_the_start_with_its_number(
    tmp_path: Path, make_exposure: Callable[..., Exposure], taken: str
) -> None:
    ports = {"https_port": free_port(), "http_port": free_port()}
    own = own_files(tmp_path)
    exposure = make_exposure(config(ports["https_port"], ports["http_port"], own))
    with socket.create_server(("", ports[taken])):
        done = exposure.run("up", "-d")
    assert done.returncode == 1, done.stderr
    assert f"port {ports[taken]} of this machine cannot be used: Address already in use" in done.stderr
    assert f"tunnel.{taken}" in done.stderr
    assert (exposure.phase(), exposure.ledger()) == ("offline", [])
    exposure.up()  # once it is free


def test_weak_and_old_tls_is_refused_from_everywhere(tmp_path: Path, make_exposure: Callable[..., Exposure]) -> None:
    own = own_files(tmp_path)
    https = free_port()
    exposure = make_exposure(config(https, free_port(), own))
    exposure.up()
    accepted = []
    for cipher in (c["name"] for c in ssl._create_unverified_context().get_ciphers()):
        context = unverified()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.set_ciphers(f"{cipher}:@SECLEVEL=0")
            ask(https, "/", context)
            accepted.append(cipher)
        except OSError:
            continue
    assert accepted
    assert all(name.startswith("ECDHE-") and ("GCM" in name or "POLY1305" in name) for name in accepted), accepted


@pytest.mark.skipif(not SCANNER.exists(), reason="no TLS scanner here: scripts/setup_scanner")
def test_a_tls_scanner_finds_nothing_weak(tmp_path: Path, make_exposure: Callable[..., Exposure]) -> None:
    own = own_files(tmp_path)
    https = free_port()
    exposure = make_exposure(config(https, free_port(), own))
    exposure.up()
    scan = [str(SCANNER), str(Path(__file__).parent.parent / "support" / "scan_tls.py"), HOST, str(https)]
    done = subprocess.run(scan, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    suites = found.pop("suites")
    assert not any(suites[old] for old in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"))
    assert suites["tls_1_2"]
    assert suites["tls_1_3"]
    assert all("_ECDHE_" in name and ("_GCM_" in name or "CHACHA20" in name) for name in suites["tls_1_2"])
    assert found.pop("robot").startswith("NOT_VULNERABLE")
    assert not any(found.values()), found
