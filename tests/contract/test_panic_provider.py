"""The cut at the tunnel's provider, against a stand-in of its API."""

import http.server
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from exposer.procs import Entry
from tests.contract.test_panic import ALL, Exposure, exposed, nowhere, report_of
from tests.support.eventually import eventually
from tests.support.serving import serving

__all__ = ["nowhere"]
SECRET = "the-api-token-0123456789"


class Api(http.server.BaseHTTPRequestHandler):
    """As much of both providers' APIs as is used; `fails` answers everything with that status."""

    asked: list[tuple[str, str, Any, str]] = []
    fails = 0

    def do_GET(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        self.asked.append((self.command, self.path, body, self.headers.get("Authorization", "")))
        sessions = [
            {"id": "ts_1", "metadata": "exposer:one", "credential": {"id": "cr_1"}},
            {"id": "ts_2", "metadata": "somebody else's", "credential": {"id": "cr_2"}},
        ]
        text = json.dumps({"tunnel_sessions": sessions, "success": True}).encode()
        self.send_response(self.fails or 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_PATCH = do_DELETE = do_GET

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@contextmanager
def api(fails: int = 0) -> Iterator[tuple[str, list[tuple[str, str, Any, str]]]]:
    handler = type("Handler", (Api,), {"asked": [], "fails": fails})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_address[1]}", handler.asked


@pytest.fixture
def exposure(tmp_path: Path) -> Iterator[Exposure]:
    with exposed(tmp_path) as made:
        yield made


def with_job(exposure: Exposure, **job: str) -> None:
    supervisor = exposure.families["supervisor"][0]
    exposure.ledger.keep(lambda entry: entry.role != "supervisor")
    exposure.ledger.append(Entry("supervisor", supervisor, detail={"at_provider": job}))


def secret_file(exposure: Exposure) -> str:
    path = exposure.root / "api"
    path.write_text(f"{SECRET}\n")
    path.chmod(0o600)
    return f"file:{path}"


def test_a_cloudflare_tunnel_gets_a_new_secret_and_loses_its_connections(exposure: Exposure) -> None:
    with api() as (url, asked):
        job = {"provider": "cloudflared", "account": "acc", "tunnel": "tun", "api": url}
        with_job(exposure, credential=secret_file(exposure), **job)
        assert exposure.panic().returncode == 0
        eventually(lambda: "provider" in report_of(exposure))
    path = "/accounts/acc/cfd_tunnel/tun"
    assert [(method, where) for method, where, _, _ in asked] == [("PATCH", path), ("DELETE", f"{path}/connections")]
    assert len(asked[0][2]["tunnel_secret"]) == 44
    assert {authorization for *_, authorization in asked} == {f"Bearer {SECRET}"}
    (markdown,) = Path(exposure.places.state, "incidents").glob("*.md")
    assert "## At the provider" in markdown.read_text()
    assert SECRET not in markdown.read_text()
    assert asked[0][2]["tunnel_secret"] not in markdown.read_text()


def test_of_ngrok_our_own_session_is_stopped_and_its_authtoken_deleted(
    exposure: Exposure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NGROK_API", SECRET)
    with api() as (url, asked):
        with_job(exposure, credential="env:NGROK_API", provider="ngrok", metadata="exposer:one", api=url)
        assert exposure.panic().returncode == 0
        eventually(lambda: "provider" in report_of(exposure))
    calls = [(method, where) for method, where, _, _ in asked]
    assert calls == [
        ("GET", "/tunnel_sessions"),
        ("POST", "/tunnel_sessions/ts_1/stop"),
        ("DELETE", "/credentials/cr_1"),
    ]


def test_of_two_tunnels_each_is_cut_at_its_own_provider(exposure: Exposure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NGROK_API", SECRET)
    with api() as (url, asked):
        place = {"credential": secret_file(exposure), "account": "acc", "tunnel": "tun", "api": url}
        second = {"provider": "ngrok", "credential": "env:NGROK_API", "metadata": "exposer:one", "api": url}
        supervisor = exposure.families["supervisor"][0]
        exposure.ledger.keep(lambda entry: entry.role != "supervisor")
        jobs = [{"provider": "cloudflared", **place}, second]
        exposure.ledger.append(Entry("supervisor", supervisor, detail={"at_provider": jobs}))
        assert exposure.panic().returncode == 0
        eventually(lambda: "provider" in report_of(exposure))
    assert [method for method, *_ in asked] == ["PATCH", "DELETE", "GET", "POST", "DELETE"]
    assert len(report_of(exposure)["provider"]) == 4


@pytest.mark.parametrize("why", ["refused", "no credential", "nobody answers"])
def test_what_goes_wrong_there_is_in_the_report_and_changes_nothing_here(exposure: Exposure, why: str) -> None:
    with api(403) as (url, _):
        where = url if why != "nobody answers" else "http://127.0.0.1:9"
        credential = secret_file(exposure) if why != "no credential" else "env:NOT_THERE"
        with_job(exposure, credential=credential, provider="ngrok", metadata="exposer:one", api=where)
        assert exposure.panic().returncode == 0
        eventually(lambda: exposure.dead(*ALL))
        eventually(lambda: "provider" in report_of(exposure))
    (said,) = report_of(exposure)["provider"]
    assert "could not be cut at its provider" in said
    assert SECRET not in said


@pytest.mark.parametrize(
    "nonsense",
    [
        {"people": "x"},
        {"people": ["x"]},
        {"people": {"env": 5}},
        {"at_provider": 5},
        {"at_provider": [[]]},
        {"at_provider": {"credential": []}},
        {"panic": []},
    ],
    ids=str,
)
def test_nonsense_on_record_keeps_nothing_from_being_cut(exposure: Exposure, nonsense: dict[str, object]) -> None:
    supervisor = exposure.families["supervisor"][0]
    exposure.ledger.keep(lambda entry: entry.role != "supervisor")
    exposure.ledger.append(Entry("supervisor", supervisor, detail=nonsense))
    exposure.panic()
    eventually(lambda: exposure.dead(*ALL))
    assert Path(exposure.places.lock).exists()
