"""Shuts the gate for a reason of our own, whatever the config says."""

from pathlib import Path

from exposer.gateway.folder import sync_live


class Shutter:
    """While `why` is not empty no key is let in. Keys that are withdrawn come back by a reload, as all keys do."""

    def __init__(self, folder: Path) -> None:
        self.why = ""
        self._folder = folder

    def shut(self, why: str) -> None:
        """At once, from any thread; "" opens it again when the loop next looks."""
        self.why = why
        if why and self._folder.is_dir():
            sync_live(self._folder, ())
