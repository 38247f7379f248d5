"""The drill: the real cut on what runs, and back again. Whatever goes wrong on the way, it stays cut and locked."""

import json
import os
import time

from exposer import files, procs
from exposer.panic.cut import Cut

PATIENCE = 300.0


class Way:
    """How an exposure was started: the command, its folder and environment. Only ever held in memory."""

    def __init__(self, entry: procs.Entry) -> None:
        assert entry.process is not None  # noqa: S101
        self.argv = [str(word) for word in entry.detail.get("again", ())]
        with open(f"/proc/{entry.process.pid}/environ", "rb") as file:
            words = file.read().decode(errors="surrogateescape").split("\0")
        pairs = (word.partition("=") for word in words)
        self.env = {name: value for name, separator, value in pairs if separator and name != procs.MARK}
        self.folder = os.readlink(f"/proc/{entry.process.pid}/cwd")


def way_back(name: str) -> "Way | str":
    """How to bring it back, looked up while it runs; else why there can be no drill."""
    places = files.Places(name)
    if places.locked():
        return f"{name} is locked by a panic; lift that first: exposer unlock"
    running = [
        entry
        for entry in procs.Ledger(places.ledger).entries()
        if entry.role == "supervisor" and entry.process is not None and entry.process.alive()
    ]
    if not running:
        return f"{name} does not run, so there is nothing to practise on; start it with: exposer up -d"
    try:
        way = Way(running[-1])
    except OSError as error:
        return f"how {name} was started cannot be seen: {error.strerror}"
    return (
        way if way.argv else f"how {name} was started is not on record (still starting?); try again when it is online"
    )


def come_back(cut: Cut, way: Way) -> str:
    """The ring back in its place, the lock away, and up again; returns what went wrong, if anything."""
    ring = os.path.join(cut.places.state, "keyring")
    panicked = "somebody has panicked meanwhile"
    try:
        if cut.places.lock_stamp() != cut.lock_stamp:
            return panicked
        if os.path.exists(f"{ring}.panicked"):
            os.rename(f"{ring}.panicked", ring)
        if not cut.places.lift(cut.lock_stamp):
            return panicked
        done = procs.run(way.argv, timeout=PATIENCE, env=way.env, cwd=way.folder)
    except (OSError, TimeoutError) as error:
        return f"it could not be brought back: {error}"
    if done.code:
        words = " ".join(done.err.split())[-300:]
        return f"it did not come back (exit code {done.code}): {words}"
    cut.step("came back", url=_url(done.out), at=round(time.time(), 3))
    return ""


def _url(text: str) -> str:
    try:
        return str(json.loads(text).get("public_url") or "")
    except (ValueError, AttributeError):
        return ""
