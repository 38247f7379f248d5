"""Copies of this process: what has been loaded once need not be loaded again."""

import os
import signal

from exposer.procs.children import mine, not_mine
from exposer.procs.identity import ProcessId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


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
    child = Forked(pid, go)
    mine(child)
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
        not_mine(self.pid)

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
