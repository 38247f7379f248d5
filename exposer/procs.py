"""Processes: known by more than their pid, started only once they are on record, signalled as groups.

Standard library only, with the slow imports inside functions: the panic path uses this module.
"""

import _thread
import errno
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any
else:
    import _signal as signal  # the half of it in C: the other costs a panic 4 ms for its enum

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


def boot_id() -> str:
    """Tells one boot of this machine from another; the boot time where the kernel has no id (macOS)."""
    if not _BOOT:  # it stays the same as long as we live, and a ledger may have ten thousand lines
        try:
            with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
                _BOOT.append(file.read().strip())
        except OSError:
            _BOOT.append(_ask("sysctl", "-n", "kern.bootsessionuuid"))
    return _BOOT[0]


_BOOT: list[str] = []


def started_at(pid: int) -> str | None:
    """When `pid` started, as the kernel counts it; None when there is no such process or it is a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        if os.path.isdir("/proc/self"):
            return None
        return _ask("ps", "-o", "lstart=", "-p", str(pid)) or None
    return None if fields[0] in (b"Z", b"X") else fields[19].decode()


def _ask(*argv: str) -> str:
    import subprocess

    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=2, check=False).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


class ProcessId:
    """One process for good: pid, start time and boot id together. A recycled pid is another process."""

    __slots__ = ("boot", "pid", "started")

    def __init__(self, pid: int, started: str, boot: str) -> None:
        self.pid = pid
        self.started = started
        self.boot = boot

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        """The identity of a running process, or None when it is gone."""
        started = started_at(pid)
        return None if started is None else cls(pid, started, boot_id())

    def alive(self) -> bool:
        return self.pid > 1 and started_at(self.pid) == self.started and boot_id() == self.boot

    def signal(self, number: int) -> bool:
        """Sends a signal to this process and no other; True when it was there to get it.

        A pidfd is opened before the identity is checked, so that the pid cannot change hands in between.
        """
        if self.pid <= 1:
            return False
        try:
            fd = os.pidfd_open(self.pid)
        except (AttributeError, OSError, OverflowError):
            fd = -1
        try:
            if not self.alive():
                return False
            if fd >= 0:
                signal.pidfd_send_signal(fd, number)
            else:
                os.kill(self.pid, number)
            return True
        except ProcessLookupError:
            return False
        finally:
            if fd >= 0:
                os.close(fd)

    def signal_group(self, number: int) -> bool:
        """Signals the process and its whole group; only when it leads a group, and is still itself."""
        if not self.alive():
            return _signal_leaderless(self.pid, self.boot, number)
        try:
            if os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, number)
                return True
        except ProcessLookupError:
            return False
        return self.signal(number)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ProcessId):
            return NotImplemented
        return (self.pid, self.started, self.boot) == (other.pid, other.started, other.boot)

    def __hash__(self) -> int:
        return hash((self.pid, self.started, self.boot))

    def __repr__(self) -> str:
        return f"ProcessId({self.pid}, started={self.started!r})"


def group_exists(number: int) -> bool:
    """Whether there is a process, or a group, of that number: when a leader has died the others may go on."""
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return started_at(number) is not None
    except OSError:
        pass
    return True


def _signal_leaderless(group: int, boot: str, number: int) -> bool:
    """A group whose leader has died still belongs to us while the leader's pid is free: a pid is not given out
    again as long as a process group of that number exists."""
    if group <= 1 or boot != boot_id() or started_at(group) is not None:
        return False
    try:
        os.killpg(group, 0)  # most groups are long gone: then there is no need to look at every process
        if not _group_of_ours(group):
            return False
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError, OverflowError):
        return False
    return True


def _group_of_ours(group: int) -> bool:
    """Whether a process of our own user, in a session that the dead leader opened, is in that group.

    Root's may be of any user: workers that root has started are somebody else."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return False
    for pid in pids:
        try:
            if (
                os.getpgid(pid) == group
                and os.getsid(pid) == group
                and os.geteuid() in (0, os.stat(f"/proc/{pid}").st_uid)
            ):
                return True
        except OSError:
            continue
    return False


