"""A tunnel through ngrok: pyngrok and the agent run in a helper process; here it is started and asked."""

import json
import re
import sys
from pathlib import Path
from typing import Any

from exposer import files, procs, wire
from exposer.errors import MissingError, TimeoutExceededError
from exposer.procs import Entry
from exposer.state.model import Look, Record, Tell
from exposer.tunnels.fact import Fault, TunnelConfigError, TunnelError, redact
from exposer.tunnels.ngrok_codes import explain
from exposer.tunnels.ngrok_job import ENDPOINT
from exposer.tunnels.ngrok_policy import policy_digest, read_policy
from exposer.tunnels.ngrok_state import State, surprises, url_of
from exposer.tunnels.program import PATIENCE, Program, find_program, frozen, is_downloader, port_of

INSTALL = (
    "get the ngrok agent (3.30 or newer) from ngrok's download page or package repository and name it in "
    "tunnel.binary or put it on PATH; the command `ngrok` of the Python package pyngrok is not the agent"
)
OLDEST = (3, 30)
# Of a minor version that is older, free accounts are refused in the foreseeable future.
SUPPORTED = (3, 36)
_HOSTNAME = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
_VERSION = re.compile(r"version (\d+)\.(\d+)(\.\S+)?")


def argv(folder: str) -> list[str]:
    """The helper's command; everything else it reads from a private file in the folder."""
    return [sys.executable, "-P", "-m", "exposer.tunnels.ngrok_helper", folder]


class Ngrok(Program):
    """ngrok; asked through its local API, never through pyngrok, which would start a dead agent again."""

    provider = "ngrok"

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.digest += policy_digest(self.tunnel.traffic_policy)

    def start(self, record: Record, tell: Tell) -> Entry:
        hostname, token = self._hostname(), self._token()
        policy = read_policy(self.tunnel.traffic_policy)
        binary = find_program(self.tunnel.binary, "ngrok", "the ngrok agent", INSTALL, refuse=is_downloader)
        version = agent_version(binary)
        folder = self._fresh_folder()
        job = {
            "binary": binary,
            "token": token,
            "upstream": self._upstream(),
            "hostname": hostname,
            "region": self.tunnel.region,
            "metadata": f"exposer:{self.name}",
            "state_dir": str(self.state),
            "traffic_policy": policy,
        }
        files.swap(str(folder / "job.json"), json.dumps(job).encode())
        tell("connecting to ngrok")
        entry = self.launch(
            argv(str(folder)),
            str(folder),
            record,
            {"folder": str(folder), "agent": version},
            env=procs.child_environment({"PYTHONUTF8": "1"}),
        )
        try:
            return self.with_url(entry, self._wait(entry, token))
        except BaseException:
            self.stop(entry)
            raise

    def look(self, entry: Entry) -> Look:
        state = facts_of(entry)
        if entry.process is None or not entry.process.alive():
            end = _fault(state)
            return Look(False, False, error=end.text, fatal=end.fatal, detail={"wait": end.wait})
        self.trim(entry)
        detail = {"reconnects": max(0, state.sessions - 1), "agent": entry.detail.get("agent", "")}
        detail["warning"] = ageing(str(detail["agent"]))
        listed = _ask(state.api, "/api/endpoints")
        fault = Fault("ngrok's helper is stopped (frozen)") if frozen(entry.process) else self._sick(state, listed)
        if fault is None:
            return Look(True, True, url_of(listed) or state.url, detail=detail)
        return Look(True, False, state.url, fault.text, fault.fatal, detail | {"wait": fault.wait})

    def adopt(self, entries: list[Entry]) -> Entry | None:
        """Only one that has an address: a helper whose start was cut short would never tell one."""
        entry = super().adopt(entries)
        return entry if entry is not None and entry.detail.get("url") else None

    def own_files(self) -> tuple[Path, ...]:
        names = ("job.json", "ngrok.yml", "facts.json", "ngrok-agent")
        return (*(self.runtime / "ngrok" / name for name in names), self.state / "ngrok-agent")

    def _wait(self, entry: Entry, token: str) -> str:
        process = entry.process
        assert process is not None  # noqa: S101

        def settled() -> bool:
            state = facts_of(entry)
            return not process.alive() or bool(state.phase == "online" and state.url)

        if not procs.wait_until(settled, PATIENCE, every=0.05):
            said = redact(facts_of(entry).error, token)
            raise TimeoutExceededError(f"ngrok was not connected within {PATIENCE:g} s. {said}".rstrip(" ."))
        if not process.alive():
            raise _fault(facts_of(entry)).error()
        return facts_of(entry).url

    def _sick(self, state: State, listed: dict[str, Any] | None) -> Fault | None:
        if state.phase != "online":
            return _fault(state)
        status = _ask(state.api, "/api/status")
        if status is None:
            return Fault("the ngrok agent does not answer on its local API")
        if status.get("status", "online") != "online":
            return Fault(f"the ngrok agent says that it is {redact(str(status['status']))}")
        if listed is not None and (found := surprises(listed, ENDPOINT, self._upstream(), self._hostname())):
            return _surprise(", ".join(found))
        rows = (listed or {}).get("endpoints") or []
        return None if rows else Fault("the ngrok agent no longer lists our endpoint")

    def _fresh_folder(self) -> Path:
        try:
            folder = Path(files.private_dir(str(self.runtime / "ngrok")))
        except files.NotPrivateError as error:
            raise TunnelError(f"{error}: the ngrok token is not put there", "remove it", fatal=True) from error
        (folder / "facts.json").unlink(missing_ok=True)
        return folder

    def _upstream(self) -> str:
        return f"http://127.0.0.1:{port_of(self.listen)}"

    def _hostname(self) -> str:
        hostname = self.tunnel.hostname.strip().lower().removeprefix("https://").rstrip("/")
        if hostname and not _HOSTNAME.fullmatch(hostname):
            raise TunnelConfigError(f"tunnel.hostname should be a domain like name.ngrok.app, not {hostname!r}")
        return hostname

    def _token(self) -> str:
        if self.tunnel.token is None:
            raise MissingError(
                "ngrok needs an authtoken, and tunnel.token names none",
                'copy it from the ngrok dashboard and set tunnel.token = "env:NGROK_AUTHTOKEN"',
            )
        token = self.resolve(self.tunnel.token).reveal().strip()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise TunnelError(f"what {self.tunnel.token} holds is not an ngrok authtoken", fatal=True)
        return token


