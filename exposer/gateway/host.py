"""nginx as processes of this machine: found, tried out, started, told to read its files again, ended."""

import functools
import grp
import os
import pwd
import shutil
import signal
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from exposer import procs
from exposer.errors import ExposerError, MissingError
from exposer.procs import ProcessId

WORKERS = ("www-data", "nginx", "_www", "nobody")
PLACES = "/usr/sbin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/bin:/usr/local/nginx/sbin"
CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
MODULES = (  # of Debian and Ubuntu, of others, of nginx.org
    "/usr/lib/nginx/modules/ngx_http_js_module.so",
    "/usr/lib64/nginx/modules/ngx_http_js_module.so",
    "/etc/nginx/modules/ngx_http_js_module.so",
)
PROC = Path("/proc/self")
# For the C library (mallopt(3)): do not return memory to the kernel. nginx takes and frees 1 MB for each of its tables
# while it reads its files, and does that at every start and reload: 30 ms of it were page faults, 5 ms are left.
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(2**24), "MALLOC_MMAP_THRESHOLD_": str(2**24)}
LADDER = ((signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0))  # SIGTERM lets nginx write out its log


@dataclass(frozen=True, slots=True)
class Worker:
    """The user that answers requests when nginx is started as root."""

    user: str
    group: str
    gid: int


class HostNginx:
    """How nginx is run here. Its working folder is the gateway's, and all its paths are relative to it: so socket
    paths stay short, and workers that may not pass through the folders above still find everything."""

    engine = "process"

    def __init__(self, binary: str = "") -> None:
        self._binary = binary

    def worker(self) -> Worker | None:
        return worker_user()

    def binary(self) -> str:
        """Where nginx is. Raises MissingError."""
        found = find_nginx(self._binary)
        if not found:
            raise MissingError(
                f"cannot find nginx: gateway.binary is {self._binary}" if self._binary else "cannot find nginx",
                "install it: `sudo apt install nginx-light` on Debian and Ubuntu, `brew install nginx` on macOS; "
                'or say engine = "docker"',
            )
        return found

    def scripting(self) -> str:
        """Where nginx's module for JavaScript is; "" where there is none, or it does not go with this nginx."""
        return scripting(find_nginx(self._binary))

    def argv(self, *more: str) -> list[str]:
        return [self.binary(), "-p", "./", "-c", "nginx.conf", "-e", "error.log", *more]

    def check(self, folder: Path) -> str:
        """What nginx has against the files in a folder; "" for nothing."""
        try:
            done = procs.run(self.argv("-t"), timeout=20, cwd=str(folder), env=procs.child_environment(KEEP_MEMORY))
        except (TimeoutError, OSError) as error:
            return str(error)
        return "" if done.code == 0 else _said(done.err)

    def spawn(self, folder: Path, record: Callable[[ProcessId], None]) -> ProcessId:
        env, log = procs.child_environment(KEEP_MEMORY), str(folder / "error.log")
        return procs.spawn(self.argv(), log=log, record=record, env=env, cwd=str(folder))

    def reread(self, process: ProcessId) -> None:
        """Starts a generation that reads the files anew, and asks the one before to end."""
        if not process.signal(signal.SIGHUP):
            raise ExposerError("nginx has ended")

    def stop(self, process: ProcessId) -> bool:
        return procs.stop(process, LADDER)

    def tampering(self, process: ProcessId) -> str:
        """What was changed from outside of how it runs; of a process of our own nothing can be."""
        return ""

    def workers(self, process: ProcessId) -> list[ProcessId]:
        """The processes that answer requests, those on their way out too."""
        return [found for pid in children(process.pid) if (found := ProcessId.of(pid)) is not None]


def find_nginx(binary: str = "") -> str:
    """Where nginx is, or the one that is asked for; "" when there is none. Servers' programs are not on every PATH."""
    return shutil.which(binary or "nginx", path=f"{os.environ.get('PATH', '')}:{PLACES}") or ""


@functools.cache
def scripting(binary: str) -> str:
    """Tried out once: a module of another version would keep nginx from starting."""
    found = next((place for place in MODULES if Path(place).is_file()), "") if binary else ""
    if not found:
        return ""
    with tempfile.TemporaryDirectory(prefix="exposer-") as folder:
        config = Path(folder, "nginx.conf")
        config.write_text(f"load_module {found};\npid {folder}/pid;\nevents {{}}\n")
        try:
            done = procs.run([binary, "-p", folder, "-c", str(config), "-e", f"{folder}/log", "-t"], timeout=20)
        except (TimeoutError, OSError):
            return ""
    return found if done.code == 0 else ""


def retired(worker: ProcessId) -> bool:
    """Whether a worker takes no new connections any more."""
    return not worker.alive() or "shutting down" in _title(worker.pid)


def worker_user() -> Worker | None:
    """Who the workers are; None when they are who we are. Raises MissingError."""
    if os.geteuid() != 0:
        return None
    for name in WORKERS:
        try:
            account = pwd.getpwnam(name)
            return Worker(name, grp.getgrgid(account.pw_gid).gr_name, account.pw_gid)
        except KeyError:
            continue
    raise MissingError(
        "there is no unprivileged user for nginx", f"make one of these: {', '.join(WORKERS)}; or do not run as root"
    )


def certificates() -> str:
    """The file of the authorities that this machine trusts; "" when there is none."""
    places = (ssl.get_default_verify_paths().cafile or "", *CERTIFICATES)
    return next((place for place in places if place and Path(place).is_file()), "")


def last_words(folder: Path) -> str:
    """What nginx wrote last about not being able to go on."""
    try:
        with (folder / "error.log").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 8192))
            return _said(file.read().decode(errors="replace"))
    except OSError:
        return ""


def _said(text: str) -> str:
    lines = [line.split("]", 1)[-1] if line.startswith("nginx: [") else line for line in text.splitlines()]
    lines = [line for line in lines if not line.endswith("test failed")]
    grave = [line.strip() for line in lines if "[emerg]" in line or "./nginx.conf" in line] or lines
    return " ".join(grave[-1].split()) if grave else "it says nothing"


def children(pid: int) -> Iterator[int]:
    """The processes that one has started and not yet buried."""
    if not PROC.is_dir():
        listed = procs.run(["ps", "-A", "-o", "pid=,ppid="]).out.split()
        yield from (int(own) for own, parent in zip(listed[::2], listed[1::2], strict=True) if int(parent) == pid)
        return
    with suppress(OSError):  # not every kernel tells it so quickly
        yield from map(int, (PROC.parent / f"{pid}/task/{pid}/children").read_text().split())
        return
    for place in PROC.parent.glob("[0-9]*/stat"):
        try:
            parent = place.read_bytes().rpartition(b")")[2].split()[1]
        except (OSError, IndexError):
            continue
        if int(parent) == pid:
            yield int(place.parent.name)


def _title(pid: int) -> str:
    try:
        return (PROC.parent / str(pid) / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return "" if PROC.is_dir() else procs.run(["ps", "-o", "command=", "-p", str(pid)]).out
