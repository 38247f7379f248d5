"""`exposer unlock`: the only way out of a panic."""

from pathlib import Path

import click

from exposer import files
from exposer.cli import incidents
from exposer.cli.find import places
from exposer.cli.ring import ring_store
from exposer.cli.show import answer, interactive, note, settings
from exposer.errors import ExposerError, LockedError, UsageError
from exposer.files import Places


@click.command()
@click.option("--yes", "name_given", metavar="NAME", help="The exposure's name, in place of the question.")
def unlock(name_given: str | None) -> None:
    """Show the incident report, ask, and lift the lock; every old key stays revoked."""
    found = places(settings().file)
    if not found.locked():
        answer(f"{found.name} is not locked", {"schema": 1, "name": found.name, "unlocked": False})
        return
    seen = found.lock_stamp()
    report = last_report(found)
    if report:
        note(_text(report))
    _confirm(found.name, name_given)
    revoked = lift(found, seen)
    text = f"{found.name} is unlocked; {revoked} old keys stay revoked. Come back with: exposer up"
    answer(text, {"schema": 1, "name": found.name, "unlocked": True, "revoked": revoked, "report": str(report or "")})


def _confirm(name: str, given: str | None) -> None:
    if given is None and not interactive():
        raise UsageError(
            "unlock asks for the exposure's name", f"without a terminal say it: exposer unlock --yes {name}"
        )
    said = (
        given if given is not None else click.prompt(f"To lift the lock, type the exposure's name ({name})", err=True)
    )
    if said.strip() != name:
        raise UsageError(f"that is not its name: {said!r}; the lock stays")


def last_report(found: Places) -> Path | None:
    """The newest incident report, if there is one."""
    folder = Path(found.state, "incidents")
    return max(folder.glob("*.md"), default=None) if folder.is_dir() else None


def _text(report: Path) -> str:
    try:
        return files.read_private(str(report)).decode(errors="replace")
    except OSError as error:
        return f"warning: {report} cannot be read: {error.strerror}"


def lift(found: Places, seen: tuple[int, ...]) -> int:
    """Revokes every key first, lifts the lock last; returns how many keys the ring holds, all of them revoked.

    Raises LockedError when somebody has panicked since the lock was `seen`: that was not what was agreed to.
    """
    import shutil
    import time

    from exposer.journal import Journal
    from exposer.keys.ring import revoke_all

    found.prepare()
    aside, store = Path(found.state, "keyring.panicked"), ring_store(found)
    for path in (aside, store.path):
        if path.is_dir() and not path.is_symlink():  # a folder is no ring, and in the way of one
            shutil.rmtree(path)
    if aside.exists():
        aside.replace(store.path)
    now = time.time()
    ring_size = 0
    if store.exists():
        try:
            ring_size = store.change(lambda ring: (revoke_all(ring, now), len(ring.keys)))
        except ExposerError as error:
            note(f"warning: {error.message}; it is put aside, and the next start makes a new one")
            store.path.replace(aside)
    store.backup.unlink(missing_ok=True)  # in there they are not revoked
    if found.lock_stamp() != seen:
        raise _again(found)
    journal = Journal(Path(found.state, "journal.db"))
    try:
        journal.append("unlocked", text="the panic lock was lifted; every old key is revoked", keys=ring_size)
    finally:
        journal.close()
    if not found.lift(seen):
        raise _again(found)
    incidents.close_all(found)
    return ring_size


def _again(found: Places) -> LockedError:
    text = f"somebody has panicked, or lifted the lock, since you were asked; {found.name} is left as it is"
    return LockedError(text, "see what happened with: exposer unlock")
