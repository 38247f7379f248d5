"""Rooms and parts of no substance, for a loop that is to be watched deciding."""

from typing import Any

from exposer.procs import Entry
from exposer.state.facts import Documented
from exposer.state.model import BACKEND, GATEWAY, TUNNEL, Look, Record, Tell


class Thing:
    """A part of no substance: there from the start on, well, with no address."""

    digest = "d"

    def __init__(self, role: str, **detail: Any) -> None:
        self.role = role
        self.detail = detail

    def start(self, record: Record, tell: Tell) -> Entry:
        entry = Entry(self.role, digest=self.digest, detail=self.detail)
        record(entry)
        return entry

    def look(self, entry: Entry) -> Look:
        return Look(alive=True, healthy=True)

    def stop(self, entry: Entry) -> None:
        pass

    def adopt(self, entries: list[Entry]) -> Entry | None:
        return None


class Rooms:
    """What the loop needs; publishing or asking from outside would be a mistake here."""

    name = "tests"
    spare = None
    check_every = 60.0

    def __init__(self, **tunnel: Any) -> None:
        self.tunnel_detail = tunnel
        self.broken = ""

    def backend(self) -> Thing:
        return Thing(BACKEND, upstream="http://127.0.0.1:1")

    def gateway(self, upstream: str, documented: Documented, now: float) -> Thing:
        return Thing(GATEWAY, listen="127.0.0.1:2")

    def tunnel(self, listen: str) -> Thing:
        return Thing(TUNNEL, **self.tunnel_detail)

    def read_document(self, upstream: str) -> Documented:
        return Documented(None, ("operation",), 1)  # type: ignore[arg-type]

    def schema_digest(self) -> str:
        return "s"

    def document_is_here(self) -> bool:
        return False

    def advice(self, now: float) -> tuple[str, ...]:
        return ()

    def trouble(self) -> str:
        return self.broken

    def stamp(self, now: float) -> str:
        return self.broken

    def networks_trouble(self) -> str:
        return ""

    def networks_due(self, now: float) -> bool:
        return False

    def announced(self) -> str:
        return ""

    def destinations(self) -> tuple[Any, ...]:
        return ()

    def sync_keys(self, now: float) -> None:
        pass

    def end(self, entry: Entry) -> None:
        pass