def agent_version(binary: str) -> str:
    """The agent's version. Raises MissingError for one that is too old for us; "" when it does not tell."""
    try:
        said = procs.run([binary, "--version"], timeout=10.0).out
    except (OSError, TimeoutError) as error:
        raise MissingError(f"{binary} does not run: {error}", INSTALL) from error
    match = _VERSION.search(said)
    if match is None:
        return ""
    version = match.group().removeprefix("version ")
    if (int(match.group(1)), int(match.group(2))) < OLDEST:
        raise MissingError(f"{binary} is ngrok {version}; 3.30 or newer is needed", INSTALL)
    return version


def ageing(version: str) -> str:
    """A warning when ngrok will soon refuse this version; "" for one that is new enough, or does not tell."""
    match = re.match(r"(\d+)\.(\d+)", version)
    if match is None or (int(match.group(1)), int(match.group(2))) >= SUPPORTED:
        return ""
    newest = ".".join(map(str, SUPPORTED))
    return f"ngrok {version} is near the end of its support; get {newest} or newer before ngrok refuses it"


def facts_of(entry: Entry) -> State:
    """What the helper has told last."""
    try:
        return State.from_json(json.loads(files.read_private(str(Path(entry.detail["folder"], "facts.json")))))
    except (OSError, ValueError, KeyError, TypeError):
        return State()


def _fault(state: State) -> Fault:
    match state.phase:
        case "stopped":
            return Fault(f"ngrok was {state.error}", "start it again when you want it back", fatal=True)
        case "surprised":
            return _surprise(state.error)
        case "offline":
            fault = explain(state.code, state.error)
            return Fault(f"ngrok is offline: {fault.text}", fault.hint, fault.fatal, fault.wait)
        case _:
            return explain(state.code, state.error)


def _surprise(what: str) -> Fault:
    return Fault(
        f"ALARM: somebody on this machine made the ngrok agent open {what}",
        "the agent's local API has no password; find out who uses this machine before starting it again",
        fatal=True,
    )


def _ask(api: str, path: str) -> dict[str, Any] | None:
    """What the agent's API says; {} when this agent does not know the question, None when nothing answers."""
    try:
        answer = wire.request(api, path, timeout=1.5, limit=1024 * 1024)
        data = json.loads(answer.body) if answer.status == 200 else {}
    except (wire.NoAnswerError, ValueError):
        return None
    return data if isinstance(data, dict) else None
