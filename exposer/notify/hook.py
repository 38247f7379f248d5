"""An own program that is told of something: JSON on its standard input, so much time and no more."""

import json
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from exposer import files, procs
from exposer.errors import ExposerError, MissingError
from exposer.procs import Entry

ROLE = "hook"
PATIENCE = 30.0
LADDER = ((signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0))
# The log is begun anew when it is larger than this: before a hook, and while one prints without an end.
LOG, LOG_OLD, LOG_LIMIT = "hooks.log", 1024 * 1024, 16 * 1024 * 1024


def run_hook(
    argv: tuple[str, ...],
    told: Mapping[str, Any],
    *,
    runtime: str,
    logs: str,
    cwd: str,
    record: Callable[[Entry], None],
    patience: float = PATIENCE,
) -> None:
    """Runs it to its end. It is on record before it begins, has a session and a small environment of its own, and
    what it prints goes to a log. Raises ExposerError when it fails or takes too long."""
    log, given = Path(logs, LOG), Path(runtime, f"hook.{os.urandom(6).hex()}.json")
    files.keep_short(str(log), LOG_OLD)
    files.swap(str(given), json.dumps(told, sort_keys=True).encode())
    try:
        process = procs.spawn(
            argv, log=str(log), record=lambda found: record(Entry(ROLE, found)), cwd=cwd or None, stdin=str(given)
        )
        if not procs.wait_until(lambda: _ended(process, log), patience):
            procs.stop(process, LADDER)
            raise ExposerError(f"{argv[0]} did not end within {patience:g} s", "see: exposer logs hooks")
        process.signal_group(signal.SIGKILL)  # what it has left behind in its session
        if code := procs.exit_code(process.pid):
            ended = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
            raise ExposerError(f"{argv[0]} {ended}", "see: exposer logs hooks")
    except FileNotFoundError:
        raise MissingError(f"{argv[0]}: there is no such program", "look at hooks.address_changed") from None
    finally:
        files.keep_short(str(log), LOG_LIMIT)
        with suppress(OSError):
            given.unlink()


def _ended(process: procs.ProcessId, log: Path) -> bool:
    files.keep_short(str(log), LOG_LIMIT)
    procs.reap()
    return not process.alive()
