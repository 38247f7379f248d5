"""A backend that is a program on this machine, in a session of its own."""

import os
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from exposer import files, procs
from exposer.backends import health, listening, setting, tail
from exposer.config.model import Backend
from exposer.errors import ExposerError, MissingError, TimeoutExceededError
from exposer.procs import Entry, ProcessId
from exposer.secret import Secret
from exposer.state.model import BACKEND, Look, Record, Tell

LAST_LINES = 20
LOG_LIMIT = 16 * 1024 * 1024  # a log longer than this is begun anew: many programs write a line for each call
ENDED = "try backend.command by hand, with PORT set; all that it wrote: exposer logs backend"
PYTHONS = ("python", "python3")


class ProcessBackend:
    """Gets `PORT`, its variables and secrets; writes to a log file, so that it outlives the supervisor."""

    role = BACKEND

    def __init__(self, config: Backend, at: setting.Setting) -> None:
        self._config = config
        self._at = at
        self._folder = config.cwd or at.state_dir
        self.digest = setting.digest_of(config, at.name)
        self.upstream = f"http://127.0.0.1:{config.port}"

    def start(self, record: Record, tell: Tell) -> Entry:
        """Starts the program and waits until it is healthy; after an error it is gone."""
        clear, secret = setting.environment(self._config, self._at.resolve)
        hidden = health.secrets_of(self._config, self._at.resolve, secret)
        env = procs.child_environment(clear) | {name: value.reveal() for name, value in secret.items()}
        env["PORT"] = str(self._config.port)
        argv = self._argv(env)
        refuse_taken(self._config.port)
        log = self._log()
        files.keep_short(log, LOG_LIMIT)
        begins = size_of(log)
        detail = {"kind": "command", "upstream": self.upstream, "log": log}

        def note(process: ProcessId) -> None:
            record(Entry(BACKEND, process, {}, self.digest, detail))

        process = procs.spawn(argv, log=log, record=note, env=env, cwd=self._folder)
        try:
            tell("the backend's program runs; waiting until it is healthy")
            self._await(process, log, begins, hidden)
        except BaseException:
            procs.stop(process, ((9, 5.0),))
            raise
        return Entry(BACKEND, process, {}, self.digest, detail)

    def look(self, entry: Entry) -> Look:
        """Alive when it is the same process, healthy when it answers; warns when others can reach it."""
        procs.reap()
        files.keep_short(str(entry.detail.get("log", "")), LOG_LIMIT)
        detail: dict[str, str] = {"kind": "command"}
        if entry.process is None or not entry.process.alive():
            return Look(False, False, error=_how_it_ended(entry.process), detail=detail)
        if open_to := listening.beyond_loopback(entry.process.pid, self._config.port):
            detail["warning"] = f"the backend listens on {', '.join(open_to)}: reachable past the gateway"
        error = self._complaint()
        return Look(True, not error, error=error, detail=detail)

    def beside(self, entry: Entry) -> list[str]:
        """At which addresses of this machine it answers past the gateway."""
        return [] if self._config.also_open else listening.beside(self.upstream)

    def stop(self, entry: Entry) -> None:
        """Ends the program and its whole group."""
        if entry.process is not None:
            procs.stop(entry.process)

    def adopt(self, entries: list[Entry]) -> Entry | None:
        """The newest entry with our digest, when its process is still that process."""
        ours = [entry for entry in entries if entry.role == BACKEND and entry.digest == self.digest]
        alive = ours and ours[-1].process is not None and ours[-1].process.alive()
        return ours[-1] if alive else None

    def logs(self, entry: Entry, lines: int = 100) -> str:
        """The last lines that the program printed."""
        return "\n".join(read_from(self._log(), -256 * 1024).splitlines()[-lines:]) + "\n"

    def follow(self, entry: Entry) -> Iterator[str]:
        """What the program prints from now on, as it comes, until it ends."""
        with open(self._log(), encoding="utf-8", errors="replace") as log:
            log.seek(0, os.SEEK_END)
            while entry.process is not None and entry.process.alive():
                procs.wait_until(lambda: _grown(log.fileno()), within=0.5, every=0.1)
                if text := log.read():
                    yield text

    def _argv(self, env: Mapping[str, str]) -> list[str]:
        """The command with its program found: relative to its own folder, not to where we happen to be."""
        program, *rest = self._config.command
        if not Path(self._folder).is_dir():
            raise MissingError(f"the folder {self._folder}, where the backend's command should run, is not there")
        if os.sep in program:
            program = str(Path(self._folder) / program)
        elif program in PYTHONS and shutil.which(program, path=env.get("PATH")) is None:
            program = sys.executable
        if shutil.which(program, path=env.get("PATH")) is None:
            raise MissingError(
                f"backend.command: there is no program {self._config.command[0]} (or it may not be run)",
                "install it, or give its whole path",
            )
        return [program, *rest]

    def _log(self) -> str:
        return str(Path(files.private_dir(str(Path(self._at.state_dir) / "logs"))) / "backend.log")

    def _await(self, process: ProcessId, log: str, begins: int, secrets: list[Secret]) -> None:
        def dead() -> bool:
            procs.reap()
            return not process.alive()

        complaint = health.await_healthy(self._complaint, dead, self._config.start_timeout)
        if not dead() and not complaint:
            return
        said = tail.last_lines(read_from(log, begins), secrets, LAST_LINES, but=health.question(self._config))
        if dead():
            raise ExposerError(_how_it_ended(process) + health.last_words(said), ENDED)
        raise TimeoutExceededError(*health.never_healthy(self._config, complaint, said))

    def _complaint(self) -> str:
        return health.complaint(self._config, self.upstream, self._at.resolve)


def refuse_taken(port: int) -> None:
    """Raises when somebody listens on the port already: he would be asked, and exposed, in our place."""
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            try:
                probe.connect((address, port))
            except OSError:
                continue
        raise ExposerError(
            f"port {port} is in use already, by another program",
            'end that program, choose another backend.port, or expose it as it is with `url = "http://…"`',
        )


def read_from(path: str, position: int) -> str:
    """The text of a file from a position on; a negative one counts from the end. "" when there is no file."""
    try:
        with open(path, "rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end + position) if position < 0 else position)
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def size_of(path: str) -> int:
    """How long a file is; an absent one has no length."""
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


def _grown(fd: int) -> bool:
    return os.fstat(fd).st_size > os.lseek(fd, 0, os.SEEK_CUR)


def _how_it_ended(process: ProcessId | None) -> str:
    code = None if process is None else procs.exit_code(process.pid)
    if code is None:
        return "the backend's program has ended"
    if code < 0:
        return f"the backend's program was killed by signal {-code}"
    return f"the backend's program ended with exit code {code}"
