"""One exposure of a test's own: a folder with a config, its own state and runtime, and the installed command."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from exposer.procs import started_at
from tests.support.eventually import eventually

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SAMPLE_BACKEND = REPOSITORY / "scripts" / "sample_backend.py"
EXPOSER = [sys.executable, "-m", "exposer"]


class Answer:
    """Status, headers (lower case) and body of one request."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)


def get(url: str, key: str = "", method: str = "GET", headers: dict[str, str] | None = None) -> Answer:
    """One request; status 0 when nothing answers."""
    all_headers = {**({"X-API-Key": key} if key else {}), **(headers or {})}
    request = urllib.request.Request(url, headers=all_headers, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as response:
            return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())
    except (OSError, http.client.HTTPException):  # or one that broke off in the middle
        return Answer(0, {}, b"")


class Exposure:
    """Runs `exposer` for one config. `config` is the TOML text below the name."""

    def __init__(self, folder: Path, name: str, config: str) -> None:
        self.folder = folder
        self.name = name
        self.state = folder / "state"
        self.runtime = folder / "run"
        self.file = folder / "exposer.toml"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("EXPOSER_")}
        self.env |= {"EXPOSER_STATE_DIR": str(self.state), "EXPOSER_RUNTIME_DIR": str(self.runtime)}
        self.key = ""
        self.url = ""
        self.write(config)

    def write(self, config: str) -> None:
        self.file.write_text(f'version = 1\nname = "{self.name}"\n{config}')

    def run(self, *words: str, timeout: float = 240, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*EXPOSER, "--file", str(self.file), *words],
            env=self.env | env,
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=self.folder,
        )

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Starts a command and does not wait for it."""
        return subprocess.Popen(
            [*EXPOSER, "--file", str(self.file), *words],
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
        )

    def up(self, *words: str) -> dict:
        """Brings it online in the background and remembers address and key."""
        done = self.run("up", "-d", "--json", *words)
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        self.url = said["public_url"]
        if said["first_key"]:
            self.key = said["first_key"]["key"]
        return said

    def shorten_lease(self, seconds: int = 6) -> None:
        """From now on. With one that is so short from the beginning a machine that stands still for a moment has it cut
        before the test begins."""
        name = f'name = "{self.name}"\n'
        self.file.write_text(self.file.read_text().replace(name, f'{name}lease = "{seconds}s"\n', 1))
        terms = self.runtime / self.name / "lease.terms"
        eventually(lambda: json.loads(terms.read_text())["lease"] == seconds)

    def status(self) -> dict:
        done = self.run("status", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def phase(self) -> str:
        return self.status()["phase"]

    def ledger(self) -> list[dict]:
        try:
            text = (self.runtime / self.name / "ledger").read_bytes()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.strip() and line.endswith(b"\n")]

    def pid(self, role: str) -> int:
        """The pid of a part, or 0 while there is none; a gateway that tries a change out aside is none."""
        entries = [e for e in self.ledger() if e["role"] == role and "pid" in e and not e["detail"].get("rehearsal")]
        return entries[-1]["pid"] if entries else 0

    def guards(self, *, leash: bool) -> list[int]:
        """The guards, or their leashes, that run."""
        found = [e["pid"] for e in self.ledger() if e["role"] == "guard" and bool(e["detail"].get("leash")) is leash]
        return [pid for pid in found if started_at(pid)]

    def kill(self, role: str, number: int = signal.SIGKILL) -> int:
        """Sends a signal to a part that runs; returns its pid."""
        pid = self.pid(role)
        assert pid, f"there is no {role}"
        os.kill(pid, number)
        return pid

    def wait_for(self, phase: str, within: float = 60) -> None:
        eventually(lambda: self.phase() == phase, within=within)

    def get(self, path: str, key: str | None = None, **kwargs) -> Answer:
        return get(self.url + path, self.key if key is None else key, **kwargs)

    def close(self) -> None:
        """Ends everything, whatever happened."""
        self.run("unlock", "--yes", self.name)
        self.run("down", "--purge", "--yes", timeout=180)


def removed(place: Path) -> None:
    """Removes a folder that others still write to: what comes and goes in there is no error."""
    eventually(lambda: shutil.rmtree(place, ignore_errors=True) or not place.exists())


def sample_config(port: int, extra: str = "") -> str:
    """The sample backend as a process, and the local tunnel."""
    return f"""
engine = "process"

[backend]
command = ["{sys.executable}", "{SAMPLE_BACKEND}"]
port = {port}
health = "/health"
openapi = "/openapi.json"

[tunnel]
provider = "local"

[limits]
rate = "6000/min"
{extra}
"""
