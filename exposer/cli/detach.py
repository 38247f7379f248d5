"""`exposer up --detach`: the one who begins the background process and waits until it is online."""

import signal
from typing import Any

from exposer import procs
from exposer.cli import failure
from exposer.cli.alone import alone, await_turn, running
from exposer.cli.background import Background
from exposer.cli.down import acquired, clear, take_down
from exposer.cli.find import own_status, supervisor, supervisor_lock
from exposer.cli.first_key import FirstKey
from exposer.cli.interrupt import as_ctrl_c
from exposer.cli.show import answer, note
from exposer.cli.steps import Follow, Shown
from exposer.cli.summary import announce, as_json
from exposer.cli.wish import Wish
from exposer.errors import ExposerError, of_system
from exposer.files import FileLock
from exposer.procs import Entry, ProcessId

SEEN = 30.0  # a gateway that runs already may have to take the first key over
PATIENCE = ((signal.SIGTERM, 45.0), (signal.SIGKILL, 5.0))


class Detached:
    """`background` is ready; it is begun here, or never."""

    def __init__(self, wish: Wish, background: Background) -> None:
        self._wish = wish
        self._places = wish.places
        self._background = background

    def run(self) -> int:
        with as_ctrl_c():
            starting = alone(self._places)
            try:
                return self._take_turn(starting)
            finally:
                starting.release()

    def _take_turn(self, starting: FileLock) -> int:
        """The supervisor's lock is ours until the one that we begin is on record."""
        turn = supervisor_lock(self._places)
        try:
            entry = await_turn(self._places, turn, starting, self._wish.timeout)
            status = own_status(self._places, entry)
            if entry is not None and status is not None and status["phase"] != "starting":
                return self._already(status)
            self._start(turn, entry.process if entry is not None else None)
        except BaseException:
            if acquired(turn) and supervisor(self._places) is None and not self._places.locked():
                clear(self._places)
            raise
        finally:
            turn.release()
        return 0

    def _start(self, turn: FileLock, child: ProcessId | None) -> None:
        """`child` is a supervisor that is starting already."""
        from exposer.cli.force import bring_into_force, known

        if child is not None:
            self._background.give_up()
        first = FirstKey(self._places)
        try:
            status = self._wait(turn, child)
            if child is not None and first.clear is not None:  # it began with another key
                bring_into_force(self._places, first.clear.reveal(), first.id)
            if first.clear is not None and not known(self._places, first.id, SEEN):
                note("warning: the gateway does not know the key yet; see: exposer status")
        except BaseException:
            first.take_back()
            raise
        announce(self._wish, status, first)

    def _already(self, status: dict[str, Any]) -> int:
        """It runs. When the one who started it never got to see the first key, there is another now."""
        from exposer.cli.force import bring_into_force

        if status["phase"] != "online":
            raise running(self._places)
        pid, url = status["supervisor"]["pid"], status["public_url"]
        text = f"{self._places.name} is running already (pid {pid}), online at {url}"
        first = FirstKey(self._places, only_unseen=True)
        if first.clear is None:
            answer(text, as_json(status, None))
            return 0
        bring_into_force(self._places, first.clear.reveal(), first.id)
        note(text)
        announce(self._wish, status, first)
        return 0

    def _wait(self, turn: FileLock, child: ProcessId | None) -> dict[str, Any]:
        """Starts the supervisor, or joins one that is starting, until it is online. Else nothing of it is left."""
        failure.forget(self._places)
        follow = Follow(self._places, Shown(self._wish.begun))
        child = child or self._background.begin(turn)
        entry = Entry("supervisor", child)
        status: dict[str, Any] | None = None

        def settled() -> bool:
            nonlocal status
            follow.read()
            status = own_status(self._places, entry)
            procs.reap()
            return (status is not None and status["phase"] == "online") or not child.alive()

        try:
            reached = procs.wait_until(settled, self._wish.timeout + 60)
            if reached and child.alive() and status is not None:
                return status
            raise self._background.why_not(child)
        except BaseException as error:
            self._undo(child, error)
            raise
        finally:
            follow.close()

    def _undo(self, child: ProcessId, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt):
            note("interrupted; taking down what was started")
        procs.stop(child, PATIENCE)
        if self._places.locked() or getattr(error, "code", "") == "running":
            return  # the panic has cut it and decided on the backend; or it is another one's
        try:
            take_down(self._places)
        except (ExposerError, OSError) as trouble:
            told = trouble if isinstance(trouble, ExposerError) else of_system(trouble)
            note(f"warning: {told.message}; try again: exposer down")