class Entry:
    """One line of the ledger: something that exposer started, and how to find it again.

    `role` is its part; a process has `process`, a Docker object `ids` (container, network, …).
    `digest` is that of the wish it was started for; `detail` is what an adopter needs to know.
    """

    __slots__ = ("detail", "digest", "ids", "process", "role")

    def __init__(
        self,
        role: str,
        process: ProcessId | None = None,
        ids: "Mapping[str, str] | None" = None,
        digest: str = "",
        detail: "Mapping[str, Any] | None" = None,
    ) -> None:
        self.role = role
        self.process = process
        self.ids: dict[str, str] = dict(ids or {})
        self.digest = digest
        self.detail: dict[str, Any] = dict(detail or {})

    def to_line(self) -> bytes:
        data: dict[str, Any] = {"role": self.role, **self.ids, "digest": self.digest, "detail": self.detail}
        if self.process is not None:
            data |= {"pid": self.process.pid, "started": self.process.started, "boot": self.process.boot}
        import json

        return json.dumps(data, sort_keys=True).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "Entry | None":
        """The entry a line stands for; None for a torn or foreign line."""
        try:
            data = _json(line)
            role, pid = data["role"], data.get("pid")
            process = None if pid is None else ProcessId(int(pid), str(data["started"]), str(data["boot"]))
            ids = {k: str(data[k]) for k in ("container", "network", "service", "image") if k in data}
            return cls(str(role), process, ids, str(data.get("digest", "")), dict(data.get("detail") or {}))
        except Exception:  # whatever is wrong with one line: the others must still be found, the kill switch needs them
            return None


class _Plainly:
    """How the C half of `json` is to read: as `json.loads` does."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, float
    memo: "dict[str, str]" = {}


def _json(line: bytes) -> "Any":
    """As `json.loads`, which costs a panic 5 ms for importing `re`. Raises something when it is not one JSON value."""
    import _json as c

    text = line.decode().strip()
    value, end = c.make_scanner(_Plainly)(text, 0)  # type: ignore[arg-type]  # any object with these names
    if end != len(text):
        raise ValueError(f"more than one JSON value: {text[end:]}")
    return value


_WRITING: "dict[str, _thread.LockType]" = {}  # by ledger: whoever forgets lines must not lose somebody else's new one


class Ledger:
    """The list of everything that exposer started, one JSON object a line, written before the thing gets traffic."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = _WRITING.setdefault(path, _thread.allocate_lock())

    def append(self, entry: Entry) -> None:
        """Adds a line with one write; a torn last line (a crash, a full disk) is closed off first. Raises OSError."""
        with self._lock:
            self._append(entry)

    def _append(self, entry: Entry) -> None:
        fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(fd).st_size
            torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
            line = (b"\n" if torn else b"") + entry.to_line()
            if os.write(fd, line) != len(line):
                raise OSError(errno.ENOSPC, "the ledger could not be written whole", self.path)
            os.fsync(fd)
        finally:
            os.close(fd)

    def entries(self) -> list[Entry]:
        """Every readable line, oldest first; torn lines are passed over, and a ledger that cannot be read has none."""
        try:
            return self.read()
        except OSError:
            return []

    def read(self) -> list[Entry]:
        """As `entries`, but raises OSError when there is a ledger and it cannot be read."""
        from exposer import files

        try:
            lines = files.read_private(self.path, 64 * 1024 * 1024).splitlines()
        except FileNotFoundError:
            return []
        return [entry for line in lines if (entry := Entry.from_line(line)) is not None]

    def keep(self, wanted: "Callable[[Entry], bool]") -> None:
        """Forgets the entries that are not `wanted` any more (they are gone for sure).

        Raises OSError, with nothing forgotten: a ledger that cannot be read just now is not an empty one.
        """
        from exposer import files

        with self._lock:
            kept = [entry for entry in self.read() if wanted(entry)]
            files.swap(self.path, b"".join(entry.to_line() for entry in kept))


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
    _EXITS.pop(child.pid, None)  # of an earlier process with that pid
    _CHILDREN[child.pid] = child
    assert child.stdin is not None  # noqa: S101
    try:
        identity = ProcessId.of(child.pid)
        if identity is None:
            raise ChildProcessError(f"{argv[0]} died at once")
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
        _CHILDREN.pop(child.pid, None)
        raise
    return identity


def fork(
    work: "Callable[[], int]", *, log: str, prepare: "Callable[[], object]" = lambda: None, title: str = ""
) -> "Forked":
    """A copy of this process in a session of its own, output appended to the file `log` (0600), nothing to read.

    It does `prepare` at once and then waits until `Forked.begin` has it on record; its exit code is what `work`
    returns. When this process dies before, it does no `work`. It inherits no descriptor, no signal handler and no
    lock; there must be no other thread, and no open database, when it is made. Raises OSError.
    """
    import sys

    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # else what is in their buffers is written twice
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    gate, go = os.pipe()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _live(work, prepare, gate, out, before, title)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(gate)
        os.close(out)
    _EXITS.pop(pid, None)
    _CHILDREN[pid] = child = Forked(pid, go)
    return child


