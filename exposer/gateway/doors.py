"""Two tunnels, of which one is open: each comes in by addresses of its own, and one file says whose calls are served.

Both may lead here all the time. A key counts only by the door that the file in `open/` is named after; without a file
by none, so whatever dies at whatever moment, never are two open.
"""

from pathlib import Path

from exposer import files
from exposer.gateway.folder import OPEN, make_like

SECOND = "second"  # the file with the address that the second tunnel leads to


def opened(folder: Path) -> str:
    """The role of the tunnel that is open; "" when none is."""
    names = files.names_in(str(folder / OPEN))
    return names[0] if len(names) == 1 else ""


def open_only(folder: Path, role: str) -> None:
    """Closes the others first, then opens this one. Raises OSError; then none is open, or the one of before."""
    place = make_like(folder, OPEN)
    shut(folder, but=role)
    (place / role).touch(0o600)


def shut(folder: Path, but: str = "") -> None:
    """Closes all, or all but one. Raises OSError."""
    for name in files.names_in(str(folder / OPEN)):
        if name != but:
            (folder / OPEN / name).unlink(missing_ok=True)
