"""Cuts a tunnel at its provider too, in a process of its own, after the cut here; adds to the report what came of it.

python -m exposer.panic.provider JOBS REPORT: JOBS is JSON and names where the credentials are, never a credential.
"""

import json
import os
import signal
import sys

from exposer import files
from exposer.panic import aside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

APIS = {"cloudflared": "https://api.cloudflare.com/client/v4", "ngrok": "https://api.ngrok.com"}
SECONDS, ALL_SECONDS = 8.0, 60
LARGEST = 64 * 1024


def main(argv: list[str]) -> int:
    jobs, report = json.loads(argv[0]), argv[1]
    if hasattr(signal, "alarm"):
        signal.alarm(ALL_SECONDS)
    aside.add(report, "At the provider", "provider", [line for job in jobs for line in _cut(job)])
    return 0


def _cut(job: "dict[str, Any]") -> list[str]:
    try:
        secret = _credential(str(job["credential"]))
        return _cloudflare(job, secret) if job["provider"] == "cloudflared" else _ngrok(job, secret)
    except Exception as error:
        return [f"the tunnel could not be cut at its provider: {_plain(error)}"]


def _credential(reference: str) -> str:
    scheme, _, name = reference.partition(":")
    if scheme == "env" and os.environ.get(name):
        return os.environ[name].strip()
    if scheme == "file":
        return files.read_private(name, LARGEST).decode().strip()
    raise ValueError(f"its credential ({reference}) is not to be had here")


def _cloudflare(job: "dict[str, Any]", secret: str) -> list[str]:
    """A new secret first: who still has the old one, here or elsewhere, cannot connect again. Then the connections."""
    import base64

    tunnel = f"/accounts/{job['account']}/cfd_tunnel/{job['tunnel']}"
    new = base64.b64encode(os.urandom(32)).decode()
    changed = "the tunnel's secret was changed: its old token is of no use"
    return [
        _try(changed, job, secret, "PATCH", tunnel, {"tunnel_secret": new}),
        _try("its connections were ended", job, secret, "DELETE", f"{tunnel}/connections"),
    ]


def _ngrok(job: "dict[str, Any]", secret: str) -> list[str]:
    """The sessions that are ours by their metadata are stopped, and the authtoken they came with is deleted."""
    sessions = _ask(job, secret, "GET", "/tunnel_sessions").get("tunnel_sessions") or []
    ours = [session for session in sessions if session.get("metadata") == job["metadata"]]
    stops = [f"/tunnel_sessions/{one['id']}/stop" for one in ours]
    said = [_try("a session was stopped", job, secret, "POST", path, {}) for path in stops]
    credentials = {str((session.get("credential") or {}).get("id") or "") for session in ours} - {""}
    for one in sorted(credentials):
        said.append(_try("its authtoken was deleted", job, secret, "DELETE", f"/credentials/{one}"))
    return said or ["ngrok knows no session of this exposure any more; its authtoken was left as it is"]


def _try(done: str, job: "dict[str, Any]", secret: str, method: str, path: str, body: object = None) -> str:
    try:
        _ask(job, secret, method, path, body)
    except Exception as error:
        return f"{method} {path} at the provider: {_plain(error)}"
    return f"at the provider: {done}"


def _ask(job: "dict[str, Any]", secret: str, method: str, path: str, body: object = None) -> "dict[str, Any]":
    from urllib.request import Request, urlopen

    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json", "User-Agent": "exposer"}
    headers |= {"Ngrok-Version": "2"} if job["provider"] == "ngrok" else {}
    data = None if body is None else json.dumps(body).encode()
    base = str(job.get("api") or APIS[job["provider"]])
    request = Request(base + path, data, headers, method=method)  # noqa: S310
    with urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
        text = answer.read(4 * 1024 * 1024)
    found = json.loads(text) if text.strip() else {}
    return found if isinstance(found, dict) else {}


def _plain(error: Exception) -> str:
    """Without anything that the provider's answer or our own request may hold."""
    code = getattr(error, "code", None)
    return f"it answers {code}" if code else f"{type(error).__name__}: {getattr(error, 'reason', '') or error}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
