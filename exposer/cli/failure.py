"""Why a background `up` did not come online, handed to the foreground one that waits for it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exposer import files
from exposer.errors import ExposerError, LockedError
from exposer.files import NotPrivateError, Places
from exposer.state.facts import Failed


def as_error(failure: Failed | Mapping[str, Any]) -> ExposerError:
    """The error that a part's failure, or what was left of one, stands for."""
    data = fields(failure) if isinstance(failure, Failed) else failure
    error = ExposerError(str(data["message"]), str(data["hint"]))
    error.code, error.exit_code = str(data["code"]), int(data["exit"])
    return error


def fields(failure: Failed) -> dict[str, Any]:
    return {"code": failure.code, "message": failure.error, "hint": failure.hint, "exit": failure.exit_code}


def leave(places: Places, error: ExposerError) -> None:
    """Puts an error where the waiting process looks; when even that cannot be written, its log has it."""
    data = {"code": error.code, "message": error.message, "hint": error.hint, "exit": error.exit_code}
    try:
        files.private_dir(places.runtime)  # a failed start has removed it
        files.swap(places.failure, json.dumps(data).encode())
    except (OSError, NotPrivateError):
        return


def found(places: Places, log: str, begins: int) -> ExposerError:
    """Why the background process has ended: a panic, what it left, else the last thing that it wrote to its log."""
    if places.locked():
        return _panicked(places)
    try:
        return as_error(json.loads(files.read_private(places.failure)))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    said = _written(log, begins)
    at = max((number for number, line in enumerate(said) if line.startswith("error: ")), default=None)
    if at is not None:
        message, *hint = said[at:]
        return ExposerError(message.removeprefix("error: "), "\n".join(line.strip() for line in hint))
    return ExposerError(
        "the supervisor ended before it was online", "\n".join([*said[-5:], "see: exposer logs supervisor"])
    )


def _panicked(places: Places) -> LockedError:
    """It was killed before it could say anything itself; the lock tells why."""
    try:
        reason = str(json.loads(files.read_private(places.lock))["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        reason = ""
    said = f": {reason}" if reason else ""
    return LockedError(f"a panic took it offline before it was online{said}", "see what happened with: exposer unlock")


def forget(places: Places) -> None:
    Path(places.failure).unlink(missing_ok=True)


def _written(log: str, begins: int) -> list[str]:
    try:
        with open(log, "rb") as file:
            file.seek(begins)
            return file.read(64 * 1024).decode(errors="replace").splitlines()
    except OSError:
        return []
