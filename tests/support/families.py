"""Real process families for tests: a leader in a session of its own, and what it forks."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from exposer.procs import ProcessId, started_at
from tests.support.eventually import eventually


@contextmanager
def family(children: int = 1, *, leader: str = "wait") -> Iterator[tuple[ProcessId, list[ProcessId]]]:
    """A shell that leads a session and its sleeping children; `leader` is what it does then (`exit` leaves orphans)."""
    script = "read go; " + "sleep 300 & echo $!; " * children + leader
    pipe = subprocess.PIPE
    with subprocess.Popen(
        ["/bin/sh", "-c", script], stdin=pipe, stdout=pipe, text=True, start_new_session=True
    ) as shell:
        head = ProcessId.of(shell.pid)
        assert head is not None
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdin.write("go\n")
        shell.stdin.flush()
        pids = [int(shell.stdout.readline()) for _ in range(children)]
        members = [member for pid in pids if (member := ProcessId.of(pid)) is not None]
        try:
            if leader == "exit":
                eventually(lambda: not head.alive())
            yield head, members
        finally:
            for pid in (shell.pid, *pids):
                if started_at(pid) is not None:
                    os.kill(pid, signal.SIGKILL)
            shell.wait()
