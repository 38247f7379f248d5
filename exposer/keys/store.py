"""The ring's encrypted file: read, changed under a lock, swapped whole, with the last good generation kept."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from exposer import files
from exposer.errors import ExposerError
from exposer.keys.model import Key, KeyState, Ring
from exposer.keys.ring import new_ring

T = TypeVar("T")
HEADER = b"exposer-keyring-1\n"


class RingBrokenError(ExposerError):
    """The ring cannot be read: nothing passes until a person has decided how to go on."""

    code = "keyring"


class RingStore:
    """`keyring` in an exposure's state folder, encrypted with the key in `keyring.key` (0600) beside it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "keyring"
        self.key_path = folder / "keyring.key"
        self.backup = folder / "keyring.last"
        self._lock = folder / "keyring.lock"

    def exists(self) -> bool:
        return os.path.lexists(self.path)

    def stamp(self) -> tuple[int, ...]:
        """Changes whenever the file, or the key to it, changes; cheap enough for every cycle. Zeros for no file."""
        return (*_stamp(self.path), *_stamp(self.key_path))

    def read(self) -> Ring:
        """The ring; an empty new one when there is no file yet. Raises RingBrokenError."""
        from cryptography.fernet import Fernet, InvalidToken

        try:
            sealed = files.read_private(str(self.path))
        except FileNotFoundError:
            return new_ring()
        except OSError as error:
            raise self._broken(f"cannot be read ({error.strerror})") from error
        if not sealed.startswith(HEADER):
            raise self._broken("is not a key ring of this version, or is torn")
        try:
            data = Fernet(files.read_private(str(self.key_path))).decrypt(sealed[len(HEADER) :])
            return _ring(json.loads(data))
        except (OSError, ValueError, InvalidToken, KeyError, TypeError) as error:
            raise self._broken("is damaged, or keyring.key does not belong to it") from error

    def change(self, how: Callable[[Ring], tuple[Ring, T]]) -> T:
        """Applies a change under the lock, so that two commands at once never lose one another's."""
        with files.FileLock(str(self._lock)):
            before = self.read()
            after, result = how(before)
            if after is not before:
                self._write(after)
            return result

    def _write(self, ring: Ring) -> None:
        from cryptography.fernet import Fernet

        if self.exists():
            files.swap(str(self.backup), files.read_private(str(self.path)))
        if not os.path.lexists(self.key_path):
            files.swap(str(self.key_path), Fernet.generate_key())
        try:
            fernet = Fernet(files.read_private(str(self.key_path)))
        except (OSError, ValueError) as error:
            raise self._broken("cannot be written: keyring.key beside it is damaged") from error
        files.swap(str(self.path), HEADER + fernet.encrypt(json.dumps(asdict(ring)).encode()))

    def _broken(self, what: str) -> RingBrokenError:
        return RingBrokenError(
            f"the key ring {self.path} {what}; nothing passes",
            f"start afresh with new keys (rm {self.path} {self.key_path}, then exposer up), or put the last good one "
            f"back (mv {self.backup} {self.path}): what was revoked last may pass again then, see exposer keys list",
        )


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        info = path.lstat()
    except OSError:
        return (0, 0, 0)
    return (info.st_ino, info.st_mtime_ns, info.st_size)


def _ring(data: dict[str, Any]) -> Ring:
    keys = tuple(Key(**{**item, "state": KeyState(item["state"])}) for item in data["keys"])
    return Ring(salt=str(data["salt"]), keys=keys, generation=int(data["generation"]))
