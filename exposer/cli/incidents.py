"""What the kill switch has left behind in `incidents/`: looked at once, at the next start, and closed."""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

from exposer import files
from exposer.files import Places

CLOSED = ".closed"


def look_back(places: Places, note: Callable[[str, str], object]) -> None:
    """Says in the journal what happened since the last start, once: a drill, a cut by the watch, and a lock that went
    away without `unlock`."""
    for path, said in _open(places):
        took = f"offline within {float(said.get('cut_ms') or 0):.0f} ms"
        match said.get("kind", "panic"):
            case "drill" if not said.get("trouble") and not said.get("still_open"):
                note("drilled", f"the kill switch was practised: {took}")
            case "cut":
                note("was-cut", f"{said.get('reason') or 'the watch'}: {took}")
            case _:
                if said.get("locked"):
                    note(
                        "lock-removed",
                        "the panic lock was removed by hand, not by `exposer unlock`; the keys of before stay refused",
                    )
        _close(path)


def close_all(places: Places) -> None:
    """After `unlock` there is nothing left to say about them."""
    for path, _ in _open(places):
        _close(path)


def _open(places: Places) -> Iterator[tuple[str, dict[str, Any]]]:
    folder = os.path.join(places.state, "incidents")
    names = set(files.names_in(folder))
    for name in sorted(names):
        if name.endswith(".json") and name.removesuffix(".json") + CLOSED not in names:
            path = os.path.join(folder, name)
            try:
                said = json.loads(files.read_private(path))
            except (OSError, ValueError):
                said = {}
            yield path, said if isinstance(said, dict) else {}


def _close(path: str) -> None:
    try:
        files.swap(path.removesuffix(".json") + CLOSED, b"")
    except OSError:
        return  # it is said once more the next time
