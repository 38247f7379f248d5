"""The gateway's folder: who may see what in it, files put in place whole, and one file for each valid key."""

import errno
import os
import shutil
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from exposer import files
from exposer.errors import ExposerError
from exposer.files import NotPrivateError

LIVE, DRAINING, PAUSED, TEMP = "live", "draining", "paused", "temp"
DOOR, STANDBY_DOOR = "gateway.sock", "standby.sock"  # where the tunnel comes in, and a second one
OPEN = "open"  # which of two tunnels is open: see `doors`
LARGEST = 256 * 1024 * 1024
Place = str | os.PathLike[str]


def revoke(folder: Place, key_id: str) -> None:
    """Ends one key within a millisecond, also on open connections. The ring must say so already.

    `draining` comes first: a reload that runs meanwhile looks there last, and withdraws what is gone from it.
    """
    for name in (DRAINING, LIVE):
        with suppress(FileNotFoundError, NotADirectoryError):
            Path(folder, name, _safe(key_id)).unlink()


def pause(folder: Place, key_id: str) -> None:
    """Ends one key like `revoke`, but whoever shows it is told to come back later: 429 instead of 401.

    Call it when a limit suspends a key, after the ring says so. Over a restart and a reload the ring alone decides.
    """
    if Path(folder).is_dir():
        (make_like(Path(folder), PAUSED) / _safe(key_id)).touch(0o600)
    revoke(folder, key_id)


def resume(folder: Place, key_id: str) -> None:
    """The key is no longer paused. Only a reload, or a ring that lets it in again, makes it valid: see `fill`."""
    with suppress(FileNotFoundError, NotADirectoryError):
        Path(folder, PAUSED, _safe(key_id)).unlink()


def sync_paused(folder: Path, ids: Collection[str]) -> None:
    """Exactly these keys are paused."""
    place = make_like(folder, PAUSED)
    for key_id in files.names_in(str(place)):
        if key_id not in ids:
            resume(folder, key_id)
    for key_id in ids:
        (place / _safe(key_id)).touch(0o600)


def sync_live(folder: Place, ids: Collection[str]) -> None:
    """Ends every key that is not among `ids`. It never lets one in: only a reload knows a new key's check."""
    for name in (DRAINING, LIVE):
        for key_id in files.names_in(str(Path(folder, name))):
            if key_id not in ids:
                revoke(folder, key_id)


def prepare(folder: Path, group: int | None) -> None:
    """Makes the folder ours: 0700, or 0710 for the workers' group when they are another user than we are."""
    if not folder.parent.is_dir():
        files.private_dir(str(folder.parent))
    folder.mkdir(0o700, exist_ok=True)
    info = folder.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid():
        raise NotPrivateError(str(folder), "is not a folder of yours")
    if group is not None:
        os.chown(folder, -1, group, follow_symlinks=False)
    folder.chmod(0o700 if group is None else 0o710)
    make_like(folder, TEMP)


def make_like(folder: Path, name: str) -> Path:
    """A folder inside, for the same eyes as the folder itself."""
    path, info = folder / name, folder.stat()
    path.mkdir(0o700, exist_ok=True)
    os.chown(path, -1, info.st_gid, follow_symlinks=False)
    path.chmod(stat.S_IMODE(info.st_mode))
    return path


@contextmanager
def stage(folder: Path, texts: Mapping[str, str]) -> Iterator[Path]:
    """A copy of the site beside its place, to be tried out; gone at the end."""
    place = folder.with_name(f"{folder.name}.{os.urandom(4).hex()}.stage")
    try:
        prepare(place, _group(folder))
        make_like(place, LIVE)
        write(place, texts)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Removes the stages that a crash has left behind."""
    for place in folder.parent.glob(f"{folder.name}.*.stage"):
        shutil.rmtree(place, ignore_errors=True)


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Puts the files in their places, each whole. Only what the workers read while they run is for their group."""
    group = _group(folder)

    def share(path: str) -> None:
        if group is not None:
            os.chown(path, -1, group, follow_symlinks=False)

    for name, text in texts.items():
        shared = group is not None and name.startswith("htpasswd")
        files.swap(
            str(folder / name), text.encode(), 0o640 if shared else 0o600, share if shared else None, lasting=False
        )


