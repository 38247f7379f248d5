"""One exposure's supervisor process: the lock, the signals, the watches, the socket, and the loop between them."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from exposer import files, procs
from exposer.errors import ConfigError, ExposerError, LockedError, of_system
from exposer.files import Places
from exposer.guard.lease import now as awake
from exposer.journal import Journal, Request
from exposer.procs import Entry, ProcessId
from exposer.state.facts import Down, Failed, Recorded
from exposer.state.model import SCHEMA
from exposer.supervisor.exposure import Exposure
from exposer.supervisor.guarding import Guarding
from exposer.supervisor.ledger import GuardedLedger
from exposer.supervisor.loop import Loop, Show
from exposer.supervisor.orders import answer
from exposer.supervisor.ports import Rooms
from exposer.supervisor.recorder import Recorder, RecordRules
from exposer.supervisor.snapshot import snapshot
from exposer.supervisor.strays import Strays
from exposer.supervisor.tripwires import Probes, Tripwires
from exposer.supervisor.verdict import late
from exposer.supervisor.watch import Watch
from exposer.supervisor.world import World

# How long an orderly `down` may take before what is left is ended by force.
PATIENCE_DOWN = 40.0
# How long the end waits for notices that are on their way.
PATIENCE_NOTICES = 3.0
PATIENCE_ABANDON = 20.0  # what is being started notices that it was ended
STATUS_EVERY = 1.0  # what changes by the clock alone (a key's state) stands in the status after so long


class Home(Rooms, Protocol):
    """What the daemon needs of the app beside the rooms themselves."""

    lease: float
    tripwires: Collection[str]
    probes: int

    def warm_up(self) -> None:
        """Loads what the steps after the backend's start need."""

    def describe(self) -> Mapping[str, Any]:
        """For the status: backend kind, engine, provider, document source, keys."""

    def watched(self) -> tuple[list[Path], list[Path]]:
        """Files and folders whose change matters."""

    def record_rules(self) -> RecordRules:
        """What `[audit]` says."""

    def for_panic(self) -> Mapping[str, Any]:
        """What the kill switch, which reads no config, should find in the ledger."""

    def sweep(self) -> list[str]:
        """Ends and removes everything of this exposure that is still there; says what it was."""


class Server(Protocol):
    """The open control socket."""

    def close(self) -> None: ...


Answer = Callable[[Mapping[str, Any]], Mapping[str, Any]]
Serve = Callable[[str, Answer], Server]


@dataclass
class Outcome:
    """How a supervisor's life ended. `failure` is why it never came online, if so."""

    state: Exposure
    failure: Failed | None
    left: list[str]


