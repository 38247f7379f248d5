"""Programs that are started: on record before they begin, in a small environment, collected when they have ended."""

import errno
import os

from exposer.procs.identity import ProcessId

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

# Reads one line from its standard input, then becomes the program. When the parent dies before it has put the
# process on record, the pipe ends, `read` fails and nothing was ever started.
GATE = ("/bin/sh", "-c", 'read -r go && in=$1 && shift && exec "$@" <"$in"', "gate")

# What a child may inherit. Everything else (tokens, proxies, LD_*, provider settings) stays out.
INHERITED = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "USER",
    "LOGNAME",
    "XDG_RUNTIME_DIR",
)


def child_environment(extra: "Mapping[str, str] | None" = None, keep: "Iterable[str]" = INHERITED) -> dict[str, str]:
    """A small environment for a child: a few harmless variables and what the caller adds."""
    return {name: os.environ[name] for name in keep if name in os.environ} | dict(extra or {})


# What a child is known by when there is no ledger: the exposure's runtime folder and the name of its log.
MARK = "EXPOSER_PART"


def mark(log: str) -> dict[str, str]:
    """The mark of a child that writes to this log; none for a log outside of an exposure's folders."""
    from exposer import files

    runtime = files.runtime_root()
    for root in (runtime, files.state_root()):
        if log.startswith(f"{root}/") and "/" in (rest := log[len(root) + 1 :]):
            name = rest.partition("/")[0]
            return {MARK: f"{runtime}/{name}:{os.path.basename(log).partition('.')[0]}"}
    return {}


def marked(environment: bytes) -> str:
    """The mark in a process's environment, as the kernel tells it; "" when there is none."""
    begin = f"{MARK}=".encode()
    found = next((word for word in environment.split(b"\0") if word.startswith(begin)), begin)
    return found[len(begin) :].decode(errors="replace")


def spawn(
    argv: "Sequence[str]",
    *,
    log: str,
    record: "Callable[[ProcessId], None]",
    env: "Mapping[str, str] | None" = None,
    cwd: str | None = None,
    stdin: str = "/dev/null",
) -> ProcessId:
    """Starts a program in a session of its own, output appended to the file `log` (0600), and returns its identity.
    `stdin` is a file that it reads.

    The program does not begin before `record` has returned: whoever calls puts the identity into the ledger there.
    When `record` raises, or this process dies, the program is never executed. Raises FileNotFoundError when
    the program is not on PATH.
    """
    import shutil
    import subprocess

    env = child_environment() if env is None else dict(env)
    program = shutil.which(argv[0], path=env.get("PATH"))
    if program is None:
        raise FileNotFoundError(errno.ENOENT, "not found on PATH", argv[0])
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        child = subprocess.Popen(
            [*GATE, stdin, program, *argv[1:]],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            env={**env, **mark(log)},
            cwd=cwd,
            start_new_session=True,
        )
    finally:
        os.close(out)
    mine(child)
    return _begin(child, argv[0], record)


def _begin(child: "subprocess.Popen[bytes]", name: str, record: "Callable[[ProcessId], None]") -> ProcessId:
    """Lets a child that waits become its program, once it is on record."""
    assert child.stdin is not None  # noqa: S101
    try:
        identity = ProcessId.of(child.pid)
        if identity is None:
            raise ChildProcessError(f"{name} died at once")
        record(identity)
        child.stdin.write(b"go\n")
        child.stdin.close()
    except BaseException:
        child.kill()
        child.wait()
        try:
            child.stdin.close()
        except OSError:
            pass
        not_mine(child.pid)
        raise
    return identity


_CHILDREN: "dict[int, Any]" = {}
_EXITS: dict[int, int] = {}


def mine(child: "Any") -> None:
    """Has `reap` collect this child, a Popen or the like, when it has ended."""
    _EXITS.pop(child.pid, None)  # of an earlier process with that pid
    _CHILDREN[child.pid] = child


def not_mine(pid: int) -> None:
    """It is collected already."""
    _CHILDREN.pop(pid, None)


def reap() -> None:
    """Collects the exit status of children that have ended, so that none stays a zombie."""
    for pid, child in list(_CHILDREN.items()):
        if child.poll() is not None:
            _CHILDREN.pop(pid, None)
            _EXITS[pid] = child.returncode


def exit_code(pid: int) -> int | None:
    """How a child of ours ended (negative: by that signal), once `reap` has collected it; else None."""
    reap()
    return _EXITS.get(pid)


class Finished:
    """What a short command said: its exit code and its output, as text."""

    __slots__ = ("code", "err", "out")

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err


def run(
    argv: "Sequence[str]",
    timeout: float = 10.0,
    env: "Mapping[str, str] | None" = None,
    cwd: str | None = None,
    stdin: bytes | None = None,
) -> Finished:
    """Runs a short command to its end. Raises FileNotFoundError, TimeoutError."""
    import subprocess

    try:
        done = subprocess.run(
            list(argv),
            capture_output=True,
            timeout=timeout,
            env=child_environment() if env is None else dict(env),
            cwd=cwd,
            check=False,
            input=b"" if stdin is None else stdin,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"{argv[0]} did not end within {timeout:g} s") from error
    return Finished(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