def read(folder: Path, names: Collection[str]) -> dict[str, str]:
    """The files that are in force now."""
    found = {}
    for name in names:
        with suppress(FileNotFoundError):
            found[name] = files.read_private(str(folder / name)).decode()
    return found


def digests(texts: Mapping[str, str]) -> dict[str, str]:
    """What a file of each name says, in short."""
    return {name: sha256(text.encode()).hexdigest()[:32] for name, text in texts.items()}


def differing(folder: Path, rendered: Mapping[str, str]) -> list[str]:
    """The files that are not those of these digests. One that cannot be read just now tells nothing."""
    return [name for name, digest in rendered.items() if not _is(folder / name, digest)]


def _is(path: Path, digest: str) -> bool:
    try:
        info = path.lstat()
        return _digest(str(path), info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns) == digest
    except OSError as error:
        return error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL)


@lru_cache(maxsize=64)
def _digest(path: str, *_: int) -> str:
    """Read anew only when the file is another one, or was written to."""
    return sha256(files.read_private(path, LARGEST)).hexdigest()[:32]


def logins(folder: Path) -> set[str]:
    """The files with passwords that are there."""
    return {path.name for path in folder.glob("htpasswd.*") if path.name.removeprefix("htpasswd.").isdigit()}


def valid(folder: Path) -> frozenset[str]:
    """The keys that are valid now, in the midst of a reload too."""
    return frozenset(key for name in (LIVE, DRAINING) for key in files.names_in(str(folder / name)))


def close(folder: Path) -> None:
    """No key is valid any more."""
    sync_live(folder, ())
    for name in (LIVE, DRAINING, PAUSED, OPEN):
        shutil.rmtree(folder / name, ignore_errors=True)


def close_door_to_others(folder: Path) -> None:
    """nginx lets everybody connect to its sockets; the folder around this one keeps out most, and now it does all."""
    for name in (DOOR, STANDBY_DOOR):
        with suppress(FileNotFoundError):
            (folder / name).chmod(0o600)


def shut_door(folder: Path) -> None:
    """Removes the socket: one that a killed nginx has left behind keeps the next from listening there."""
    for name in (DOOR, STANDBY_DOOR, "detour.sock"):
        (folder / name).unlink(missing_ok=True)


def drain(folder: Path) -> frozenset[str]:
    """Turns `live` into `draining` and returns the keys in it. Left over from a crash, `draining` is the truth
    when there is no `live`."""
    if (folder / LIVE).is_dir():
        shutil.rmtree(folder / DRAINING, ignore_errors=True)
        (folder / LIVE).rename(folder / DRAINING)
    return frozenset(files.names_in(str(folder / DRAINING)))


def admit(folder: Path, ids: Collection[str], passing: Callable[[], Collection[str]] | None = None) -> None:
    """Lets keys in, while draining, that no generation has known yet: the next one will. `passing` as in `fill`."""
    draining = make_like(folder, DRAINING)
    for key_id in ids:
        (draining / _safe(key_id)).touch(0o600)
    for key_id in set(ids) - (set(ids) if passing is None else set(passing())):
        revoke(folder, key_id)


def fill(
    folder: Path,
    ids: Collection[str],
    drained: Collection[str] = (),
    passing: Callable[[], Collection[str]] | None = None,
) -> None:
    """Makes these keys valid and ends draining.

    A key that was withdrawn since `drained` were seen stays out, and so does one that `passing`, asked last, does not
    name: whoever revokes swaps the ring first and then takes the files away, so one of the two sees the other.
    """
    live = make_like(folder, LIVE)
    for key_id in ids:
        (live / _safe(key_id)).touch(0o600)
    wanted = set(ids) - (set(drained) - set(files.names_in(str(folder / DRAINING))))
    if passing is not None:
        wanted &= set(passing())
    sync_live(folder, wanted)
    shutil.rmtree(folder / DRAINING, ignore_errors=True)


def _group(folder: Path) -> int | None:
    info = folder.stat()
    return info.st_gid if info.st_mode & stat.S_IXGRP else None


def _safe(key_id: str) -> str:
    if not key_id or "/" in key_id or key_id in (".", ".."):
        raise ExposerError(f"{key_id!r} cannot be a key's id")
    return key_id