class Daemon:
    """Runs one exposure until it is taken down. `load` reads the config anew and raises ConfigError."""

    def __init__(self, places: Places, load: Callable[[], Home], serve: Serve, show: Show, journal: Journal) -> None:
        self.places = places
        self.load = load
        self._serve = serve
        self.home = load()
        self.ledger = GuardedLedger(places)
        self.world = World(self.ledger, lambda role, text: show("progress", f"{role}: {text}"))
        self.loop = Loop(self.home, self.world, journal, show, self.home.check_every)
        self.recorder: Recorder | None = None
        self.again: Sequence[str] = ()  # the command that brings it back after a drill
        self.guarding = Guarding(places, self.ledger, self.loop.note, self.home.lease)
        self.world.admit = self.guarding.wait_until_held
        self._used = awake()
        self._probes = Probes(lambda: self.home.probes)
        self._wires = Tripwires(places, self.loop.note, lambda: self.home.tripwires)
        self.loop.noted = self._wires.noted
        self.strays = Strays(self.world.inbox.put)
        self.on_online: Callable[[Mapping[str, Any]], None] = lambda status: None
        self.hangup_ends = False  # with the terminal gone nobody looks on any more; else SIGHUP means: read the config
        self._config_changed = False
        self._watch = Watch(self._notice)
        self._last: dict[str, Any] = {}
        self._status_due = 0.0
        self._announced = False

    def run(self, deadline: Callable[[], bool] = lambda: False) -> Outcome:
        """Blocks until the exposure is offline. `deadline` says when a start has taken too long."""
        self._put_on_record()
        previous = {number: signal.signal(number, self._signalled) for number in (signal.SIGTERM, signal.SIGINT)}
        signal.signal(signal.SIGHUP, self._signalled if self.hangup_ends else lambda *_: self._notice())
        server = self._serve(self.places.control, self._answer)
        self._watch.follow(*self.home.watched())
        if self.recorder is not None:
            self.recorder.listeners += [self._hear_calls, self.strays.heard]
            self.recorder.start()
        try:
            self.guarding.begin()
            self._drive(deadline)
            self._wires.await_panic()
            self._insist_on_no_lock()
            return self._close()
        except LockedError:
            raise  # what becomes of the backend is the panic's business
        except BaseException:
            self._abandon()
            raise
        finally:
            server.close()
            self._watch.close()
            self.guarding.close()
            if self.recorder is not None:  # nginx has written out its log by now
                self.recorder.close()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _put_on_record(self) -> None:
        """With all that the kill switch, which reads no config, has to know. Raises OSError."""
        me = ProcessId.of(os.getpid())
        entry = Entry("supervisor", me, detail={**self.home.for_panic(), "again": list(self.again)})
        self.ledger.append(entry)
        newest = entry.to_line()
        self.ledger.keep(lambda other: other.role != "supervisor" or other.to_line() == newest)

    def _drive(self, deadline: Callable[[], bool]) -> None:
        stopping_since: float | None = None
        self.loop.nudge()  # the first cycle has nothing to wait for
        self.world.hold()
        threading.Thread(target=self._warm_up, name="warm-up", daemon=True).start()
        while not self.loop.finished:
            self.guarding.renew()
            self._watch_time()
            self.loop.cycle(self.loop.tick)
            if not self._announced and self.loop.state.phase == "online":
                self._announced = True  # before others can read that it is online: they may end it at once
                self.on_online(self.status())
            self._publish_snapshot()
            self._insist_on_no_lock()
            if self._config_changed:
                self._reload()
            if not self._announced and deadline():
                self.loop.stop(late(self.loop.state))
            if not self.loop.state.wanted:
                now = procs.monotonic()
                stopping_since = stopping_since or now
                if now - stopping_since > PATIENCE_DOWN:
                    return

    def _insist_on_no_lock(self) -> None:
        if self.places.locked():
            raise LockedError("a panic took this exposure offline", "see what happened with: exposer unlock")

    def _watch_time(self) -> None:
        """Ends it in good order when its time is over; the guard cuts it when this takes too long."""
        box, now, wall = self.guarding.box, awake(), time.time()
        if self.loop.state.wanted and (why := box.over(now, wall, self._used)):
            self.loop.note("expired", f"taken offline: {why}")
            self.loop.stop()
        self.loop.state.expires = box.expires(now, wall, self._used)

    def _hear_calls(self, requests: Sequence[Request]) -> None:
        """Only calls with a key count: strangers who knock keep nothing open."""
        if any(request.key for request in requests):
            self._used = awake()
        if count := self._probes.heard(requests):
            text = f"{count} different paths were tried and refused within a minute"
            self.world.inbox.put(Recorded("probed", text, data={"paths": count}))

    def _warm_up(self) -> None:
        """While the backend starts. What cannot be loaded is told by the step that needs it."""
        try:
            with suppress(Exception):
                self.home.warm_up()
        finally:
            self.world.release()
        procs.save_memory()

    def _close(self) -> Outcome:
        """What is left is ended by force, and nothing of ours stays behind."""
        self.ledger.closed = True
        left = self.home.sweep()
        self.world.close()
        self.loop.people.close(PATIENCE_NOTICES)
        for path in (self.places.ledger, self.places.snapshot):
            Path(path).unlink(missing_ok=True)
        return Outcome(self.loop.state, self.loop.state.failure, left)

    def _abandon(self) -> None:
        """Something went wrong here: nothing may run on without a supervisor, nor what was just being started."""
        self.ledger.closed = True
        for patience in (PATIENCE_ABANDON, 0.0):
            try:
                self.home.sweep()
            except (ExposerError, OSError) as error:
                self.loop.show("failed", f"not everything could be ended: {error}; see: exposer down")
            self.world.close(patience)

    def status(self) -> dict[str, Any]:
        """The present status, as `exposer status --json` shows it."""
        about = dict(self.home.describe())
        about["advice"] = [*about.get("advice", ()), *self.strays.advice(time.time())]
        return snapshot(self.places.name, self.loop.state, about, os.getpid())

    def _publish_snapshot(self) -> None:
        now = procs.monotonic()
        if self.loop.calm and not self.world.inbox.woken and now < self._status_due:
            return
        self._status_due = now + STATUS_EVERY
        status = self.status()
        comparable = status | {"supervisor": None}
        if comparable != self._last:
            try:
                files.swap(self.places.snapshot, json.dumps(status).encode(), lasting=False)
                self._last = comparable
                self.loop.state.unwritten.pop("status", None)
            except OSError as error:
                self._cannot_tell(of_system(error))

    def _cannot_tell(self, error: ExposerError) -> None:
        """Before it is online for the first time nobody would ever hear of it. Later an old status is worse than none:
        without one the socket is asked."""
        if "status" not in self.loop.state.unwritten:
            self.loop.show("status", f"the status cannot be written: {error.message}")
        self.loop.state.unwritten["status"] = error.message
        Path(self.places.snapshot).unlink(missing_ok=True)
        if not self._announced:
            self.loop.stop(Failed("status", error.message, error.hint, error.code, error.exit_code))

    def _answer(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        return answer(asked, self.world.inbox.put, self.status)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        """Whatever the thread that is interrupted holds, this waits for none of it."""
        self.world.inbox.put(Down(hurried=True))

    def _notice(self) -> None:
        self._config_changed = True
        self.loop.nudge()

    def _reload(self) -> None:
        """Takes the config over if it is sound; else says what is wrong and keeps the last good one."""
        self._config_changed = False
        self._status_due = 0.0
        try:
            home = self.load()
        except (ExposerError, OSError) as raised:
            error = of_system(raised) if isinstance(raised, OSError) else raised
            text = "; ".join(error.problems) if isinstance(error, ConfigError) and error.problems else error.message
            if text != self.loop.state.config_error:
                self.loop.state.config_error = text
                self.loop.note("config-broken", f"config: {text}; the last good one stays in force")
            return
        self.home = home
        if self.recorder is not None:
            self.recorder.rules = home.record_rules()
        self.loop.take_config(home)
        self.guarding.lease_seconds = home.lease
        with suppress(OSError):  # then what was before stays in force
            self.guarding.tell_terms()
            self._put_on_record()
        self.loop.look_soon(SCHEMA)
        self._watch.follow(*home.watched())
