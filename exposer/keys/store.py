"""The ring's encrypted file: read, changed under a lock, swapped whole, with the last good generation kept."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from exposer import files
from exposer.errors import ExposerError
from exposer.keys import master as masters
from exposer.keys.master import MasterKeyError
from exposer.keys.model import Key, KeyState, Ring
from exposer.keys.ring import new_ring
from exposer.secret import Secret

T = TypeVar("T")
HEADER = b"exposer-keyring-1\n"
KNOWN = {field.name for field in fields(Key)}


class RingBrokenError(ExposerError):
    """The ring cannot be read: nothing passes until a person has decided how to go on."""

    code = "keyring"


class RingStore:
    """`keyring` in an exposure's state folder. It is encrypted with `master`, when the config names one (it is asked
    each time, and raises MissingError); else with a key of our own, of which `keyring.key` (0600) beside it knows."""

    def __init__(self, folder: Path, master: Callable[[], Secret] | None = None) -> None:
        self.path = folder / "keyring"
        self.key_path = folder / "keyring.key"
        self.backup = folder / "keyring.last"
        self._lock = folder / "keyring.lock"
        self._master = master

    def exists(self) -> bool:
        return os.path.lexists(self.path)

    def stamp(self) -> tuple[int, ...]:
        """Changes whenever the file, or the key to it, changes; cheap enough for every cycle. Zeros for no file."""
        return (*_stamp(self.path), *_stamp(self.key_path))

    def read(self) -> Ring:
        """The ring; an empty new one when there is no file yet. Raises RingBrokenError."""
        try:
            sealed = files.read_private(str(self.path))
        except FileNotFoundError:
            return new_ring()
        except OSError as error:
            raise self._broken(f"cannot be read ({error.strerror})") from error
        if not sealed.startswith(HEADER):
            raise self._broken("is not a key ring of this version, or is torn")
        try:
            return _ring(json.loads(self._opened(sealed)))
        except NewerRingError as error:
            raise RingBrokenError(
                f"{self.path} was written by a newer version of exposer", "upgrade exposer"
            ) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            whose = "auth.master" if self._master else "keyring.key"
            raise self._broken(f"is damaged, or {whose} does not belong to it") from error

    def change(self, how: Callable[[Ring], tuple[Ring, T]]) -> T:
        """Applies a change under the lock, so that two commands at once never lose one another's."""
        with files.FileLock(str(self._lock)):
            before = self.read()
            after, result = how(before)
            if after is not before:
                self._write(before, after)
            return result

    def seal(self, text: str) -> str:
        """Encrypts something else with the ring's key. Raises RingBrokenError, ValueError or OSError, as when there is
        no ring yet."""
        from cryptography.fernet import Fernet

        return Fernet(self._masters_key() if self._master else self._own_key()).encrypt(text.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """Decrypts that again; raises as `seal` does."""
        return self._decrypted(sealed.encode()).decode()

    def _opened(self, sealed: bytes) -> bytes:
        return self._decrypted(sealed[len(HEADER) :])

    def _decrypted(self, token: bytes) -> bytes:
        """Decrypts with the key there is. A master that is new in the config finds a ring with a key of our own: that
        is taken too, and the next change encrypts it with the master."""
        from cryptography.fernet import Fernet, InvalidToken

        keys = [self._masters_key, self._own_key] if self._master else [self._own_key]
        trouble: Exception = ValueError("no key fits")
        for number, key in enumerate(keys):
            try:
                return Fernet(key()).decrypt(token)
            except (OSError, ValueError, InvalidToken) as error:
                trouble = trouble if number else error
        raise ValueError("no key fits") from trouble

    def _masters_key(self) -> bytes:
        assert self._master is not None  # noqa: S101
        try:
            return masters.derived(self._master())
        except ExposerError as error:
            raise RingBrokenError(
                f"the key ring cannot be opened: {error.message}; nothing passes", error.hint
            ) from error

    def _own_key(self) -> bytes:
        try:
            return masters.kept(self.key_path)
        except MasterKeyError as error:
            raise RingBrokenError(
                f"the key ring cannot be opened: {error.message}; nothing passes", error.hint
            ) from error

    def _write(self, before: Ring, after: Ring) -> None:
        from cryptography.fernet import Fernet

        if self._master is None and not os.path.lexists(self.key_path):
            masters.make(self.key_path, Fernet.generate_key(), self.path.parent.name)
        try:
            fernet = Fernet(self._masters_key() if self._master else self._own_key())
        except (OSError, ValueError) as error:
            raise self._broken("cannot be written: keyring.key beside it is damaged") from error
        if self.exists():  # encrypted anew: the key to the one on disk may be about to go
            files.swap(str(self.backup), _sealed(fernet.encrypt, before))
        files.swap(str(self.path), _sealed(fernet.encrypt, after))
        if self._master is not None:
            self.key_path.unlink(missing_ok=True)

    def _broken(self, what: str) -> RingBrokenError:
        return RingBrokenError(
            f"the key ring {self.path} {what}; nothing passes",
            f"start afresh with new keys (rm {self.path} {self.key_path}, then exposer up), or put the last good one "
            f"back (mv {self.backup} {self.path}): what was revoked last may pass again then, see exposer keys list",
        )


class NewerRingError(ValueError):
    """A ring that says something we do not know: passing it over could let in who must not."""


def _sealed(encrypt: Callable[[bytes], bytes], ring: Ring) -> bytes:
    return HEADER + encrypt(json.dumps(asdict(ring)).encode())


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        info = os.lstat(path)  # in every cycle, and pathlib takes three times as long
    except OSError:
        return (0, 0, 0)
    return (info.st_ino, info.st_mtime_ns, info.st_size)


def _ring(data: dict[str, Any]) -> Ring:
    return Ring(salt=str(data["salt"]), keys=tuple(map(_key, data["keys"])), generation=int(data["generation"]))


def _key(data: dict[str, Any]) -> Key:
    if set(data) - KNOWN:
        raise NewerRingError
    rate, operations = data.get("rate"), data.get("operations", ())
    return Key(
        **{
            **data,
            "state": KeyState(data["state"]),
            "operations": tuple(map(str, operations)),
            "rate": None if rate is None else (int(rate[0]), int(rate[1])),
        }
    )
