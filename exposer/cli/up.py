"""`exposer up`: bring it online, here in the foreground or detached."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exposer import procs
from exposer.cli.find import not_private, read_snapshot, supervisor
from exposer.cli.first_key import FirstKey
from exposer.cli.show import answer, interactive, note, settings
from exposer.cli.summary import as_json, as_text
from exposer.errors import ExposerError, LockedError, TimeoutExceededError
from exposer.files import FileLock, NotPrivateError, Places

if TYPE_CHECKING:
    from exposer.config.model import Config

STEPS = {
    "started",
    "adopted",
    "progress",
    "document",
    "refused",
    "failed",
    "gone",
    "unwell",
    "well",
    "reloaded",
}
STEPS |= {"address", "address-changed", "config-broken", "checked", "journal", "status"}


@click.command()
@click.option("-d", "--detach", is_flag=True, help="Return when it is online; it goes on in the background.")
@click.option("--tunnel", metavar="NAME", help="Use this provider instead of the configured one.")
@click.option("--timeout", default="120s", show_default=True, metavar="TIME", help="Give up when not online by then.")
@click.option("--without-document", is_flag=True, help="Go on without the backend's OpenAPI document.")
@click.option("--dry-run", is_flag=True, help="Say what it would do; start nothing.")
@click.option("--supervise", is_flag=True, hidden=True, help="Be the background process of --detach.")
def up(detach: bool, tunnel: str | None, timeout: str, without_document: bool, dry_run: bool, supervise: bool) -> int:
    """Bring the exposure online."""
    from exposer.config.load import find_config

    job = Job(find_config(settings().file), tunnel, without_document, timeout)
    if dry_run:
        return job.dry_run()
    job.prepare()
    try:
        if supervise:
            return job.supervise()
        return job.detach() if detach else job.foreground()
    except ExposerError as error:
        if error.code == "document" and not without_document and interactive():
            from exposer.cli.show import print_error

            print_error(error, False)
            if click.confirm("Go on without a document? Only calls named in schema.include are published.", err=True):
                return up.callback(detach, tunnel, timeout, True, False, False)  # type: ignore[misc,no-any-return]
        raise


class Job:
    """One call of `up`."""

    def __init__(self, path: Path, tunnel: str | None, without_document: bool, timeout: str) -> None:
        from exposer.config.units import parse_duration

        self.path = path
        self.tunnel = tunnel
        self.without_document = without_document
        self.timeout_text = timeout
        try:
            self.timeout = parse_duration(timeout)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--timeout") from error
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
                f"{self.config.name} is locked by a panic",
                "see what happened and lift the lock with: exposer unlock",
            )
        try:
            self.places.prepare()
        except NotPrivateError as error:
            raise not_private(error) from error
        except OSError as error:
            raise ExposerError(
                f"{error.filename}: {error.strerror}", "make room, or choose EXPOSER_STATE_DIR"
            ) from error
        for text in self.config.notes:
            note(f"note: {text}")

    def dry_run(self) -> int:
        config = self.config
        what = {"backend": config.backend.kind, "engine": config.engine, "tunnel": config.tunnel.provider}
        steps = [
            f"run the backend ({config.backend.kind}) and wait until it is healthy",
            f"read its document ({config.backend.openapi or 'none'}), publish {', '.join(config.schema.methods)} calls",
            f"start the gateway ({config.engine}) and see it refuse a call without a key",
            f"open the tunnel ({config.tunnel.provider}) and ask its address from outside",
        ]
        answer(
            "\n".join(f"{n}. {step}" for n, step in enumerate(steps, 1)),
            {"schema": 1, "name": config.name} | what,
        )
        return 0

    def foreground(self) -> int:
        return self._run(lambda status, first: None, shown=_Shown(self.begun))

    def supervise(self) -> int:
        """The background process: its events go to the journal and to its log file."""
        try:
            return self._run(lambda status, first: None, shown=_Shown(self.begun), quiet=True)
        except ExposerError as error:
            if error.code != "running":
                _leave_failure(self.places, error)
            raise

    def _run(self, online: Callable[..., None], shown: "_Shown", quiet: bool = False) -> int:
        from exposer.cli.assemble import assemble

        lock = FileLock(os.path.join(self.places.runtime, "supervisor.lock"))
        if not lock.acquire(wait=False):
            raise self._running()
        Path(self.places.failure).unlink(missing_ok=True)
        first = FirstKey(self.places) if not quiet else None
        daemon = assemble(self.places, self.load, shown, without_document=self.without_document)
        was_online = False

        def on_online(status: dict[str, Any]) -> None:
            nonlocal was_online
            was_online = True
            if first is not None:
                self._announce(status, first)

        daemon.on_online = on_online  # type: ignore[assignment]
        deadline = self.begun + self.timeout
        try:
            outcome = daemon.run(lambda: time.monotonic() > deadline)
        finally:
            if first is not None and not was_online:
                first.take_back()
            lock.release()
        if outcome.failure is not None:
            raise _as_error(_fields(outcome.failure))
        if not quiet:
            note(f"{self.config.name} is offline; nothing is left running")
        return 0 if was_online else 130

    def detach(self) -> int:
        if (entry := supervisor(self.places)) is not None:
            status = read_snapshot(self.places)
            if status and status["phase"] == "online":
                pid = entry.process.pid if entry.process else 0
                text = f"{self.config.name} is running already (pid {pid}), online at {status['public_url']}"
                answer(text, as_json(status, None))
                return 0
            raise self._running()
        first = FirstKey(self.places)
        try:
            status = self._start_and_wait()
        except BaseException:
            first.take_back()
            raise
        self._announce(status, first)
        return 0

    def _start_and_wait(self) -> dict[str, Any]:
        Path(self.places.failure).unlink(missing_ok=True)
        argv = [
            sys.executable,
            "-m",
            "exposer",
            "--file",
            str(self.path),
            "up",
            "--supervise",
            "--timeout",
            self.timeout_text,
        ]
        argv += ["--tunnel", self.tunnel] if self.tunnel else []
        argv += ["--without-document"] if self.without_document else []
        log = os.path.join(self.places.logs, "supervisor.log")
        child = procs.spawn(argv, log=log, record=lambda identity: None, env=dict(os.environ))
        follow = _Follow(self.places, _Shown(self.begun))
        status: dict[str, Any] | None = None

        def settled() -> bool:
            nonlocal status
            follow.read()
            status = read_snapshot(self.places)
            online = status is not None and status["phase"] == "online" and status["supervisor"]["pid"] == child.pid
            procs.reap()
            return online or not child.alive()

        try:
            reached = procs.wait_until(settled, self.timeout + 60, every=0.02)
        except KeyboardInterrupt:
            note("interrupted; taking down what was started")
            procs.stop(child, ((15, 45.0), (9, 5.0)))
            raise
        if reached and child.alive() and status is not None:
            return status
        raise self._why_not(log)

    def _why_not(self, log: str) -> ExposerError:
        try:
            failure = json.loads(Path(self.places.failure).read_bytes())
            return _as_error(failure)
        except (OSError, ValueError):
            pass
        last = Path(log).read_text(errors="replace").splitlines()[-5:] if Path(log).exists() else []
        return ExposerError(
            "the supervisor ended before it was online", "\n".join([*last, "see: exposer logs supervisor"])
        )

    def _announce(self, status: dict[str, Any], first: FirstKey) -> None:
        took = time.monotonic() - self.begun
        answer(as_text(status, first, self.config, took), as_json(status, first))
        first.shown()
        sys.stdout.flush()

    def _running(self) -> ExposerError:
        entry = supervisor(self.places)
        status = read_snapshot(self.places) or {}
        where = f", {status.get('phase')} at {status['public_url']}" if status.get("public_url") else ""
        pid = f" (pid {entry.process.pid})" if entry and entry.process else ""
        error = ExposerError(
            f"{self.config.name} is running already{pid}{where}",
            "see it with: exposer status, end it with: exposer down",
        )
        error.code = "running"
        return error


class _Shown:
    """Shows each step with the time since the start."""

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.verbose = settings().verbose
        self.quiet = settings().quiet

    def __call__(self, kind: str, text: str) -> None:
        """May be called from any thread, so the settings were read before."""
        if not self.quiet and (self.verbose or kind in STEPS):
            print(f"{time.monotonic() - self.begun:7.1f} s  {text}", file=sys.stderr, flush=True)


class _Follow:
    """Shows what the background process journals."""

    def __init__(self, places: Places, shown: _Shown) -> None:
        from exposer.journal import Journal

        self._journal = Journal(Path(places.state, "journal.db"))
        self._at = self._journal.head()
        self._shown = shown

    def read(self) -> None:
        for event in self._journal.events(self._at):
            self._at = event.seq
            self._shown(event.kind, str(event.data.get("text", "")))


def _fields(failure: Any) -> dict[str, Any]:
    return {"code": failure.code, "message": failure.error, "hint": failure.hint, "exit": failure.exit_code}


def _as_error(failure: dict[str, Any]) -> ExposerError:
    error = TimeoutExceededError(failure["message"], failure["hint"])
    error.code, error.exit_code = str(failure["code"]), int(failure["exit"])
    return error


def _leave_failure(places: Places, error: ExposerError) -> None:
    """Where the waiting foreground process finds why."""
    from exposer import files

    data = {"code": error.code, "message": error.message, "hint": error.hint, "exit": error.exit_code}
    try:
        files.swap(places.failure, json.dumps(data).encode())
    except OSError:
        return
