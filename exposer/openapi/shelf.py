"""The schema folder: what is published now, what was before, and what a person last took away to paste."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from exposer import files

_MOST = 64 * 1024 * 1024
_NAME = re.compile(r"openapi(\.[0-9]+)?\.json")


@dataclass(frozen=True, slots=True)
class Kept:
    """The documents of one publication, and the client they are for."""

    client: str
    packs: tuple[str, ...]


class Shelf:
    """The folder `schema` of one exposure."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._published = os.path.join(folder, "published")

    def publish(self, client: str, packs: Sequence[str]) -> None:
        """Puts the documents where everybody finds them; the ones before are kept as well."""
        kept = Kept(client, tuple(packs))
        before = self.current()
        if before == kept and set(names(len(packs))) == self._there():
            return
        for name, text in zip(names(len(packs)), packs, strict=True):
            files.swap(os.path.join(self._folder, name), text.encode())
        for stale in self._there() - set(names(len(packs))):
            os.unlink(os.path.join(self._folder, stale))
        if before is not None and before != kept:
            self._keep("previous", before)
        self._keep("current", kept)

    def take(self, client: str, packs: Sequence[str]) -> None:
        """Remembers what was given away: that is what the client has from now on."""
        self._keep("taken", Kept(client, tuple(packs)))

    def current(self) -> Kept | None:
        return self._kept("current")

    def last(self, client: str, now: Sequence[str]) -> tuple[str, Kept | None]:
        """What the client has most likely, and how we know: what was taken, else what was published before."""
        for name in ("taken", "current", "previous"):
            kept = self._kept(name)
            if kept is not None and kept.client == client and (name != "current" or kept.packs != tuple(now)):
                return "taken" if name == "taken" else "published", kept
        current = self.current()
        if current is not None and current.client == client:
            return "published", current
        return "nothing", None

    def _there(self) -> set[str]:
        return {name for name in files.names_in(self._folder) if _NAME.fullmatch(name)}

    def _keep(self, name: str, kept: Kept) -> None:
        files.private_dir(self._published)
        data = json.dumps({"client": kept.client, "packs": kept.packs}, ensure_ascii=False)
        files.swap(os.path.join(self._published, f"{name}.json"), data.encode())

    def _kept(self, name: str) -> Kept | None:
        """None as well when the file is damaged: it is only a memory."""
        try:
            data = json.loads(files.read_private(os.path.join(self._published, f"{name}.json"), _MOST))
            return Kept(str(data["client"]), tuple(map(str, data["packs"])))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def names(count: int) -> list[str]:
    """`openapi.json`, `openapi.2.json`, …"""
    return ["openapi.json", *(f"openapi.{number}.json" for number in range(2, count + 1))]
