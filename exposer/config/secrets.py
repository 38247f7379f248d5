"""Fetches a secret from where the config says it is; no error ever holds its value."""

import importlib
import os
import stat

from exposer.config.model import SecretRef
from exposer.errors import MissingError
from exposer.secret import Secret

LARGEST = 64 * 1024
SERVICE = "exposer"  # in the keyring, when the reference names no service of its own


def resolve(ref: SecretRef) -> Secret:
    """The secret that `ref` points to. Raises MissingError when it is not there or not safe to use."""
    match ref.scheme:
        case "env":
            return _from_env(ref.name)
        case "file":
            return _from_file(ref.name)
        case "keyring":
            return _from_keyring(ref.name)
    raise MissingError("a secret's place is of an unknown kind", "use env:NAME, file:PATH or keyring:NAME")


def _from_env(name: str) -> Secret:
    value = os.environ.get(name, "")
    if not value:
        raise MissingError(f"the environment variable {name} is not set or empty", f"set {name}, then try again")
    if any(0xD800 <= ord(char) <= 0xDFFF for char in value):
        raise MissingError(f"the environment variable {name} is not UTF-8 text", f"set {name} anew")
    return Secret(value)


def _from_file(path: str) -> Secret:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise MissingError(f"there is no secret file {path}", "make it, with mode 0600") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no usable path"
        raise MissingError(f"the secret file {path} cannot be read: {why}", "check its owner and mode") from None
    try:
        _check_private(path, os.fstat(fd))
        data = _all_of(fd)
    except OSError as error:
        raise MissingError(f"the secret file {path} cannot be read: {error.strerror}", "try again") from None
    finally:
        os.close(fd)
    if len(data) > LARGEST:
        raise MissingError(f"the secret file {path} is larger than {LARGEST // 1024} KiB", "is it the right file?")
    try:
        value = data.decode()
    except UnicodeDecodeError:
        raise MissingError(f"the secret file {path} is not UTF-8 text", "is it the right file?") from None
    value = value.removesuffix("\n").removesuffix("\r")
    if not value:
        raise MissingError(f"the secret file {path} is empty", "put the secret into it")
    return Secret(value)


def _all_of(fd: int) -> bytes:
    data = b""
    while len(data) <= LARGEST and (piece := os.read(fd, LARGEST + 1)):
        data += piece
    return data


def _check_private(path: str, info: os.stat_result) -> None:
    if not stat.S_ISREG(info.st_mode):
        raise MissingError(f"the secret file {path} is not a regular file", "name a file")
    if info.st_mode & 0o077:
        mode = f"{stat.S_IMODE(info.st_mode):04o}"
        raise MissingError(f"the secret file {path} is open to other users (mode {mode})", f"chmod 600 {path}")


def _from_keyring(name: str) -> Secret:
    """`NAME` is looked up under our own service, `SERVICE/NAME` under that one."""
    service, _, user = name.rpartition("/")
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        hint = "pip install keyring, or use env:NAME or file:PATH"
        raise MissingError(f"keyring:{name} needs the Python package 'keyring', which is not here", hint) from None
    try:
        value = keyring.get_password(service or SERVICE, user)
    except Exception as error:  # keyrings raise what they like, and their texts are not ours to repeat
        raise MissingError(f"the keyring did not give {name} ({type(error).__name__})", "is it unlocked?") from None
    if not isinstance(value, str) or not value:
        hint = f"keyring set {service or SERVICE} {user}"
        raise MissingError(f"the keyring has no {user} for the service {service or SERVICE}", hint)
    return Secret(value)
