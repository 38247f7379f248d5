"""`exposer tunnel`: what is usable, programs that are fetched, and what providers need once."""

import hashlib
import http.server
import json
import os
import re
import shutil
import stat
import subprocess
import threading
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exposer.config.tables import PROVIDERS
from tests.support import fake_cloudflare_account as cloudflare
from tests.support import fake_cloudflared, fake_ngrok, sshd
from tests.support.exposure import EXPOSER, Exposure, sample_config
from tests.support.ports import free_port

TOKEN = "eyJhIjogImFjY291bnQiLCAidCI6ICIwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDciLCAicyI6ICJjMlZqY21WMCJ9"
HEX = "0123456789abcdef" * 2


def run(exposure: Exposure, *words: str, said: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """The command without a terminal; `said` is its standard input."""
    return subprocess.run(
        [*EXPOSER, "--file", str(exposure.file), "tunnel", *words],
        env=exposure.env | env,
        input=said,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=exposure.folder,
    )


def told(done: subprocess.CompletedProcess[str]) -> dict:
    """What it says to put into exposer.toml."""
    assert done.returncode == 0, done.stderr
    return tomllib.loads(done.stdout.partition("\n\n")[0])["tunnel"]


def private(path: str) -> bool:
    return stat.S_IMODE(os.stat(path).st_mode) == 0o600


@pytest.fixture
def exposure(make_exposure: Callable[..., Exposure]) -> Exposure:
    return make_exposure(sample_config(free_port()))


class TestWhatIsUsable:
    def test_each_provider_says_whether_it_is_usable_and_what_it_lacks(self, exposure: Exposure) -> None:
        said = json.loads(run(exposure, "list", "--json", PATH="/nonexistent").stdout)["tunnels"]
        found = {row["provider"]: row for row in said}
        assert set(found) == set(PROVIDERS)
        assert found["local"]["usable"]
        assert (found["local"]["used_as"], found["ngrok"]["used_as"]) == ("first", None)
        for provider in ("cloudflared", "ngrok", "ssh"):
            assert not found[provider]["usable"]
            assert "not on PATH" in found[provider]["why"]
            assert found[provider]["hint"]

    def test_programs_on_the_path_are_found_with_their_versions(self, exposure: Exposure, tmp_path: Path) -> None:
        fake_cloudflared.install(tmp_path)
        fake_ngrok.install(tmp_path, version="3.31.0")
        done = run(exposure, "list", PATH=f"{tmp_path}:{os.environ['PATH']}")
        assert re.search(r"cloudflared +yes +STAND-IN", done.stdout)
        assert re.search(r"ngrok +yes +3\.31\.0 +.*near the end of its support", done.stdout)


class Releases(http.server.BaseHTTPRequestHandler):
    content = b""

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[Callable[[bytes], str]]:
    """An https server; its certificate is trusted through REQUESTS_CA_BUNDLE."""
    import ssl

    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    words += ["-addext", "subjectAltName=DNS:localhost", "-out", str(cert), "-keyout", str(key)]
    subprocess.run(words, check=True, capture_output=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Releases)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()

    def serve(content: bytes) -> str:
        Releases.content = content
        return f"https://localhost:{server.server_address[1]}/cloudflared-linux-amd64"

    yield serve
    server.shutdown()
    server.server_close()
    thread.join()


class TestInstall:
    program = Path(shutil.which("true") or "/bin/true").read_bytes()
    sha256 = hashlib.sha256(program).hexdigest()

    def test_a_fetched_program_is_taken_only_with_the_right_checksum(
        self, exposure: Exposure, releases: Callable[[bytes], str], tmp_path: Path
    ) -> None:
        url = releases(self.program)
        env = {"REQUESTS_CA_BUNDLE": str(tmp_path / "cert.pem"), "PATH": "/nonexistent"}
        wrong = run(exposure, "install", "cloudflared", "--url", url, "--sha256", "0" * 64, **env)
        assert wrong.returncode == 1
        assert "nothing was installed" in wrong.stderr
        assert list((exposure.state / ".bin").iterdir()) == []
        done = run(exposure, "install", "cloudflared", "--url", url, "--sha256", self.sha256, **env)
        assert done.returncode == 0, done.stderr
        place = Path(done.stdout.strip())
        assert place.read_bytes() == self.program
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert sorted(path.name for path in place.parent.iterdir()) == [place.name, "cloudflared.json"]
        listed = json.loads(run(exposure, "list", "--json", **env).stdout)["tunnels"]
        assert "not on PATH" not in listed[0]["why"]

    def test_a_page_in_place_of_a_program_is_not_installed(self, exposure: Exposure, tmp_path: Path) -> None:
        for text in (b"<html>log in</html>", b"#!/bin/sh\nexec cloudflared\n", b""):
            file = tmp_path / "file"
            file.write_bytes(text)
            digest = hashlib.sha256(text).hexdigest()
            done = run(exposure, "install", "cloudflared", "--from", str(file), "--sha256", digest)
            assert done.returncode == 1
            assert "a script or a page" in done.stderr
            assert list((exposure.state / ".bin").iterdir()) == []

    def test_one_that_was_changed_since_is_never_run(self, exposure: Exposure, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.write_bytes(self.program)
        done = run(exposure, "install", "cloudflared", "--from", str(file), "--sha256", self.sha256)
        Path(done.stdout.strip()).write_bytes(self.program + b"x")
        listed = json.loads(run(exposure, "list", "--json", PATH="/nonexistent").stdout)["tunnels"]
        assert "is not what was installed there" in listed[0]["why"]

    def test_without_a_network_it_tells_the_exact_steps(self, exposure: Exposure) -> None:
        url = f"https://localhost:{free_port()}/cloudflared-linux-amd64"
        done = run(exposure, "install", "cloudflared", "--url", url, "--sha256", "a" * 64)
        assert done.returncode == 4
        assert f"curl -LO {url}" in done.stderr
        assert "--from cloudflared-linux-amd64 --sha256 " + "a" * 64 in done.stderr

    def test_nothing_is_fetched_without_a_checksum(self, exposure: Exposure) -> None:
        for words in (("--url", "https://localhost:1/x"), ("--version", "2020.1.1")):
            done = run(exposure, "install", "cloudflared", *words)
            assert done.returncode == 2
            assert "checksum is needed" in done.stderr
        assert run(exposure, "install", "ngrok").returncode == 2

    def test_the_folder_for_programs_is_no_exposure(self, exposure: Exposure, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.write_bytes(self.program)
        run(exposure, "install", "cloudflared", "--from", str(file), "--sha256", self.sha256)
        done = exposure.run("panic", "--no-verify", "--json")
        assert [row["name"] for row in json.loads(done.stdout)["exposures"]] == [exposure.name]
        assert not (exposure.state / ".bin" / "PANIC").exists()


class TestCloudflared:
    @pytest.fixture
    def binary(self, exposure: Exposure, tmp_path: Path) -> Path:
        path = cloudflare.install(tmp_path)
        exposure.write(
            sample_config(free_port()).replace('provider = "local"', f'provider = "cloudflared"\nbinary = "{path}"')
        )
        return path

    API = ("setup", "cloudflared", "--api-token", "--account", HEX, "--zone", HEX)

    def test_an_api_token_makes_a_tunnel_and_lets_the_name_lead_to_it(self, exposure: Exposure, binary: Path) -> None:
        done = run(exposure, *self.API, "--hostname", "api.example.com", said="cf-api-token-of-tests\n")
        lines = told(done)
        assert lines["hostname"] == "api.example.com"
        path = lines["credentials"].removeprefix("file:")
        assert private(path)
        cloud = cloudflare.cloud_of(binary.parent)
        name = f"exposer-{exposure.name}"
        assert json.loads(Path(path).read_text())["TunnelID"] == cloud["tunnels"][name]["id"]
        assert cloud["routes"] == {"api.example.com": name}
        assert private(str(exposure.state / exposure.name / "cloudflare" / ".cloudflared" / "cert.pem"))
        assert "cf-api-token-of-tests" not in done.stdout + done.stderr
        again = run(exposure, *self.API, "--hostname", "api.example.com", said="cf-api-token-of-tests\n")
        assert told(again) == lines

    def test_without_a_zone_the_dns_is_left_to_the_user(self, exposure: Exposure, binary: Path) -> None:
        done = run(exposure, *self.API[:-2], "--hostname", "api.example.com", said="cf-api-token-of-tests")
        told(done)
        assert ".cfargotunnel.com" in done.stderr
        assert cloudflare.cloud_of(binary.parent)["routes"] == {}

    def test_a_name_that_leads_elsewhere_is_taken_only_when_asked(self, exposure: Exposure, binary: Path) -> None:
        cloud = cloudflare.cloud_of(binary.parent)
        cloudflare.save(binary.parent, cloud | {"routes": {"api.example.com": "another"}})
        words = (*self.API, "--hostname", "api.example.com")
        done = run(exposure, *words, said="cf-api-token-of-tests")
        assert done.returncode == 1
        assert "--overwrite-dns" in done.stderr
        told(run(exposure, *words, "--overwrite-dns", said="cf-api-token-of-tests"))

    def test_tunnels_are_listed_cleaned_up_and_deleted(self, exposure: Exposure, binary: Path) -> None:
        told(run(exposure, *self.API, "--hostname", "api.example.com", said="cf-api-token-of-tests"))
        cloud, name = cloudflare.cloud_of(binary.parent), f"exposer-{exposure.name}"
        cloud["tunnels"][name]["connections"] = [{"id": "c"}]
        cloudflare.save(binary.parent, cloud)
        listed = json.loads(run(exposure, "setup", "cloudflared", "--list", "--json").stdout)["tunnels"]
        assert [(row["name"], row["connections"]) for row in listed] == [(name, 1)]
        refused = run(exposure, "setup", "cloudflared", "--delete", name)
        assert refused.returncode == 1
        assert "--cleanup" in refused.stderr
        done = run(exposure, "setup", "cloudflared", "--cleanup", name, "--delete", name)
        assert done.returncode == 0, done.stderr
        assert cloudflare.cloud_of(binary.parent)["tunnels"] == {}

    @pytest.mark.parametrize("by", ["name", "id"])
    def test_a_deleted_tunnel_leaves_no_credentials_so_that_the_next_setup_makes_another(
        self, exposure: Exposure, binary: Path, by: str
    ) -> None:
        lines = told(run(exposure, *self.API, "--hostname", "api.example.com", said="cf-api-token-of-tests"))
        credentials, name = Path(lines["credentials"].removeprefix("file:")), f"exposer-{exposure.name}"
        first = json.loads(credentials.read_text())["TunnelID"]
        done = run(exposure, "setup", "cloudflared", "--delete", name if by == "name" else first)
        assert done.returncode == 0, done.stderr
        assert not credentials.exists()
        told(run(exposure, "setup", "cloudflared", "--hostname", "api.example.com"))
        assert cloudflare.cloud_of(binary.parent)["tunnels"][name]["id"] != first

    def test_a_tunnel_that_was_deleted_elsewhere_is_told_with_what_to_remove(
        self, exposure: Exposure, binary: Path
    ) -> None:
        lines = told(run(exposure, *self.API, "--hostname", "api.example.com", said="cf-api-token-of-tests"))
        cloudflare.save(binary.parent, {**cloudflare.cloud_of(binary.parent), "tunnels": {}})
        done = run(exposure, "setup", "cloudflared", "--hostname", "api.example.com")
        assert done.returncode == 1
        assert str(Path(lines["credentials"].removeprefix("file:")).parent) in done.stderr

    def test_a_wrong_api_token_is_told_and_not_repeated(self, exposure: Exposure, binary: Path) -> None:
        done = run(exposure, *self.API, "--hostname", "api.example.com", said="wrong-token-wrong-token")
        assert done.returncode == 1
        assert "unauthorized" in done.stderr
        assert "wrong-token" not in done.stderr

    def test_a_login_is_never_asked_for_without_a_terminal(self, exposure: Exposure, binary: Path) -> None:
        done = run(exposure, "setup", "cloudflared", "--hostname", "api.example.com")
        assert done.returncode == 4
        assert "--api-token" in done.stderr

    def test_a_login_leaves_its_certificate_in_our_own_folder(self, exposure: Exposure, binary: Path) -> None:
        from exposer.tunnels import setup_cloudflared

        (exposure.state / exposure.name).mkdir(parents=True, mode=0o700)
        known = setup_cloudflared.account(str(binary), exposure.state / exposure.name)
        said: list[str] = []
        setup_cloudflared.log_in(known, said.append)
        assert "https://dash.example/argotunnel" in said
        assert setup_cloudflared.tunnels(known) == []
        assert known.cert.is_relative_to(exposure.state)

    def test_a_token_from_the_dashboard_is_looked_over_and_kept(self, exposure: Exposure, binary: Path) -> None:
        words = ("setup", "cloudflared", "--token", "--hostname", "api.example.com")
        bad = run(exposure, *words, said="eyJub3QiOiJhIHRva2VuIn0=")
        assert bad.returncode == 2
        assert "eyJub3Q" not in bad.stderr
        lines = told(run(exposure, *words, said=TOKEN))
        path = lines["token"].removeprefix("file:")
        assert private(path)
        assert Path(path).read_text() == TOKEN


class TestNgrok:
    def test_an_authtoken_is_kept_where_nobody_else_can_read_it(self, exposure: Exposure, tmp_path: Path) -> None:
        fake_ngrok.install(tmp_path)
        env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        lines = told(run(exposure, "setup", "ngrok", said="2abcTOKEN_3def", **env))
        assert private(lines["token"].removeprefix("file:"))
        assert run(exposure, "setup", "ngrok", **env).returncode == 2


@pytest.mark.ssh
class TestSsh:
    def setup(self, exposure: Exposure, server: sshd.Sshd, *more: str) -> subprocess.CompletedProcess[str]:
        where = ("--host", "127.0.0.1", "--port", str(server.port), "--user", server.user)
        remote = ("--remote-port", str(server.remote_port), "--url", f"http://127.0.0.1:{server.remote_port}")
        return run(exposure, "setup", "ssh", *where, *remote, *more)

    def fingerprint(self, server: sshd.Sshd) -> str:
        said = subprocess.run(
            ["ssh-keygen", "-lf", str(server.folder / "host_key.pub")], capture_output=True, text=True, check=True
        )
        return said.stdout.split()[1]

    @pytest.mark.nginx
    def test_what_it_prints_is_all_that_is_needed_to_come_online(self, exposure: Exposure, server: sshd.Sshd) -> None:
        done = self.setup(exposure, server, "--fingerprint", self.fingerprint(server))
        lines, line = told(done), done.stdout.splitlines()[-1]
        assert line.startswith(f'restrict,port-forwarding,permitlisten="127.0.0.1:{server.remote_port}"')
        (server.folder / "authorized_keys").write_text(f"{line}\n")
        text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in lines.items())
        exposure.write(sample_config(free_port()).replace('provider = "local"', text))
        exposure.up()
        assert exposure.get("/api/notes").status == 200
        assert private(str(exposure.state / exposure.name / "ssh_key"))

    def test_a_key_is_pinned_only_when_somebody_vouches_for_it(self, exposure: Exposure, server: sshd.Sshd) -> None:
        pinned = exposure.state / exposure.name / "known_hosts"
        unsaid = self.setup(exposure, server)
        assert unsaid.returncode == 2
        assert self.fingerprint(server) in unsaid.stderr
        wrong = self.setup(exposure, server, "--fingerprint", "SHA256:" + "A" * 43)
        assert wrong.returncode == 2
        assert not pinned.exists()

    def test_a_changed_key_is_an_alarm_and_replaced_only_when_asked(
        self, exposure: Exposure, server: sshd.Sshd
    ) -> None:
        told(self.setup(exposure, server, "--fingerprint", self.fingerprint(server)))
        pinned = exposure.state / exposure.name / "known_hosts"
        before = pinned.read_text()
        server.stop()
        server.new_host_key()
        server.start()
        alarm = self.setup(exposure, server, "--fingerprint", self.fingerprint(server))
        assert alarm.returncode == 1
        assert "ALARM" in alarm.stderr
        assert pinned.read_text() == before
        told(self.setup(exposure, server, "--fingerprint", self.fingerprint(server), "--replace"))
        assert pinned.read_text() != before
        assert len(pinned.read_text().splitlines()) == 1

    def test_a_service_is_pinned_in_the_same_way(self, exposure: Exposure, server: sshd.Sshd) -> None:
        where = ("--host", "127.0.0.1", "--port", str(server.port), "--service", "localhost.run")
        done = run(exposure, "setup", "ssh", *where, "--fingerprint", self.fingerprint(server))
        assert told(done) == {"provider": "ssh", "service": "localhost.run"}

    def test_a_server_that_is_not_there_is_told(self, exposure: Exposure, server: sshd.Sshd) -> None:
        server.stop()
        done = self.setup(exposure, server)
        assert done.returncode == 4
        assert "shows no key" in done.stderr
