"""The key that the ring is encrypted with: from where the config says, from the system's keyring, or from a file."""

import base64
import importlib
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exposer import files
from exposer.errors import ExposerError
from exposer.secret import Secret

POINTER = b"system:"
SERVICE = "exposer"
PATIENCE = 5.0  # a keyring that wants to ask somebody never answers where nobody is
SHORTEST = 32


class MasterKeyError(ExposerError):
    """The key to the ring cannot be had."""

    code = "keyring"


def derived(master: Secret) -> bytes:
    """A key for the ring out of somebody's own secret. Raises MasterKeyError for one that can be guessed."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    text = master.reveal().encode()
    if len(text) < SHORTEST:
        raise MasterKeyError(
            f"auth.master has {len(text)} characters, and {SHORTEST} random ones are the least",
            "make one with: openssl rand -base64 32",
        )
    return base64.urlsafe_b64encode(HKDF(SHA256(), 32, salt=b"exposer", info=b"keyring").derive(text))


def kept(path: Path) -> bytes:
    """The key that we made ourselves: in the file, or in the system's keyring if the file says so. Raises OSError,
    MasterKeyError."""
    data = files.read_private(str(path), 4096)
    info = path.lstat()
    if info.st_uid != os.geteuid() or info.st_mode & 0o077:
        mode = f"mode {stat.S_IMODE(info.st_mode):04o}"
        raise MasterKeyError(f"{path} is open to other users, or is not yours ({mode})", f"chmod 600 {path}")
    if not data.startswith(POINTER):
        return data
    found = _bounded(lambda ring: ring.get_password(SERVICE, _user(data)))
    if not isinstance(found, str):
        raise MasterKeyError("the system's keyring does not give the key to the ring", "is it unlocked?")
    return found.encode()


def make(path: Path, fresh: bytes, name: str) -> bytes:
    """Puts a fresh key where it is kept from now on: into the system's keyring where there really is one, else into
    the file. Returns it. Raises OSError."""
    user = f"{name} {os.urandom(4).hex()}"

    def store(ring: Any) -> bool:
        ring.set_password(SERVICE, user, fresh.decode())
        return bool(ring.get_password(SERVICE, user) == fresh.decode())

    in_system = _bounded(store) is True
    files.swap(str(path), POINTER + user.encode() if in_system else fresh)
    return fresh


def _user(data: bytes) -> str:
    return data.removeprefix(POINTER).decode(errors="replace").strip()


def _bounded(ask: Callable[[Any], object]) -> object:
    """What the system's keyring says; None when there is none that can be used without asking anybody."""
    said: list[object] = []

    def run() -> None:
        try:
            module = importlib.import_module("keyring")
            if float(module.get_keyring().priority) >= 1:
                said.append(ask(module))
        except Exception:  # keyrings raise what they like, and their texts are not ours to repeat
            return

    thread = threading.Thread(target=run, name="keyring", daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return said[0] if said else None
