"""Who is told of what, by one config: destinations of notices, and the own hook for a new public address."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

from exposer import files
from exposer.config.model import Config
from exposer.config.secrets import resolve
from exposer.files import Places
from exposer.notify import destinations
from exposer.notify.hook import run_hook
from exposer.notify.notice import Destination
from exposer.state.model import Record

MEMORY = "address.json"  # in the state folder: a next supervisor must not announce the same address again


class Teller:
    """The part of a house that speaks to the outside."""

    def __init__(self, config: Config, places: Places) -> None:
        self.config = config
        self.places = places
        self.name = config.name

    def destinations(self) -> tuple[Destination, ...]:
        return destinations(self.config.notify, resolve)

    def announced(self) -> str:
        """The last address that was announced; "" when there is none, or none can be read: then it is said again."""
        try:
            return str(json.loads(files.read_private(str(Path(self.places.state, MEMORY)))).get("announced", ""))
        except (OSError, ValueError, AttributeError):
            return ""

    def announce(self, url: str, before: str, record: Record) -> None:
        """Runs the hook, if there is one, then remembers. After a crash in between it hears the same twice."""
        at = datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if argv := self.config.hooks.address_changed:
            told = {"schema": 1, "event": "address_changed", "name": self.name, "at": at}
            told |= {"public_url": url, "previous_url": before or None}
            folder = str(Path(self.config.path).parent) if self.config.path else ""
            run_hook(argv, told, runtime=self.places.runtime, logs=self.places.logs, cwd=folder, record=record)
        files.swap(str(Path(self.places.state, MEMORY)), json.dumps({"announced": url, "at": at}).encode())
