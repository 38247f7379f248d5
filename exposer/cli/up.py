"""`exposer up`: bring it online, here in the foreground or detached."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exposer import procs
from exposer.cli import failure, incidents
from exposer.cli.background import Background
from exposer.cli.down import clear, take_down
from exposer.cli.find import not_private, own_status, supervisor, supervisor_lock
from exposer.cli.first_key import FirstKey
from exposer.cli.show import answer, duration, interactive, note, print_error, settings
from exposer.cli.steps import Follow, Shown
from exposer.cli.summary import as_json, as_text, intentions
from exposer.cli.timebox import time_box
from exposer.errors import ExposerError, LockedError, of_system
from exposer.files import FileLock, NotPrivateError, Places
from exposer.procs import Entry, ProcessId
from exposer.supervisor.timebox import FOREVER, TimeBox

if TYPE_CHECKING:
    from exposer.config.model import Config

PATIENCE = ((signal.SIGTERM, 45.0), (signal.SIGKILL, 5.0))
CONTAINERS = ("image", "build", "container")
WITHOUT = "to go on without it now, with the calls that schema.include names: exposer up --without-document"


@click.command()
@click.option("-d", "--detach", is_flag=True, help="Return when it is online; it goes on in the background.")
@click.option("--tunnel", metavar="NAME", help="Use this provider instead of the configured one.")
@click.option("--timeout", default="120s", show_default=True, metavar="TIME", help="Give up when not online by then.")
@click.option("--without-document", is_flag=True, help="Go on without the backend's OpenAPI document.")
@time_box
@click.option("--dry-run", is_flag=True, help="Say what it would do; start nothing.")
@click.option("--supervise", is_flag=True, hidden=True, help="Be the background process of --detach.")
def up(
    detach: bool,
    tunnel: str | None,
    timeout: str,
    without_document: bool,
    dry_run: bool,
    supervise: bool,
    box: TimeBox,
) -> int:
    """Bring the exposure online."""
    from exposer.config.load import find_config

    job = Job(find_config(settings().file), tunnel, without_document, timeout)
    job.box = box
    if dry_run:
        answer(*intentions(job.config))
        return 0
    job.prepare()
    try:
        if supervise:
            return job.supervise()
        return job.detach() if detach else job.foreground()
    except ExposerError as error:
        if error.code != "document" or without_document or supervise:
            raise
        if interactive():
            print_error(error, False)
            if click.confirm("Go on without a document? Only calls named in schema.include are published.", err=True):
                words = {"lasts": "", "until": "", "idle": "", "word": box.to_word()}
                again = {"detach": detach, "tunnel": tunnel, "timeout": timeout, "without_document": True, **words}
                return up.callback(dry_run=False, supervise=False, **again)  # type: ignore[misc,no-any-return]
            return error.exit_code
        error.hint = f"{error.hint}\n{WITHOUT}".strip()
        raise


class Job:
    """One call of `up`."""

    def __init__(self, path: Path, tunnel: str | None, without_document: bool, timeout: str) -> None:
        self.path = path
        self.tunnel = tunnel
        self.without_document = without_document
        self.timeout_text = timeout
        self.timeout = duration(timeout, "--timeout")
        self.box = FOREVER
        self.config = self.load()
        self.places = Places(self.config.name)
        self.begun = time.monotonic()

    def load(self) -> "Config":
        from exposer.config.load import load, with_provider

        config = load(self.path)
        return with_provider(config, self.tunnel) if self.tunnel else config

    def prepare(self) -> None:
        if self.places.locked():
            raise LockedError(
                f"{self.config.name} is locked by a panic", "see what happened and lift the lock with: exposer unlock"
            )
        try:
            self.places.prepare()
        except NotPrivateError as error:
            raise not_private(error) from error
        except OSError as error:
            told = of_system(error)
            told.hint = told.hint or "choose another place with EXPOSER_STATE_DIR and EXPOSER_RUNTIME_DIR"
            raise told from error
        for text in self.config.notes:
            note(f"note: {text}")

    def foreground(self) -> int:
        starting = self._alone()
        try:
            return self._run(starting)
        finally:
            starting.release()

    def supervise(self) -> int:
        """The background process: its events go to the journal and to its log file."""
        try:
            return self._run(None)
        except (ExposerError, OSError) as error:
            failure.leave(self.places, error if isinstance(error, ExposerError) else of_system(error))
            raise

    def _run(self, starting: FileLock | None) -> int:
        """Is the supervisor until the end. `starting` is held, and a first key made, where a person looks on."""
        from exposer.cli.assemble import assemble

        lock = supervisor_lock(self.places)
        if not lock.acquire(wait=False):
            raise self._running()
        first: FirstKey | None = None
        was_online = False

        def on_online(status: dict[str, Any]) -> None:
            nonlocal was_online
            was_online = True
            if starting is not None and first is not None:
                self._announce(status, first)
                starting.release()

        try:
            failure.forget(self.places)
            first = FirstKey(self.places) if starting is not None else None
            daemon = assemble(self.places, self.load, Shown(self.begun), without_document=self.without_document)
            daemon.again = self._argv("--detach", "--json", "--quiet")
            incidents.look_back(self.places, daemon.loop.note)
            daemon.on_online = on_online  # type: ignore[assignment]
            daemon.hangup_ends = starting is not None
            daemon.guarding.box = self.box
            daemon.guarding.argv = () if starting is not None else tuple(self._argv("--supervise")[3:])
            outcome = daemon.run(lambda: time.monotonic() > self.begun + self.timeout)
        finally:
            if first is not None and not was_online:
                first.take_back()
            if not self.places.locked():
                clear(self.places)
            lock.release()
        if outcome.failure is not None:
            raise failure.as_error(outcome.failure)
        if starting is not None:
            note(f"{self.config.name} is offline; nothing is left running")
        return 0 if was_online else 130

    def detach(self) -> int:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        starting = self._alone()
        try:
            entry = supervisor(self.places)
            status = own_status(self.places, entry)
            if entry is not None and status is not None and status["phase"] not in ("offline", "starting"):
                return self._already(status)
            self._start(entry.process if entry is not None else None)
        except BaseException:
            if supervisor(self.places) is None and not self.places.locked():
                clear(self.places)
            raise
        finally:
            starting.release()
        return 0

    def _start(self, running: ProcessId | None) -> None:
        from exposer.cli.force import bring_into_force

        background = self._background()
        if running is None:
            background.make_ready(self.config.backend.kind in CONTAINERS)
        try:
            first = FirstKey(self.places)
        except BaseException:
            background.give_up()
            raise
        try:
            status = self._wait(running, background)
            if running is not None and first.clear is not None:  # it began with another key
                bring_into_force(self.places, first.clear.reveal(), first.id)
        except BaseException:
            first.take_back()
            raise
        self._announce(status, first)

    def _alone(self) -> FileLock:
        """Two at once would each make a first key, and only one of them would be the right one."""
        lock = FileLock(os.path.join(self.places.state, "starting.lock"))
        if not lock.acquire(wait=False):
            if supervisor(self.places) is not None:
                raise self._running()
            raise _running(
                f"another `exposer up` is starting {self.config.name} just now", "wait for it: exposer wait --online"
            )
        return lock

    def _already(self, status: dict[str, Any]) -> int:
        """It runs. When the one who started it never got to see the first key, there is another now."""
        from exposer.cli.force import bring_into_force

        if status["phase"] != "online":
            raise self._running()
        pid, url = status["supervisor"]["pid"], status["public_url"]
        text = f"{self.config.name} is running already (pid {pid}), online at {url}"
        first = FirstKey(self.places, only_unseen=True)
        if first.clear is None:
            answer(text, as_json(status, None))
            return 0
        bring_into_force(self.places, first.clear.reveal(), first.id)
        note(text)
        self._announce(status, first)
        return 0

    def _wait(self, child: ProcessId | None, background: Background) -> dict[str, Any]:
        """Starts the supervisor, or joins one that is starting, until it is online. Else nothing of it is left."""
        try:
            failure.forget(self.places)
            follow = Follow(self.places, Shown(self.begun))
            child = child or background.begin()
        finally:
            background.give_up()
        entry = Entry("supervisor", child)
        status: dict[str, Any] | None = None

        def settled() -> bool:
            nonlocal status
            follow.read()
            status = own_status(self.places, entry)
            procs.reap()
            return (status is not None and status["phase"] == "online") or not child.alive()

        try:
            reached = procs.wait_until(settled, self.timeout + 60)
            if reached and child.alive() and status is not None:
                return status
            raise background.why_not(child)
        except BaseException as error:
            self._undo(child, error)
            raise
        finally:
            follow.close()

    def _background(self) -> Background:
        return Background(self.places, self._argv("--supervise")[3:])

    def _argv(self, *more: str) -> list[str]:
        argv = [sys.executable, "-m", "exposer", "--file", str(self.path)]
        argv += ["up", *more, "--timeout", self.timeout_text, "--box", self.box.to_word()]
        argv += ["--tunnel", self.tunnel] if self.tunnel else []
        return argv + (["--without-document"] if self.without_document else [])

    def _undo(self, child: ProcessId, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt):
            note("interrupted; taking down what was started")
        procs.stop(child, PATIENCE)
        if self.places.locked() or getattr(error, "code", "") == "running":
            return  # the panic has cut it and decided on the backend; or it is another one's
        try:
            take_down(self.places)
        except (ExposerError, OSError) as trouble:
            told = trouble if isinstance(trouble, ExposerError) else of_system(trouble)
            note(f"warning: {told.message}; try again: exposer down")

    def _announce(self, status: dict[str, Any], first: FirstKey) -> None:
        took = time.monotonic() - self.begun
        answer(as_text(status, first, self.config, took), as_json(status, first))
        sys.stdout.flush()
        first.shown()

    def _running(self) -> ExposerError:
        entry = supervisor(self.places)
        status = own_status(self.places, entry) or {}
        if entry is None or entry.process is None:
            return _running(
                f"{self.config.name} is running or just starting",
                "see it with: exposer status; if that says offline, it was started with another "
                "EXPOSER_RUNTIME_DIR or XDG_RUNTIME_DIR",
            )
        where = f", {status.get('phase')} at {status['public_url']}" if status.get("public_url") else ""
        return _running(
            f"{self.config.name} is running already (pid {entry.process.pid}){where}",
            "see it with: exposer status, end it with: exposer down",
        )


def _running(message: str, hint: str) -> ExposerError:
    error = ExposerError(message, hint)
    error.code = "running"
    return error


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
