"""Which exposure a command is about, whether it runs, and what its supervisor last said."""

# ruff: noqa: PTH114
# pathlib would cost every `exposer status` 4 ms

import json
import os
import re
import stat
from typing import Any

from exposer.cli.show import note
from exposer.config.find import locate
from exposer.errors import ExposerError, NotRunningError
from exposer.files import FileLock, NotPrivateError, Places, check_private, read_private
from exposer.procs import Entry, Ledger

MOST = 256 * 1024
NAME = "[a-z0-9][a-z0-9-]{0,30}"
PLAIN = rf"""^name[ \t]*=[ \t]*(["'])({NAME})\1[ \t]*(?:#.*)?$"""


def places(file: str | None, *, lenient: bool = False) -> Places:
    """The places of the exposure whose config is at hand. Raises ConfigError.

    Only the name is read here: a status must also be had while the rest of the config is being edited. `lenient` is
    for what only looks or takes down: that others can read, but not write, in there then is only said.
    """
    path = locate(file)
    found = Places(_name(path))
    for folder in (found.state, found.runtime):
        try:
            check_private(folder)
        except FileNotFoundError:
            continue
        except NotPrivateError as error:
            wrong = not_private(error)
            if not lenient or not _only_readable(folder):
                raise wrong from error
            note(f"warning: {wrong.message}; {wrong.hint}")
    return found


def not_private(error: NotPrivateError) -> ExposerError:
    """A folder that is not ours alone, as an error with a next step."""
    elsewhere = "choose another place with EXPOSER_STATE_DIR and EXPOSER_RUNTIME_DIR"
    message, hint = str(error), f"if it is yours, close it: chmod 700 {error.path}"
    if error.why == "is not a folder":
        message = f"{error.path} is a symlink, not a folder" if os.path.islink(error.path) else message
        hint = f"move it away (exposer makes the folder itself), or {elsewhere}"
    elif error.why.startswith("belongs to"):
        hint = f"be that user, or {elsewhere}"
    wrong = ExposerError(message, hint)
    wrong.code = "not-private"
    return wrong


def _only_readable(folder: str) -> bool:
    info = os.lstat(folder)
    return stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid() and not info.st_mode & 0o022


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


def supervisor_lock(found: Places) -> FileLock:
    """Who holds it is the supervisor, or sweeps up after one. It lies with the state, as there is one state only."""
    return FileLock(os.path.join(found.state, "supervisor.lock"))


def ending_lock(found: Places) -> FileLock:
    """Who holds it is taking the exposure down. An `up` that comes later must not get in between, to be ended too."""
    return FileLock(os.path.join(found.state, "ending.lock"))


def leftovers(found: Places) -> list[Entry]:
    """What runs on although there is no supervisor."""
    entries = Ledger(found.ledger).entries()
    return [e for e in entries if e.role != "guard" and e.process is not None and e.process.alive()]


def read_snapshot(found: Places) -> dict[str, Any] | None:
    """The status that the supervisor last wrote, if there is one."""
    try:
        data = json.loads(read_private(found.snapshot))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def own_status(found: Places, entry: Entry | None) -> dict[str, Any] | None:
    """The status that this very supervisor has written, or says when it cannot write; None while it has none yet."""
    if entry is None or entry.process is None:
        return None
    status = read_snapshot(found) or _said(found)
    return status if status and (status.get("supervisor") or {}).get("pid") == entry.process.pid else None


def _said(found: Places) -> dict[str, Any] | None:
    from exposer.control.client import ask

    try:
        status = ask(found.control, "status", timeout=2.0).get("status")
    except NotRunningError:
        return None
    return status if isinstance(status, dict) else None


def running_status(found: Places) -> dict[str, Any]:
    """The status of a running exposure. Raises NotRunningError."""
    entry = supervisor(found)
    status = read_snapshot(found) or own_status(found, entry)
    if status is None or entry is None:
        raise NotRunningError(f"{found.name} is not running", "start it with: exposer up")
    return status
