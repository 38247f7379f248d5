"""A second listener of the gateway that speaks TLS: with which certificate, and where."""

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from exposer.errors import ExposerError
from exposer.gateway import folder as place
from exposer.gateway import host
from exposer.secret import Secret

CERTIFICATE, KEY, LISTEN = "tls.pem", "tls.key", "secure"


@dataclass(frozen=True, slots=True)
class Front:
    """The certificate (with its chain) and its key, as PEM. It listens on a port of 127.0.0.1."""

    certificate: str
    key: Secret

    def files(self) -> dict[str, str]:
        """What nginx reads; all of the gateway's files are 0600, and the master reads these before it has workers."""
        return {CERTIFICATE: self.certificate, KEY: self.key.reveal()}


def secure_address(folder: Path) -> str:
    """Where the gateway in this folder speaks TLS; "" when it does not."""
    return place.read(folder, [LISTEN]).get(LISTEN, "")


def choose_address(folder: Path, mine: str) -> str:
    """The address of before when it is free, or `mine` already, so that clients still find us; else any that is."""
    last = secure_address(folder)
    if last and last == mine:
        return last
    for port in _ports(last):
        with suppress(ExposerError):
            return f"127.0.0.1:{port()}"
    raise ExposerError("there is no free port of 127.0.0.1 for TLS")


def _ports(last: str) -> Iterator[Callable[[], int]]:
    number = last.rpartition(":")[2]
    if number.isdigit():
        yield lambda: host.check_port(int(number))
    yield host.free_port


def tidy(folder: Path, texts: Collection[str]) -> None:
    """Removes a certificate and its key that are in use no more."""
    for name in (CERTIFICATE, KEY):
        if name not in texts:
            (folder / name).unlink(missing_ok=True)
