"""`exposer down`: drain, take everything down, leave nothing behind."""

import shutil
from pathlib import Path

import click

from exposer import procs
from exposer.cli.find import places, supervisor
from exposer.cli.show import answer, interactive, note, settings
from exposer.control.client import ask
from exposer.errors import NotRunningError, TimeoutExceededError, UsageError
from exposer.files import Places

PATIENCE = 60.0


@click.command()
@click.option("--purge", is_flag=True, help="Also remove keys, journal and everything else that is kept.")
@click.option("--yes", is_flag=True, help="Do not ask before --purge.")
def down(purge: bool, yes: bool) -> None:
    """Take the exposure offline and leave nothing behind."""
    found = places(settings().file)
    if purge and not yes:
        if not interactive():
            raise UsageError("--purge asks before it removes keys and journal", "without a terminal add --yes")
        click.confirm(f"Remove all keys and the whole journal of {found.name}?", abort=True, err=True)
    was_running = take_down(found)
    if purge:
        if found.locked():
            raise UsageError(
                f"{found.name} is locked by a panic; its records stay", "lift the lock first: exposer unlock"
            )
        shutil.rmtree(found.state, ignore_errors=True)
    text = "offline" if was_running else "was offline already"
    answer(
        f"{found.name}: {text}",
        {"schema": 1, "name": found.name, "phase": "offline", "was_running": was_running},
    )


def take_down(found: Places) -> bool:
    """Asks the supervisor; where there is none, or it hangs, ends by hand what the ledger and the labels name."""
    entry = supervisor(found)
    if entry is not None and entry.process is not None:
        process = entry.process
        try:
            ask(found.control, "down")
        except NotRunningError:
            note("the supervisor does not answer on its socket; it is asked by signal")
            procs.stop(process, ((15, 5.0), (9, 5.0)))
        if not procs.wait_until(lambda: not process.alive(), PATIENCE, every=0.02):
            procs.stop(process, ((9, 5.0),))
            if process.alive():
                raise TimeoutExceededError(f"the supervisor (pid {process.pid}) does not end", "try: exposer panic")
    from exposer.sweep import sweep

    swept = sweep(found)
    for what in swept:
        note(f"ended {what}")
    runtime = Path(found.runtime)
    if runtime.is_dir():
        shutil.rmtree(runtime, ignore_errors=True)
    return entry is not None or bool(swept)
