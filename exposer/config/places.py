"""Readers for files and folders: relative ones belong to the config's folder, dangerous ones are refused."""

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from exposer.config import values
from exposer.config.leaks import shown
from exposer.config.values import wrong

# Whoever has an engine's socket has the machine.
SOCKETS = frozenset({"docker.sock", "podman.sock", "containerd.sock", "crio.sock", "buildkitd.sock"})
SOCKET_PLACES = tuple(
    PurePosixPath(place)
    for place in (
        "/run/docker.sock",
        "/var/run/docker.sock",
        "/run/podman/podman.sock",
        "/run/containerd/containerd.sock",
        f"/run/user/{os.geteuid()}/docker.sock",
    )
)
VOLUME_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
VOLUME = 'should be "source:/target" or "source:/target:ro", such as "./data:/app/data:ro"'


def absolute(folder: Path, place: str) -> Path:
    """The place without `~` and `..`; a relative one is looked for in `folder`. Symlinks stay as they are."""
    path = Path(place)
    if place == "~" or place.startswith("~/"):
        try:
            path = path.expanduser()
        except RuntimeError:
            raise wrong("begins with '~', but your home folder is not known here: write the whole path") from None
    return Path(os.path.normpath(folder / path))


def file(folder: Path, value: Any) -> str:
    return str(absolute(folder, _place(value)))


def existing_folder(folder: Path, value: Any) -> str:
    place = absolute(folder, _place(value))
    if not _is(place.is_dir):
        raise wrong(f"should be a folder that exists; there is none at {shown(str(place))}")
    return str(place)


def program(folder: Path, value: Any) -> str:
    """A program's name to be found on PATH, or its place when there is a slash in it."""
    place = _place(value)
    return str(absolute(folder, place)) if "/" in place else place


def call(folder: Path, value: Any) -> tuple[str, ...]:
    """A program and its arguments; only the program's place is made absolute."""
    words = values.call(value)
    if not words:
        return ()
    return (str(absolute(folder, words[0])) if "/" in words[0] else words[0], *words[1:])


def command(folder: Path, value: Any) -> tuple[str, ...]:
    """A `call` that names at least a program."""
    words = call(folder, value)
    if not words:
        raise wrong("is empty: name at least the program")
    return words


def document(folder: Path, value: Any) -> str:
    """`/path` on the backend, a URL, or a file, which becomes "file:" and its absolute path."""
    place = values.text(value, "a path on the backend, a URL or a file")
    if place.startswith("/"):
        return values.path_on_backend(place)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", place):
        return values.url(place)
    return f"file:{absolute(folder, _place(place.removeprefix('file:')))}"


def volume(folder: Path, value: Any) -> str:
    """`src:dst[:ro|rw]` with an absolute source, or a volume's name."""
    parts = values.text(value).split(":")
    if len(parts) not in (2, 3) or not all(parts) or (len(parts) == 3 and parts[2] not in ("ro", "rw")):
        raise wrong(f"{VOLUME}, not {shown(value)}")
    source, target = parts[0], PurePosixPath(parts[1])
    if not target.is_absolute() or ".." in target.parts or len(target.parts) < 2:
        raise wrong(f"{VOLUME}: its second part should be a whole path and not '/'")
    if "/" not in source and "." not in source and source != "~":
        if not VOLUME_NAME.fullmatch(source):
            raise wrong(f"{VOLUME}: its first part should be a path, or a volume's name of letters, digits, _ and -")
        return str(value)
    place = absolute(folder, source)
    _refuse_dangerous(place)
    return ":".join((str(place), *parts[1:]))


def _refuse_dangerous(place: Path) -> None:
    """Looks at the path as written and at what it really is, so a symlink is no way around."""
    for path in {str(place), os.path.realpath(place)}:
        if path in ("/", "//"):
            raise wrong("must not mount '/': the backend would have the whole machine")
        above = any(place.is_relative_to(path) for place in SOCKET_PLACES)
        holds = any(_is((Path(path) / name).exists) for name in SOCKETS)
        if above or holds or Path(path).name in SOCKETS:
            raise wrong("must not mount the container engine's socket: whoever has it has the whole machine")


def _place(value: Any) -> str:
    place = values.text(value, "a path")
    if place.startswith("-"):
        raise wrong("must not begin with '-': it would be taken for an option; write \"./\" before it")
    return place


def _is(question: Any) -> bool:
    """Asks the file system; for a name that it refuses (too long, not ours to see) the answer is no."""
    try:
        return bool(question())
    except (OSError, ValueError):
        return False
