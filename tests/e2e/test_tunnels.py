"""The exposure behind real ssh, and behind stand-ins for cloudflared and ngrok."""

import base64
import hashlib
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import fake_cloudflared, fake_ngrok, sshd
from tests.support.eventually import eventually
from tests.support.exposure import Exposure, get, sample_config
from tests.support.ports import free_port

pytestmark = pytest.mark.nginx


def with_tunnel(lines: str) -> str:
    return sample_config(free_port()).replace('provider = "local"', lines)


@pytest.mark.ssh
def test_real_requests_come_through_a_real_ssh_tunnel(
    server: sshd.Sshd, make_exposure: Callable[..., Exposure]
) -> None:
    lines = f"""provider = "ssh"
host = "127.0.0.1"
port = {server.port}
user = "{server.user}"
identity = "{server.identity}"
known_hosts = "{server.known_hosts}"
remote_port = {server.remote_port}
url = "http://127.0.0.1:{server.remote_port}"
"""
    exposure = make_exposure(with_tunnel(lines))
    exposure.up()
    assert exposure.url == f"http://127.0.0.1:{server.remote_port}"
    assert exposure.get("/api/notes").status == 200
    assert exposure.get("/api/notes", key="").status == 401
    before = exposure.pid("tunnel")
    assert exposure.status()["tunnel"]["pid"] == before
    os.kill(before, signal.SIGKILL)
    eventually(lambda: exposure.pid("tunnel") not in (0, before), within=20)
    eventually(lambda: exposure.get("/api/notes").status == 200, within=20)
    exposure.wait_for("online")
    eventually(lambda: exposure.status()["tunnel"]["restarts"] == 1)
    exposure.run("down")
    assert get(exposure.url).status == 0


def test_a_quick_tunnels_new_address_is_published_at_once(
    tmp_path: Path, make_exposure: Callable[..., Exposure]
) -> None:
    binary = fake_cloudflared.install(tmp_path, hostname="one-two-three-four.trycloudflare.com")
    exposure = make_exposure(with_tunnel(f'provider = "cloudflared"\nbinary = "{binary}"'))
    exposure.up()
    assert exposure.url == "https://one-two-three-four.trycloudflare.com"
    public = fake_cloudflared.public(binary)
    assert get(f"{public}/api/notes", exposure.key).status == 200
    assert get(f"{public}/api/notes").status == 401
    document = exposure.state / exposure.name / "schema" / "openapi.json"
    fake_cloudflared.turn(binary, hostname="five-six-seven-eight.trycloudflare.com")
    exposure.kill("tunnel")
    eventually(lambda: "five-six" in str(exposure.status()["public_url"]), within=20)
    eventually(lambda: "five-six" in json.loads(document.read_text())["servers"][0]["url"], within=10)
    assert "address is now https://five-six" in exposure.run("logs", "supervisor").stdout
    pid = exposure.pid("tunnel")
    exposure.run("panic")
    assert not os.path.exists(f"/proc/{pid}/exe")


def test_an_ngrok_tunnel_comes_up_comes_back_and_goes(tmp_path: Path, make_exposure: Callable[..., Exposure]) -> None:
    binary = fake_ngrok.install(tmp_path)
    exposure = make_exposure(with_tunnel(f'provider = "ngrok"\nbinary = "{binary}"\ntoken = "env:NG_TOKEN"'))
    exposure.env["NG_TOKEN"] = "2abcTOKENtokenTOKEN_3abcdefgh"
    exposure.up()
    assert exposure.url.startswith("https://")
    public = fake_ngrok.public(binary)
    assert get(f"{public}/api/notes", exposure.key, headers={"User-Agent": "exposer-test"}).status == 200
    before = exposure.pid("tunnel")
    os.killpg(before, signal.SIGKILL)
    eventually(lambda: exposure.pid("tunnel") not in (0, before), within=30)
    exposure.wait_for("online", within=30)
    exposure.run("down")
    eventually(lambda: get(public).status == 0, within=10)


