"""`exposer logs`: what the parts wrote."""

import os
import time
from pathlib import Path

import click

from exposer import procs
from exposer.cli.find import places
from exposer.cli.show import answer, settings
from exposer.cli.shown import on_a_terminal
from exposer.errors import NotRunningError
from exposer.files import Places
from exposer.procs import Ledger

PARTS = ("backend", "gateway", "tunnel", "standby", "supervisor", "guard", "hooks")


@click.command()
@click.argument("part", type=click.Choice(PARTS), required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on as more is written.")
@click.option("-n", "--lines", default=100, show_default=True, type=click.IntRange(0), help="How many lines at most.")
def logs(part: str | None, follow: bool, lines: int) -> None:
    """Show what PART wrote: backend, gateway, tunnel, standby, supervisor, guard or hooks (default: all, in turn)."""
    found = places(settings().file)
    parts = (part,) if part else PARTS
    texts = {name: None if (text := tail(found, name, lines)) is None else on_a_terminal(text) for name in parts}
    if all(text is None for text in texts.values()):
        raise NotRunningError(f"{found.name} has not written anything yet", "start it with: exposer up")
    data = {"schema": 1, "logs": {name: (text or "").splitlines() for name, text in texts.items()}}
    if part:
        answer((texts[part] or "").rstrip("\n"), data)
    else:
        answer("\n".join(f"==> {name} <==\n{text.rstrip()}\n" for name, text in texts.items() if text), data)
    if follow:
        _follow(found, parts)


def log_file(found: Places, part: str) -> Path:
    """Where a part writes to, when it writes to a file."""
    return {
        "backend": Path(found.logs, "backend.log"),
        "gateway": Path(found.runtime, "gateway", "error.log"),
        "tunnel": Path(found.runtime, "tunnel.log"),
        "standby": Path(found.runtime, "standby", "standby.log"),
        "supervisor": Path(found.logs, "supervisor.log"),
        "guard": Path(found.logs, "guard.log"),
        "hooks": Path(found.logs, "hooks.log"),
    }[part]


def tail(found: Places, part: str, lines: int) -> str | None:
    """The last lines of a part's log; None when there is none."""
    container = _container(found) if part == "backend" else None
    if container:
        from exposer.engine.client import open_engine

        with open_engine() as client:
            text = client.containers.get(container).logs(tail=lines)
        return str(text.decode(errors="replace"))
    try:
        data = log_file(found, part).read_bytes()
    except OSError:
        return None
    return b"\n".join(data.splitlines()[-lines:] if lines else []).decode(errors="replace") + "\n"


def _container(found: Places) -> str | None:
    for entry in Ledger(found.ledger).entries():
        if entry.role == "backend" and "container" in entry.ids:
            return entry.ids["container"]
    return None


def _follow(found: Places, parts: tuple[str, ...]) -> None:
    container = _container(found)
    if parts == ("backend",) and container:
        from exposer.engine.client import open_engine

        with open_engine() as client:
            for chunk in client.containers.get(container).logs(stream=True, follow=True, since=int(time.time())):
                click.echo(on_a_terminal(chunk.decode(errors="replace")), nl=False)
        return
    positions = {path: _size(path) for path in (log_file(found, part) for part in parts)}
    while True:
        for path, position in positions.items():
            size = _size(path)
            if size > position:
                with path.open("rb") as file:
                    file.seek(position)
                    click.echo(on_a_terminal(file.read(size - position).decode(errors="replace")), nl=False)
            positions[path] = size
        procs.pause(0.25)


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except OSError:
        return 0
