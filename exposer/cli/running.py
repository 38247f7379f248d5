"""Being the supervisor of an exposure: in the foreground, or as the background process of `up --detach`."""

import time
from typing import TYPE_CHECKING, Any

from exposer.cli.alone import alone, await_turn, running
from exposer.cli.find import supervisor_lock
from exposer.cli.interrupt import as_ctrl_c, undisturbed
from exposer.cli.show import note
from exposer.cli.wish import Wish
from exposer.errors import ExposerError, of_system
from exposer.files import FileLock
from exposer.procs import Ledger
from exposer.supervisor.ledger import GuardedLedger

if TYPE_CHECKING:
    from exposer.backends.early import Early
    from exposer.cli.first_key import FirstKey
    from exposer.supervisor.daemon import Daemon

NEW = ("backend", "link", "network")  # what a backend in a container has on record: it runs, or is to be cleared


def foreground(wish: Wish) -> int:
    """Until it is offline, before a person's eyes."""
    starting = alone(wish.places)
    try:
        return _run(wish, starting)
    finally:
        starting.release()


def supervise(wish: Wish) -> int:
    """The background process: its events go to the journal and to its log file."""
    try:
        return _run(wish, None)
    except (ExposerError, OSError) as error:
        from exposer.cli import failure

        failure.leave(wish.places, error if isinstance(error, ExposerError) else of_system(error))
        raise


def _run(wish: Wish, starting: FileLock | None) -> int:
    """Is the supervisor until the end. `starting` is held, and a first key made, where a person looks on."""
    lock = supervisor_lock(wish.places)
    with as_ctrl_c():
        if await_turn(wish.places, lock, starting, wish.timeout) is not None:
            raise running(wish.places)
        one = _One(wish, starting)
        try:
            outcome = one.live()
        except KeyboardInterrupt:
            note("interrupted; taking down what was started")
            raise
        finally:
            with undisturbed():
                one.end()
                lock.release()
    if outcome.failure is not None:
        from exposer.cli import failure

        raise failure.as_error(outcome.failure)
    if starting is not None:
        note(f"{wish.config.name} is offline; nothing is left running")
    return 0 if one.was_online else 130


class _One:
    """One supervisor's life: its first key, what was begun before it was whole, and what is left at the end."""

    def __init__(self, wish: Wish, starting: FileLock | None) -> None:
        self._wish = wish
        self._starting = starting
        self._early: Early | None = None
        self._first: FirstKey | None = None
        self.was_online = False

    def live(self) -> Any:
        wish = self._wish
        with undisturbed():  # else it might be begun and nobody know
            self._early = _begin_early(wish)
            daemon = self._load()
        return daemon.run(lambda: time.monotonic() > wish.begun + wish.timeout)

    def _load(self) -> "Daemon":
        """Nothing may break off the loading of code: Python would keep its lock, and other threads wait for ever."""
        wish = self._wish
        from exposer.cli import failure, incidents
        from exposer.cli.assemble import assemble
        from exposer.cli.first_key import FirstKey
        from exposer.cli.steps import Shown

        failure.forget(wish.places)
        self._first = FirstKey(wish.places) if self._starting is not None else None
        daemon = assemble(wish.places, wish.load, Shown(wish.begun), without_document=wish.without_document)
        daemon.world.early = self._early
        incidents.look_back(wish.places, daemon.loop.note)
        self._equip(daemon)
        return daemon

    def end(self) -> None:
        """What was begun and not brought to its end is undone, and nothing of ours is left behind."""
        from exposer.cli.down import clear

        if self._first is not None and not self.was_online:
            self._first.take_back()
        if not self._wish.places.locked():
            if self._early is not None:
                self._early.undo()
                self._sweep()
            clear(self._wish.places)

    def _sweep(self) -> None:
        """What has been undone is still on record."""
        from exposer.sweep import sweep

        places = self._wish.places
        if all(entry.role == "supervisor" for entry in Ledger(places.ledger).entries()):
            return
        try:
            sweep(places)
        except (ExposerError, OSError) as trouble:
            told = trouble if isinstance(trouble, ExposerError) else of_system(trouble)
            note(f"warning: {told.message}; try: exposer down")

    def _equip(self, daemon: "Daemon") -> None:
        wish = self._wish
        daemon.again = wish.argv("--detach", "--json", "--quiet")
        daemon.on_online = self._on_online  # type: ignore[assignment]
        daemon.hangup_ends = self._starting is not None
        daemon.guarding.box = wish.box
        daemon.guarding.argv = () if self._starting is not None else tuple(wish.argv("--supervise")[3:])

    def _on_online(self, status: dict[str, Any]) -> None:
        self.was_online = True
        if self._starting is not None and self._first is not None:
            from exposer.cli.summary import announce

            announce(self._wish, status, self._first)
            self._starting.release()


def _begin_early(wish: Wish) -> "Early | None":
    """A new image's first steps take as long as loading the rest of the supervisor: both at once."""
    if not wish.config.backend.contained:
        return None
    from exposer import backends

    backends.warm_up()
    ledger = GuardedLedger(wish.places)
    if wish.config.backend.kind != "image" or any(entry.role in NEW for entry in ledger.entries()):
        return None
    from exposer.backends.early import Early
    from exposer.config.secrets import resolve

    return Early(backends.of_exposure(wish.config, wish.places, resolve), ledger.append)
