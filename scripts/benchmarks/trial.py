"""An exposure of a benchmark's own, driven by the installed command; nothing of it is left behind."""

import json
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.benchmarks import measure
from scripts.benchmarks.measure import EXPOSER, HERE, Cost
from tests.support.ports import free_port


class Trial:
    """`config` is the TOML text below the name. `url` and `key` are those of the last `up`."""

    def __init__(self, folder: Path, config: str) -> None:
        self.folder = folder
        self.name = f"bench-{os.urandom(3).hex()}"
        self.env = measure.environment(
            EXPOSER_STATE_DIR=str(folder / "state"),
            EXPOSER_RUNTIME_DIR=str(folder / "run"),
            EXPOSER_FILE=str(folder / "exposer.toml"),
        )
        self.log = str(folder / "log")
        self.url = self.key = ""
        self._answer = str(folder / "answer")
        (folder / "exposer.toml").write_text(f'version = 1\nname = "{self.name}"\n{config}')

    def time(self, *words: str) -> Cost:
        """Runs a command to its end and says what it took."""
        Path(self.log).unlink(missing_ok=True)
        return measure.command([EXPOSER, *words], self.env, log=self.log)

    def up(self) -> None:
        self.time("up", "-d", "--json", "--quiet")
        said = json.loads(Path(self.log).read_text())
        self.url = said["public_url"]
        self.key = said["first_key"]["key"] if said["first_key"] else self.key

    def down(self) -> None:
        self.time("down", "--purge", "--yes")

    def events(self) -> list[tuple[float, str, dict[str, object]]]:
        """What the journal says: when (seconds since 1970), what, and about what."""
        journal = sqlite3.connect(self.folder / "state" / self.name / "journal.db")
        try:
            found = journal.execute("SELECT at, kind, data FROM events ORDER BY seq").fetchall()
        finally:
            journal.close()
        return [(at, kind, json.loads(data)) for at, kind, data in found]


@contextmanager
def trial(config: str) -> Iterator[Trial]:
    """One that is ended and removed, whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix="exposer-bench-"))
    made = Trial(folder, config)
    try:
        yield made
    finally:
        for words in (("unlock", "--yes", made.name), ("down", "--purge", "--yes")):
            try:
                made.time(*words)
            except RuntimeError as error:
                measure.say(f"  cleaning up: {error}")
        shutil.rmtree(folder, ignore_errors=True)


def command_config(program: str = "sample_backend.py", port: int = 0, extra: str = "") -> str:
    """A small program of this repository as the backend, and the local tunnel."""
    return f"""
engine = "process"
[backend]
command = ["{sys.executable}", "{HERE / "scripts" / program}"]
port = {port or free_port()}
health = "/health"
openapi = "/openapi.json"
[tunnel]
provider = "local"
{extra}
"""
