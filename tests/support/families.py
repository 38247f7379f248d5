"""Real process families for tests: a leader in a session of its own, and what it forks."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from exposer import procs
from exposer.procs import ProcessId, started_at
from tests.support.eventually import eventually

# As exposer's own children have it, of an exposure that is nowhere.
OURS = {procs.MARK: "/nowhere/exposer/family:backend"}


@contextmanager
def family(
    children: int = 1, *, leader: str = "wait", member: str = "sleep 300", mark: Mapping[str, str] = OURS
) -> Iterator[tuple[ProcessId, list[ProcessId]]]:
    """A shell that leads a session and its children; `leader` is what it does then (`exit` leaves orphans), `member`
    what they do, and `mark` what they have in their environment."""
    script = "read go; " + f"{member} & echo $!; " * children + leader
    pipe = subprocess.PIPE
    with subprocess.Popen(
        ["/bin/sh", "-c", script],
        stdin=pipe,
        stdout=pipe,
        text=True,
        start_new_session=True,
        env={**procs.child_environment(), **mark},
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
                    with suppress(ProcessLookupError):  # it may be ending just now
                        os.kill(pid, signal.SIGKILL)
            shell.wait()
