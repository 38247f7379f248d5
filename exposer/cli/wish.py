"""What one call of `up` asks for."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from exposer.cli.alone import make_folders
from exposer.cli.show import duration, note
from exposer.config.load import load, with_provider
from exposer.files import Places
from exposer.supervisor.timebox import TimeBox

if TYPE_CHECKING:
    from exposer.config.model import Config


class Wish:
    """The config as it is now, the options, and the moment it was said. Raises ConfigError."""

    def __init__(self, path: Path, tunnel: str | None, without_document: bool, timeout: str, box: TimeBox) -> None:
        self.path = path
        self.tunnel = tunnel
        self.without_document = without_document
        self.timeout_text = timeout
        self.timeout = duration(timeout, "--timeout")
        self.box = box
        self.config = self.load()
        self.places = Places(self.config.name)
        self.begun = time.monotonic()

    def load(self) -> "Config":
        config = load(self.path)
        return with_provider(config, self.tunnel) if self.tunnel else config

    def prepare(self) -> None:
        """Sees to it that it may begin, and has folders of its own."""
        make_folders(self.places)
        for text in self.config.notes:
            note(f"note: {text}")

    def argv(self, *more: str) -> list[str]:
        """The command line that asks for the same, with other flags."""
        argv = [sys.executable, "-m", "exposer", "--file", str(self.path)]
        argv += ["up", *more, "--timeout", self.timeout_text, "--box", self.box.to_word()]
        argv += ["--tunnel", self.tunnel] if self.tunnel else []
        return argv + (["--without-document"] if self.without_document else [])
