"""Work that outlives the cut: in a process of its own, with the supervisor's words, and its outcome in the report."""

import json
import os
import sys

from exposer import files, procs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Collection
    from typing import Any
else:
    import _signal as signal

REPORT_SECONDS = 15.0


def begin(
    module: str, job: "dict[str, Any] | list[dict[str, Any]]", environment: "dict[str, str]", report: str
) -> None:
    """Starts it in the background, in a session of its own: python -m MODULE JOB REPORT. Raises OSError."""
    argv = [sys.executable, "-m", module, json.dumps(job), report]
    nowhere = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    os.posix_spawn(sys.executable, argv, environment, file_actions=nowhere, setsid=True, setsigdef=[signal.SIGTERM])


def environment(names: "Collection[str]", supervisor: procs.ProcessId | None) -> dict[str, str]:
    """Ours, and of the supervisor's what is named and we do not have: where secrets are."""
    own = {name: value for name, value in os.environ.items() if name != procs.MARK}
    wanted = {os.fsencode(name): name for name in names if name not in own}
    if not wanted or supervisor is None or not supervisor.alive():
        return own
    try:
        with open(f"/proc/{supervisor.pid}/environ", "rb") as file:
            words = file.read().split(b"\0")
    except OSError:
        return own
    pairs = (word.partition(b"=") for word in words)
    return own | {wanted[name]: os.fsdecode(value) for name, _, value in pairs if name in wanted}


def add(report: str, title: str, key: str, said: list[str]) -> None:
    """To the Markdown and to the JSON, once they are there. Others may be adding to them too. Raises OSError."""
    data = report.removesuffix(".md") + ".json"
    procs.wait_until(lambda: os.path.exists(data), REPORT_SECONDS, every=0.05)
    with files.FileLock(os.path.join(os.path.dirname(report), ".adding")):
        with open(report, "rb") as file:
            text = file.read()
        lines = "".join(f"- {line}\n" for line in said)
        files.swap(report, text + f"\n## {title}\n\n{lines}".encode(errors="backslashreplace"))
        with open(data, "rb") as file:
            known = json.load(file)
        files.swap(data, json.dumps({**known, key: said}, indent=1).encode())
