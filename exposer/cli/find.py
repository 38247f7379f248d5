"""Which exposure a command is about, whether it runs, and what its supervisor last said."""

import json
import re
from pathlib import Path
from typing import Any

from exposer.errors import ExposerError, NotRunningError
from exposer.files import NotPrivateError, Places, check_private, read_private
from exposer.procs import Entry, Ledger


def places(file: str | None) -> Places:
    """The places of the exposure whose config is at hand. Raises ConfigError.

    Only the name is read here: a status must also be had while the rest of the config is being edited.
    """
    from exposer.config.load import find_config

    path = find_config(file)
    found = Places(_name(path))
    for folder in (found.state, found.runtime):
        try:
            check_private(folder)
        except FileNotFoundError:
            continue
        except NotPrivateError as error:
            raise not_private(error) from error
    return found


def not_private(error: NotPrivateError) -> ExposerError:
    """A folder of secrets that others can read, as an error with a next step."""
    wrong = ExposerError(str(error), f"if it is yours: chmod 700 {error.path}")
    wrong.code = "not-private"
    return wrong


def _name(path: Path) -> str:
    import tomllib

    try:
        name = tomllib.loads(path.read_text(encoding="utf-8")).get("name")
        if isinstance(name, str) and re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", name):
            return name
    except (OSError, ValueError):
        pass
    from exposer.config.load import load

    return load(path).name


def supervisor(found: Places) -> Entry | None:
    """The ledger entry of the running supervisor, or None."""
    for entry in reversed(Ledger(found.ledger).entries()):
        if entry.role == "supervisor" and entry.process is not None and entry.process.alive():
            return entry
    return None


def leftovers(found: Places) -> list[Entry]:
    """What runs on although there is no supervisor."""
    return [e for e in Ledger(found.ledger).entries() if e.process is not None and e.process.alive()]


def read_snapshot(found: Places) -> dict[str, Any] | None:
    """The status that the supervisor last wrote, if there is one."""
    try:
        data = json.loads(read_private(found.snapshot))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def running_status(found: Places) -> dict[str, Any]:
    """The status of a running exposure. Raises NotRunningError."""
    status = read_snapshot(found)
    if status is None or supervisor(found) is None:
        raise NotRunningError(f"{found.name} is not running", "start it with: exposer up")
    return status
