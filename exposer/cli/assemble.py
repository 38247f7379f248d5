"""Puts the supervisor together for `up`: journal, house, socket, daemon."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from exposer.app import House
from exposer.control.server import ControlServer
from exposer.errors import ConfigError
from exposer.files import Places
from exposer.gateway.accesslog import AccessLog
from exposer.gateway.choice import choose_engine
from exposer.gateway.own_calls import OwnCalls
from exposer.gateway.shutter import Shutter
from exposer.journal import Journal
from exposer.spare import forget_choice
from exposer.state.model import GATEWAY
from exposer.supervisor.daemon import Daemon
from exposer.supervisor.recorder import Recorder
from exposer.supervisor.usage import KeyUse

if TYPE_CHECKING:
    from exposer.config.model import Config


def assemble(
    places: Places, load: "Callable[[], Config]", show: Callable[[str, str], None], *, without_document: bool
) -> Daemon:
    """The supervisor of one exposure, ready to run. The config is read anew by `load` each time it has changed."""
    engine = ""
    current: House
    folder = Path(places.runtime, "gateway")
    shutter, own = Shutter(folder), OwnCalls()
    last_used: dict[str, float] = {}

    def house() -> House:
        nonlocal engine, current
        config = load()
        if config.name != places.name:
            raise ConfigError(
                f"the name has changed from {places.name!r} to {config.name!r}",
                "a name cannot change while it runs: exposer down, then exposer up",
            )
        engine = engine or choose_engine(config)
        if config.second is None:
            with suppress(OSError):
                forget_choice(places)
        current = House(config, places, engine, without_document=without_document, shutter=shutter, own_calls=own)
        current.last_used = last_used
        return current

    journal = Journal(Path(places.state, "journal.db"))
    daemon = Daemon(places, house, ControlServer, show, journal)
    daemon.recorder = Recorder(
        AccessLog(folder),
        journal,
        daemon.home.record_rules(),
        daemon.world.inbox.put,
        shutter.shut,
        lambda: daemon.world.process(GATEWAY),
        own,
    )
    use = KeyUse(
        lambda: current.store,
        lambda: current.ring(),
        journal,
        lambda: current.config.limits.egress,
        lambda: current.config.panic.egress_factor,
        daemon.world.inbox.put,
        last_used,
    )
    daemon.recorder.listeners.append(use.heard)
    daemon.recorder.on_start = lambda: use.remember(time.time())
    return daemon
