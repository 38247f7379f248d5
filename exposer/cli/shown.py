"""Calls and events of the record as lines, fields and labels."""

import re
import time
from typing import TYPE_CHECKING, Any

from exposer.cli.ring import ring_store
from exposer.errors import ExposerError
from exposer.files import Places

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exposer.journal import Event, Request

CALLS_HEAD = (
    "at",
    "key",
    "label",
    "operation",
    "method",
    "status",
    "bytes",
    "seconds",
    "request",
    "address",
    "path",
)
EVENTS_HEAD = ("at", "kind", "text")
# Colours may stay; whatever else steers a terminal may come from a caller.
# What a spreadsheet takes for the beginning of a formula. In half of the world a semicolon parts its cells.
FORMULA = re.compile(r"((?:^|[;,\t\r\n])[\s\"]*)(?=[=+\-@\uff0b\uff0d\uff1d\uff20])")
STEERS = re.compile(r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")


class Labels:
    """Whose key an id is. A ring that cannot be read, or that a panic has put aside, costs only the labels."""

    def __init__(self, found: Places) -> None:
        store = ring_store(found)
        if not store.exists():
            store.path = store.path.with_name("keyring.panicked")
        try:
            self._known = {key.id: key.label for key in store.read().keys}
        except ExposerError:
            self._known = {}

    def of(self, key_id: str) -> str:
        return self._known.get(key_id, key_id)

    def ids(self, label: str) -> tuple[str, ...]:
        """The ids of all keys that ever had this label; of an id itself, that."""
        return (*(key_id for key_id, known in self._known.items() if known == label), label)


def call_line(call: "Request", labels: Labels) -> str:
    """One call in one line."""
    who = labels.of(call.key) if call.key else "-"
    what = call.operation or call.path or "-"
    left, took = size(call.bytes), f"{call.duration * 1000:.0f} ms"
    about = f"{who:<16}  {call.method:<4} {what:<32}"
    return f"{_clock(call.at)}  {call.status}  {about}  {left:>8}  {took:>8}  {call.address}"


def event_line(event: "Event") -> str:
    """One event in one line."""
    text = str(event.data.get("text") or event.kind)
    return f"{_clock(event.at)}   ·   {text if text.isprintable() else ''.join(map(_printable, text))}"


def call_fields(call: "Request", labels: Labels) -> dict[str, Any]:
    """One call for machines."""
    return {
        "at": iso(call.at),
        "key": call.key,
        "label": labels.of(call.key) if call.key else "",
        "operation": call.operation,
        "method": call.method,
        "status": call.status,
        "bytes": call.bytes,
        "seconds": call.duration,
        "request": call.request,
        "address": call.address,
        "path": call.path,
    }


def event_fields(event: "Event") -> dict[str, Any]:
    """One event for machines."""
    return {"at": iso(event.at), "kind": event.kind, "text": str(event.data.get("text", ""))}


def on_a_terminal(text: str) -> str:
    """What a part wrote, with what callers may have slipped into it made harmless."""
    return STEERS.sub("?", text.replace("\r\n", "\n"))


def harmless(row: "Iterable[object]") -> list[object]:
    """Cells that no spreadsheet takes for a formula."""
    return [FORMULA.sub(r"\1'", cell) if isinstance(cell, str) else cell for cell in row]


def size(number: int) -> str:
    """Bytes as people read them: 1.2 MB."""
    value = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def iso(seconds: float) -> str:
    """With milliseconds: calls come close upon one another."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{thousandths:03d}Z"


def _printable(char: str) -> str:
    return char if char.isprintable() else " " if char.isspace() else "?"


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