class Forked:
    """A process made by `fork`, which waits for its word. `returncode` is as that of a Popen."""

    def __init__(self, pid: int, go: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._go = go

    def begin(self, record: "Callable[[ProcessId], None]") -> ProcessId:
        """Lets it do its work, once `record` has returned. When that raises it never will."""
        try:
            identity = ProcessId.of(self.pid)
            if identity is None:
                raise ChildProcessError("the background process died at once")
            record(identity)
            os.write(self._go, b"go\n")
        except BaseException:
            self.give_up()
            raise
        os.close(self._go)
        self._go = -1
        return identity

    def give_up(self) -> None:
        """Ends it; it has done nothing yet."""
        if self._go < 0:
            return
        os.close(self._go)
        self._go = -1
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)  # our own child, not collected yet: the pid is its
            os.waitpid(self.pid, 0)
        _CHILDREN.pop(self.pid, None)

    def poll(self) -> int | None:
        """How it ended, or None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def _live(
    work: "Callable[[], int]", prepare: "Callable[[], object]", gate: int, out: int, mask: "Iterable[int]", title: str
) -> None:
    """The life of a forked process. It never returns: the frames above are its parent's, and so are their ends."""
    import sys
    import traceback

    code = 1
    try:
        os.setsid()
        _forget_parent(gate, out, mask)
        prepare()
        if os.read(gate, 1):  # else its parent has died, and nobody knows of it
            os.close(gate)
            _call_myself(title)
            code = work()
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def _forget_parent(gate: int, out: int, mask: "Iterable[int]") -> None:
    """Lets go of the parent's files, terminal and signal handlers."""
    null = os.open(os.devnull, os.O_RDONLY)
    for fd, place in ((null, 0), (out, 1), (out, 2)):
        os.dup2(fd, place)
    for fd in [int(name) for name in os.listdir("/dev/fd")]:
        if fd > 2 and fd != gate:
            try:
                os.close(fd)
            except OSError:
                pass  # that of the listing itself
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _call_myself(title: str) -> None:
    """How it is called in a list of processes from now on, where the system has a place for that."""
    try:
        with open("/proc/self/comm", "w", encoding="ascii") as file:
            file.write(title[:15] or "exposer")
    except OSError:
        pass


_CHILDREN: "dict[int, Any]" = {}


def save_memory() -> None:
    """Has the threads of this process share what is free: glibc gives each a heap of its own, and takes it back never.
    Elsewhere, or with another library, nothing happens."""
    import ctypes

    try:
        ctypes.CDLL(None).mallopt(-8, 2)  # M_ARENA_MAX
    except (OSError, AttributeError, TypeError):
        return


def reap() -> None:
    """Collects the exit status of children that have ended, so that none stays a zombie."""
    for pid, child in list(_CHILDREN.items()):
        if child.poll() is not None:
            _CHILDREN.pop(pid, None)
            _EXITS[pid] = child.returncode


_EXITS: dict[int, int] = {}


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


def monotonic() -> float:
    """Seconds that never run backwards."""
    return time.monotonic()


def pause(seconds: float) -> None:
    """Waits. For commands that show something again and again; nothing that decides may use it."""
    time.sleep(seconds)


QUICK = 0.003


def wait_until(condition: "Callable[[], bool]", within: float, every: float = 0.01) -> bool:
    """Looks again and again until `condition` holds; False when it did not within so many seconds.

    At first it looks oftener than `every` so many seconds: what comes soon is seen soon, what takes long costs little.
    """
    begun = time.monotonic()
    while True:
        if condition():
            return True
        waited = time.monotonic() - begun
        if waited >= within:
            return False
        time.sleep(min(every, max(QUICK, waited / 16)))


def hurry() -> None:
    """Lets this thread, and what it starts from now on, go before all else that wants a processor, where it may."""
    _schedule("SCHED_RR", 1)


def take_time() -> None:
    """Ends `hurry`."""
    _schedule("SCHED_OTHER", 0)


def _schedule(policy: str, priority: int) -> None:
    try:
        os.sched_setscheduler(0, getattr(os, policy), os.sched_param(priority))
    except (AttributeError, OSError):  # not on this system, or not for this user
        pass


# How a part is asked to end: the signal, and how long it may take before the next.
LADDER = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))


def stop(process: ProcessId, ladder: "Sequence[tuple[int, float]]" = LADDER) -> bool:
    """Ends a process and its group, politely first; True when it is gone."""

    def gone() -> bool:
        reap()
        return not process.alive()

    for number, patience in ladder:
        process.signal_group(number)
        if wait_until(gone, patience):
            process.signal_group(signal.SIGKILL)  # whatever its group left behind
            return True
    return gone()
