"""A tunnel that is a program: started on record, its log read from a file, found again, ended as a group."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from exposer import files, procs
from exposer.errors import MissingError
from exposer.procs import Entry, ProcessId
from exposer.state.model import Look, Record
from exposer.tunnels.binaries import installed
from exposer.tunnels.fact import TunnelConfigError
from exposer.tunnels.provider import Provider

# Within so many seconds a tunnel has its address and says that it is connected.
PATIENCE = 30.0
# Asked to end, then ended.
LADDER = ((signal.SIGTERM, 3.0), (signal.SIGKILL, 2.0))
# A log is begun anew at a start when it is larger than the first; while it runs the second is the limit.
LOG_OLD, LOG_LIMIT = 1024 * 1024, 16 * 1024 * 1024
WINDOW = 64 * 1024
_DOWNLOADS = re.compile(
    rb"^\s*(?:from|import)\s+(?:pyngrok|pycloudflared|flask_cloudflared|cloudflared)\b|-m\s*py(?:ngrok|cloudflared)\b"
    rb"|\A#![^\n]*\bnode\b",
    re.MULTILINE,
)


def port_of(listen: str) -> int:
    """The port of the gateway's loopback address; a tunnel leads to no other machine."""
    host, _, port = listen.rpartition(":")
    if host != "127.0.0.1" or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise TunnelConfigError(f"the gateway's address should be 127.0.0.1:PORT, not {listen!r}")
    return int(port)


def end(entry: Entry, ladder: Sequence[tuple[int, float]] = LADDER) -> None:
    """Ends a process and its whole group, politely at first; safe for one that is long gone."""
    if entry.process is not None:
        procs.stop(entry.process, ladder)


def find_program(
    configured: str, name: str, what: str, hint: str, refuse: Callable[[str], bool] = lambda path: False
) -> str:
    """The path of the program to run: the configured one, else the first on PATH that is not refused, else the one in
    exposer's own folder."""
    found = [path for path in _candidates(configured or name) if not refuse(path)]
    if found:
        return found[0]
    if not configured and (own := installed(name)):
        return own
    where = f"tunnel.binary is {configured!r}, which is not {what}" if configured else f"{what} is not on PATH"
    raise MissingError(where, hint)


def _candidates(name: str) -> Iterator[str]:
    folders = [""] if "/" in name else procs.child_environment().get("PATH", os.defpath).split(os.pathsep)
    for folder in folders:
        path = Path(folder, name) if folder else Path(name)
        if path.is_file() and os.access(path, os.X_OK):
            yield str(path.absolute())


def is_downloader(path: str) -> bool:
    """Whether a program is a script of pyngrok or one of its kind in Python or Node: it only bears the agent's name,
    and downloads one, unchecked, when it is called. A wrapper of the user's own is none of our business."""
    try:
        with Path(path).open("rb") as file:
            begin = file.read(4096)
    except OSError:
        return False
    return begin.startswith(b"#!") and _DOWNLOADS.search(begin) is not None


def lines_of(entry: Entry, *, final: bool = False, head: bool = False) -> list[str]:
    """What this run of the program has written: its last lines, or with `head` its first ones.

    A line that is still being written is left out, unless it is `final`.
    """
    try:
        with Path(str(entry.detail["log"])).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            begin = int(entry.detail.get("log_from", 0))
            begin = begin if begin <= size else 0  # the log was begun anew
            torn = not head and size - WINDOW > begin
            file.seek(size - WINDOW if torn else begin)
            data = file.read(WINDOW)
    except (OSError, KeyError, ValueError):
        return []
    whole = data if final else data[: data.rfind(b"\n") + 1]
    # The rest of a line could read like something that the program never said.
    return whole.decode(errors="replace").split("\n")[1 if torn else 0 :]


def says(process: ProcessId, marker: str) -> bool:
    """Whether the process runs the very command that we gave it; True where the kernel does not tell."""
    try:
        command = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    except OSError:
        return not Path("/proc/self").exists()
    return bool(marker) and marker.encode() in command


def frozen(process: ProcessId) -> bool:
    """Whether somebody has stopped the process (SIGSTOP, a debugger): it is there, and does nothing."""
    try:
        state = Path(f"/proc/{process.pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state in (b"T", b"t")


class Program(Provider):
    """What the parts for ssh, cloudflared and ngrok have in common. They add `start` and `look`."""

    ladder: Sequence[tuple[int, float]] = LADDER

    def look(self, entry: Entry) -> Look:
        raise NotImplementedError

    def own_files(self) -> Sequence[Path]:
        """Files that only a running tunnel needs; some hold its secrets."""
        return ()

    def stop(self, entry: Entry) -> None:
        """Ends it, and removes what only a running tunnel needs."""
        end(entry, self.ladder)
        for path in self.own_files():
            path.unlink(missing_ok=True)

    def adopt(self, entries: list[Entry]) -> Entry | None:
        """The newest entry of ours that still runs the command it was started with."""
        for entry in reversed(entries):
            if self._mine(entry):
                url = self.look(entry).url or str(entry.detail.get("url", ""))
                return Entry(self.role, entry.process, digest=self.digest, detail={**entry.detail, "url": url})
        return None

    def _mine(self, entry: Entry) -> bool:
        if entry.role != self.role or entry.digest != self.digest or entry.process is None:
            return False
        ours = entry.detail.get("provider") == self.provider
        return ours and entry.process.alive() and says(entry.process, str(entry.detail.get("marker", "")))

    def launch(
        self,
        argv: Sequence[str],
        marker: str,
        record: Record,
        detail: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> Entry:
        """Starts the program; it is on record before it begins. `marker` is a word of its argv alone."""
        log = self.runtime / f"{self.role}.log"
        started: list[Entry] = []
        facts = {"provider": self.provider, "log": str(log), "log_from": _begin(log), "marker": marker}

        def remember(process: ProcessId) -> None:
            said = {**facts, "at": time.time(), **(detail or {})}
            started.append(Entry(self.role, process, digest=self.digest, detail=said))
            record(started[0])

        try:
            procs.spawn(argv, log=str(log), record=remember, env=env, cwd=cwd)
        except FileNotFoundError as error:
            raise MissingError(f"cannot find {argv[0]}") from error
        return started[0]

    def with_url(self, entry: Entry, url: str) -> Entry:
        return Entry(self.role, entry.process, digest=self.digest, detail={**entry.detail, "url": url})

    def trim(self, entry: Entry) -> None:
        """Keeps a log from filling the disk. The program appends, so it goes on at the new end."""
        if "log" in entry.detail:
            files.keep_short(str(entry.detail["log"]), LOG_LIMIT)


def _begin(log: Path) -> int:
    """Where the next run's lines will begin; an old log that has grown large is put aside first."""
    try:
        size = log.stat().st_size
        if size > LOG_OLD:
            log.replace(log.with_name(f"{log.name}.1"))
            return 0
    except OSError:
        return 0
    return size
