"""Which exposure a command is about, whether it runs, and what its supervisor last said."""

import json
import re
from typing import Any

from exposer.config.find import locate
from exposer.errors import ExposerError, NotRunningError
from exposer.files import NotPrivateError, Places, check_private, read_private
from exposer.procs import Entry, Ledger

MOST = 256 * 1024
NAME = "[a-z0-9][a-z0-9-]{0,30}"
PLAIN = rf"""^name[ \t]*=[ \t]*(["'])({NAME})\1[ \t]*(?:#.*)?$"""


def places(file: str | None) -> Places:
    """The places of the exposure whose config is at hand. Raises ConfigError.

    Only the name is read here: a status must also be had while the rest of the config is being edited.
    """
    path = locate(file)
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


def _name(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(MOST)
        name = name_at_a_glance(text) or _parsed(text).get("name")
        if isinstance(name, str) and re.fullmatch(NAME, name):
            return name
    except (OSError, ValueError):
        pass
    from pathlib import Path

    from exposer.config.load import load

    return load(Path(path)).name


def name_at_a_glance(text: str) -> str:
    """The name when it stands plainly above the first table, else "". No parser is loaded for it."""
    top = re.split(r"^[ \t]*\[", text, maxsplit=1, flags=re.MULTILINE)[0]
    found = [name for _, name in re.findall(PLAIN, top, re.MULTILINE)]
    return str(found[0]) if len(found) == 1 and not re.search("\"{3}|'{3}", top) else ""


def _parsed(text: str) -> dict[str, Any]:
    import tomllib

    return tomllib.loads(text)


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