def test_without_a_network_it_keeps_trying_says_so_and_comes_online_once_there_is_one(
    tmp_path: Path, make_exposure: Callable[..., Exposure]
) -> None:
    binary = fake_cloudflared.install(tmp_path, quick="offline")
    exposure = make_exposure(with_tunnel(f'provider = "cloudflared"\nbinary = "{binary}"'))
    proxies = dict.fromkeys(("http_proxy", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:1")
    exposure.env |= proxies | {"TUNNEL_NAME": "another", "no_proxy": ""}
    starting = exposure.begin("up", "-d", "--json")
    eventually(lambda: "Cloudflare cannot be reached" in exposure.run("logs", "supervisor").stdout, within=30)
    assert starting.poll() is None
    fake_cloudflared.turn(binary)
    assert starting.wait(60) == 0
    starting.communicate()
    assert exposure.phase() == "online"


def test_a_start_that_ends_because_of_the_tunnel_says_what_to_do_about_it(
    tmp_path: Path, make_exposure: Callable[..., Exposure]
) -> None:
    binary = fake_cloudflared.install(tmp_path, quick="limited")
    exposure = make_exposure(with_tunnel(f'provider = "cloudflared"\nbinary = "{binary}"'))
    done = exposure.run("up", "-d", "--json", "--timeout", "30s")
    assert done.returncode == 7
    error = json.loads(done.stderr)["error"]
    assert "too many requests" in error["message"]
    assert "use a named tunnel" in error["hint"]
    assert "--timeout 300s" in error["hint"]


def test_a_token_revoked_while_it_runs_is_told_and_cloudflare_is_not_hammered(
    tmp_path: Path, make_exposure: Callable[..., Exposure]
) -> None:
    binary = fake_cloudflared.install(tmp_path)
    lines = f'provider = "cloudflared"\nbinary = "{binary}"\nhostname = "api.example.org"\ntoken = "env:CF_TOKEN"'
    exposure = make_exposure(with_tunnel(lines))
    exposure.env["CF_TOKEN"] = base64.b64encode(
        json.dumps({"a": "account", "t": "00000000-0000-4000-8000-000000000007", "s": "c2VjcmV0"}).encode()
    ).decode()
    exposure.up()
    before = exposure.pid("tunnel")
    refused = "Unauthorized: Invalid tunnel secret"
    fake_cloudflared.turn(binary, drop=True)
    eventually(lambda: not exposure.status()["tunnel"]["healthy"], within=20)
    fake_cloudflared.turn(binary, refuse=refused)
    eventually(lambda: not os.path.exists(f"/proc/{before}/exe"), within=30)
    exposure.wait_for("degraded")
    eventually(lambda: "Invalid tunnel secret" in exposure.status()["tunnel"].get("error", ""))
    assert exposure.pid("tunnel") in (0, before)
    assert exposure.env["CF_TOKEN"] not in exposure.run("logs").stdout


def test_a_wrong_token_ends_the_first_start_with_what_to_do(
    tmp_path: Path, make_exposure: Callable[..., Exposure]
) -> None:
    binary = fake_ngrok.install(tmp_path, auth=107)
    exposure = make_exposure(with_tunnel(f'provider = "ngrok"\nbinary = "{binary}"\ntoken = "env:NG_TOKEN"'))
    exposure.env["NG_TOKEN"] = "2abcTOKENtokenTOKEN_3abcdefgh"
    done = exposure.run("up", "-d")
    assert done.returncode == 1
    assert "the ngrok authtoken was revoked or reset" in done.stderr
    assert "dashboard" in done.stderr
    assert exposure.env["NG_TOKEN"] not in done.stdout + done.stderr


def test_ten_megabytes_come_through_unchanged(make_exposure: Callable[..., Exposure]) -> None:
    """Through the gateway of engine `process`; the container's way is in test_docker."""
    exposure = make_exposure(
        sample_config(free_port()).replace("[limits]", '[schema]\ninclude = ["GET /big"]\n[limits]\nresponse = "100MB"')
    )
    exposure.folder.joinpath("big.py").write_text(BIG)
    text = exposure.file.read_text().replace(str(Path("scripts") / "sample_backend.py"), "x")
    exposure.file.write_text("\n".join(_big_backend(line, exposure.folder) for line in text.splitlines()))
    exposure.up()
    expected = hashlib.sha256(bytes(range(256)) * 40960).hexdigest()
    assert hashlib.sha256(exposure.get("/big").body).hexdigest() == expected


def _big_backend(line: str, folder: Path) -> str:
    import sys

    if line.startswith("command"):
        return f'command = ["{sys.executable}", "{folder / "big.py"}"]'
    return "" if line.startswith("openapi") else line


BIG = """
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = bytes(range(256)) * 40960 if self.path == "/big" else b"well"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
