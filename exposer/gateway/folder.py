"""The gateway's folder: who may see what in it, files put in place whole, and one file for each valid key."""

import os
import shutil
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress

from exposer import files
from exposer.errors import ExposerError
from exposer.files import NotPrivateError

LIVE, DRAINING, TEMP = "live", "draining", "temp"
Place = str | os.PathLike[str]


def revoke(folder: Place, key_id: str) -> None:
    """Ends one key within a millisecond, also on open connections. The ring must say so already.

    `draining` comes first: a reload that runs meanwhile looks there last, and withdraws what is gone from it.
    """
    for name in (DRAINING, LIVE):
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(os.path.join(folder, name, _safe(key_id)))


def sync_live(folder: Place, ids: Collection[str]) -> None:
    """Ends every key that is not among `ids`. It never lets one in: only a reload knows a new key's check."""
    for name in (DRAINING, LIVE):
        for key_id in files.names_in(os.path.join(folder, name)):
            if key_id not in ids:
                revoke(folder, key_id)


def prepare(folder: str, group: int | None) -> None:
    """Makes the folder ours: 0700, or 0710 for the workers' group when they are another user than we are."""
    if not os.path.isdir(os.path.dirname(folder)):
        files.private_dir(os.path.dirname(folder))
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    info = os.lstat(folder)
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid():
        raise NotPrivateError(folder, "is not a folder of yours")
    if group is not None:
        os.chown(folder, -1, group, follow_symlinks=False)
    os.chmod(folder, 0o700 if group is None else 0o710)
    make_like(folder, TEMP)


def make_like(folder: str, name: str) -> str:
    """A folder inside, for the same eyes as the folder itself."""
    path = os.path.join(folder, name)
    with suppress(FileExistsError):
        os.mkdir(path, 0o700)
    info = os.stat(folder)
    os.chown(path, -1, info.st_gid, follow_symlinks=False)
    os.chmod(path, stat.S_IMODE(info.st_mode))
    return path


@contextmanager
def stage(folder: str, texts: Mapping[str, str]) -> Iterator[str]:
    """A copy of the site beside its place, to be tried out; gone at the end."""
    place = f"{folder}.{os.urandom(4).hex()}.stage"
    info = os.stat(folder)
    prepare(place, info.st_gid if info.st_mode & stat.S_IXGRP else None)
    try:
        make_like(place, LIVE)
        write(place, texts)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def write(folder: str, texts: Mapping[str, str]) -> None:
    """Puts the files in their places, each whole. Only what the workers read while they run is for their group."""
    info = os.stat(folder)
    shared = bool(info.st_mode & stat.S_IXGRP)

    def share(path: str) -> None:
        os.chown(path, -1, info.st_gid, follow_symlinks=False)

    for name, text in texts.items():
        path, data = os.path.join(folder, name), text.encode()
        if shared and name.startswith("htpasswd"):
            files.swap(path, data, 0o640, check=share)
        else:
            files.swap(path, data)


def read(folder: str, names: Collection[str]) -> dict[str, str]:
    """The files that are in force now."""
    found = {}
    for name in names:
        with suppress(FileNotFoundError):
            found[name] = files.read_private(os.path.join(folder, name)).decode()
    return found


def close(folder: str) -> None:
    """No key is valid any more."""
    sync_live(folder, ())
    for name in (LIVE, DRAINING):
        shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


def drain(folder: str) -> frozenset[str]:
    """Turns `live` into `draining` and returns the keys in it. Left over from a crash, `draining` is the truth
    when there is no `live`."""
    live, draining = os.path.join(folder, LIVE), os.path.join(folder, DRAINING)
    if os.path.isdir(live):
        shutil.rmtree(draining, ignore_errors=True)
        os.rename(live, draining)
    return frozenset(files.names_in(draining))


def fill(
    folder: str,
    ids: Collection[str],
    drained: Collection[str] = (),
    passing: Callable[[], Collection[str]] | None = None,
) -> None:
    """Makes these keys valid and ends draining.

    A key that was withdrawn since `drained` were seen stays out, and so does one that `passing`, asked last, does not
    name: whoever revokes swaps the ring first and then takes the files away, so one of the two sees the other.
    """
    live, draining = make_like(folder, LIVE), os.path.join(folder, DRAINING)
    for key_id in ids:
        os.close(os.open(os.path.join(live, _safe(key_id)), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    withdrawn = set(drained) - set(files.names_in(draining))
    wanted = set(ids) - withdrawn
    if passing is not None:
        wanted &= set(passing())
    sync_live(folder, wanted)
    shutil.rmtree(draining, ignore_errors=True)


def _safe(key_id: str) -> str:
    if not key_id or "/" in key_id or key_id in (".", ".."):
        raise ExposerError(f"{key_id!r} cannot be a key's id")
    return key_id
