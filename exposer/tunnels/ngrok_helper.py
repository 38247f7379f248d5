"""Keeps one ngrok agent, through pyngrok, in a process of its own: with its group both end.

`python -m exposer.tunnels.ngrok_helper FOLDER` reads job.json in FOLDER and writes facts.json there.
"""

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import yaml

from exposer import files, ports, procs, wire
from exposer.tunnels.fact import redact
from exposer.tunnels.ngrok_codes import code_in
from exposer.tunnels.ngrok_job import ENDPOINT, Job, agent_config, endpoint, read_job, wrapper
from exposer.tunnels.ngrok_state import State, fold, hopeless, noise, read_line, settle, surprises, url_of

LOOK_EVERY = 5.0
LAST_WORDS = 5.0  # for reading what an agent that has ended has said: as a rule it is there already


class Told(BaseException):
    """SIGTERM has come."""


class Keeper:
    """One agent, from start to end. The main thread starts it and waits; another reads its log."""

    def __init__(self, folder: Path, job: Job) -> None:
        self.folder = folder
        self.job = job
        self.state = State(endpoint=ENDPOINT)
        self.agent: Any = None  # the agent's Popen object, as soon as pyngrok has one
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._looked = 0.0

    def run(self) -> int:
        try:
            self._start()
            self._reader.start()
            self._open()
            while self._reader.is_alive() and self.agent.poll() is None:
                self._reader.join(0.25)
                self._watch()
            self._reader.join(LAST_WORDS)
            self._note_end()
        except Told:
            self._end()
        except Exception as error:
            self._fail(error)
        finally:
            self._end(patience=0.0 if self.state.phase == "failed" else 0.4)
        return 0 if self.state.phase == "stopped" else 1

    def _start(self) -> None:
        from pyngrok import conf, process

        _quieten()
        config = self.folder / "ngrok.yml"
        files.swap(str(config), yaml.safe_dump(agent_config(self.job, ports.free())).encode())
        self._pyngrok = conf.PyngrokConfig(
            ngrok_path=self._executable(),
            config_path=str(config),
            region=self.job.region or None,
            monitor_thread=False,  # it dies of an odd line, and then the agent stalls: `_read` does not
            log_event_callback=self._heard_early(process),
            config_version="3",
        )
        self._pyngrok.auth_token = self._pyngrok.api_key = None  # else they would be in the agent's argv
        running = process.get_process(self._pyngrok)
        self._pyngrok.log_event_callback = None
        self.agent = running.proc
        self._tell(lambda state: replace(state, api=running.api_url or ""))

    def _open(self) -> None:
        """Opens our endpoint. Not by `ngrok.connect`, which would start a dead agent again."""
        from pyngrok import exception, ngrok

        wish = endpoint(self.job)

        def opened() -> bool:
            try:
                made = ngrok.api_request(f"{self.state.api}/api/endpoints", "POST", data=wish, timeout=10.0)
            except exception.PyngrokNgrokHTTPError as error:
                if error.status_code == 503:  # the agent is not ready for it yet
                    return False
                raise
            self._check(made)
            self._tell(lambda state: replace(state, url=str(made["url"])))
            return True

        if not procs.wait_until(opened, within=10.0, every=0.2):
            raise TimeoutError("the ngrok agent does not get ready to open an endpoint")

    def _check(self, made: Any) -> None:
        """What the agent opened must be what we asked for: it may pass over in silence what it does not know."""
        if not isinstance(made, dict) or not str(made.get("url", "")).startswith("https://"):
            raise ValueError("the ngrok agent did not open an https endpoint")
        if self.job.traffic_policy and not (made.get("traffic_policy") or self._listed().get("traffic_policy")):
            raise ValueError("the ngrok agent did not take the traffic policy, so its endpoint was closed again")
        listed = {"endpoints": [{"name": ENDPOINT, **made}]}
        if found := surprises(listed, ENDPOINT, self.job.upstream, self.job.hostname):
            raise ValueError(f"the ngrok agent opened something else: {', '.join(found)}")

    def _listed(self) -> dict[str, Any]:
        """Our endpoint as the agent lists it."""
        answer = wire.request(self.state.api, f"/api/endpoints/{ENDPOINT}", timeout=2.0, limit=1024 * 1024)
        data = json.loads(answer.body) if answer.status == 200 else {}
        return data if isinstance(data, dict) else {}

    def _heard_early(self, process: Any) -> Callable[[Any], None]:
        """For pyngrok's own reading at the start. It must never raise."""

        def heard(log: Any) -> None:
            try:
                if self.agent is None:
                    running = process._current_processes.get(self._pyngrok.ngrok_path)
                    self.agent = running and running.proc
                self._hear(log.line)
            except Exception:
                return

        return heard

    def _read(self) -> None:
        """Reads what the agent says until it ends: unread, it would stall after some hundred visitors."""
        while True:
            try:
                line = self.agent.stdout.readline()
            except UnicodeDecodeError:
                continue
            except (OSError, ValueError):
                return
            if not line:
                return
            try:
                self._hear(line.rstrip("\r\n"))
            except Exception:  # nothing that a line says may end the reading
                continue

    def _hear(self, line: str) -> None:
        if not noise(line):
            print(redact(line, self.job.token), flush=True)  # noqa: T201
        fact = read_line(line)
        if fact is not None:
            self._tell(lambda state: fold(state, fact, time.monotonic(), self.job.token))

    def _tell(self, change: Callable[[State], State]) -> None:
        """Changes what is known, and writes it down for the supervisor when it is new."""
        with self._lock:
            state = change(self.state)
            if state != self.state:
                self.state = state
                files.swap(str(self.folder / "facts.json"), json.dumps(state.as_json()).encode())

    def _watch(self) -> None:
        """Ends an agent that is stuck, and one that somebody else on this machine has made open more."""
        now = time.monotonic()
        self._tell(lambda state: settle(state, now))
        if hopeless(self.state, now):
            self._tell(lambda state: replace(state, phase="failed"))
            self._end()
        if now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        try:
            answer = wire.request(self.state.api, "/api/endpoints", timeout=2.0, limit=1024 * 1024)
            listed = json.loads(answer.body)
        except (wire.NoAnswerError, ValueError):
            return
        found = surprises(listed, ENDPOINT, self.job.upstream, self.job.hostname)
        if found:
            self.agent.kill()
            self._tell(lambda state: replace(state, phase="surprised", error=", ".join(found)))
        elif url := url_of(listed):
            self._tell(lambda state: replace(state, url=url))

    def _note_end(self) -> None:
        if self.state.phase in ("starting", "online", "offline"):
            code = self.agent.wait(timeout=1.0) if self.agent.poll() is None else self.agent.poll()
            text = self.state.error or f"the agent ended with code {code}"
            self._tell(lambda state: replace(state, phase="failed", error=text))

    def _fail(self, error: Exception) -> None:
        """Remembers why it did not start. pyngrok may not have read the agent's last words."""
        self._end()
        if self.agent is not None and self._reader.ident is None:
            self._reader.start()
        if self.agent is not None:
            self._reader.join(LAST_WORDS)
        body = str(getattr(error, "body", "") or "")
        text = redact(f"{error}", self.job.token)
        code = code_in(body) or code_in(str(error))
        self._tell(
            lambda state: (
                replace(state, phase="failed", error=state.error or text, code=code or state.code)
                if state.phase != "stopped"
                else state
            )
        )

    def _end(self, patience: float = 0.4) -> None:
        """SIGTERM lets the agent say goodbye to ngrok, so that the address is free at once."""
        if self.agent is None or self.agent.poll() is not None:
            return
        self.agent.terminate()
        try:
            self.agent.wait(timeout=patience)
        except Exception:
            self.agent.kill()
            self.agent.wait()

    def _executable(self) -> str:
        """The wrapper, in the first folder whose file system lets programs run (/run often does not)."""
        for folder in (self.folder, Path(self.job.state_dir)):
            if not os.statvfs(folder).f_flag & os.ST_NOEXEC:
                path = folder / "ngrok-agent"
                files.swap(str(path), wrapper(self.job, os.getpid()).encode(), mode=0o700)
                return str(path)
        return self.job.binary


def scrub_environment() -> None:
    """Takes out what would change ngrok or lead the questions to its local API through a proxy."""
    for name in list(os.environ):
        if name.upper().startswith(("NGROK_", "PYNGROK_")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1,localhost"


def _quieten() -> None:
    """pyngrok's own log repeats visitors' addresses and request bodies: ours is enough."""
    logger = logging.getLogger("pyngrok")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    logger.setLevel(logging.CRITICAL)


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Told


def main(argv: list[str]) -> int:
    signal.signal(signal.SIGTERM, _on_sigterm)
    folder = Path(argv[0])
    files.check_private(str(folder))
    scrub_environment()
    job = read_job(folder)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)  # a traceback could hold the token
    return Keeper(folder, job).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
