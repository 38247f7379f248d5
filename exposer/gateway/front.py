"""A second listener of the gateway that speaks TLS: with which certificate, and where."""

import errno
import os
import socket
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from exposer import ports, procs
from exposer.errors import ExposerError
from exposer.gateway import folder as place
from exposer.secret import Secret

CERTIFICATE, KEY, LISTEN = "tls.pem", "tls.key", "secure"
SAME_PORT = 2.0  # how long the port of before is waited for: another may cost the public address


@dataclass(frozen=True, slots=True)
class Public:
    """For a server that the world calls by name: `port` of all its addresses speaks TLS, `plain` sends callers
    there and answers an authority's challenges with the account's `thumbprint`, if there is one. By `resolvers` nginx
    finds who speaks for a certificate that is `stapled`."""

    hostname: str
    port: int = 443
    plain: int = 80
    thumbprint: str = ""
    ipv6: bool = True
    stapled: bool = False
    resolvers: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        return f"https://{self.hostname}" + ("" if self.port == 443 else f":{self.port}")

    def insist_on_ports(self) -> None:
        """Raises ExposerError when callers could not come in here: nginx would only say that it could not bind."""
        for port, setting in ((self.port, "https_port"), (self.plain, "http_port")):
            if procs.wait_until(lambda port=port: not self._trouble(port), SAME_PORT):  # type: ignore[misc]
                continue
            why = self._trouble(port)
            hint = f"see who has it: sudo ss -ltnp 'sport = :{port}'; end that, or choose another with tunnel.{setting}"
            if why == os.strerror(errno.EACCES):
                hint = f"run exposer as root, or open it to you: sudo sysctl net.ipv4.ip_unprivileged_port_start={port}"
            raise ExposerError(f"port {port} of this machine cannot be used: {why}", hint)

    def _trouble(self, port: int) -> str:
        """What keeps us from listening on a port of all addresses; "" for nothing."""
        for family, everywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"))[: 1 + self.ipv6]:  # noqa: S104
            try:
                with socket.socket(family, socket.SOCK_STREAM) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    if family == socket.AF_INET6:
                        probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    probe.bind((everywhere, port))
            except OSError as error:
                return error.strerror or str(error)
        return ""


@dataclass(frozen=True, slots=True)
class Front:
    """The certificate (with its chain) and its key, as PEM; without them nothing speaks TLS yet. It listens on a port
    of 127.0.0.1, or for everybody when it is `public`."""

    certificate: str = ""
    key: Secret = field(default_factory=lambda: Secret(""))
    public: Public | None = None

    def files(self) -> dict[str, str]:
        """What nginx reads; all of the gateway's files are 0600, and the master reads these before it has workers."""
        return {CERTIFICATE: self.certificate, KEY: self.key.reveal()} if self.certificate else {}

    def address(self, folder: Path, mine: str) -> str:
        """Where it speaks TLS; "" for everywhere or nowhere. `mine` is where it does already."""
        return "" if self.public else choose_address(folder, mine, LISTEN)


def has_ipv6() -> bool:
    """Whether this machine's kernel has IPv6 at all: nginx does not start when it is to listen there and cannot."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


def secure_address(folder: Path) -> str:
    """Where the gateway in this folder speaks TLS; "" when it does not."""
    return place.read(folder, [LISTEN]).get(LISTEN, "")


def asked_address(port: int) -> str:
    """The address that `gateway.port` asks for. Raises ExposerError when another has it."""
    try:
        return f"127.0.0.1:{ports.check(port)}"
    except ExposerError as error:
        raise ExposerError(error.message, "choose another with gateway.port, or 0 for any that is free") from None


def choose_address(folder: Path, mine: str, name: str) -> str:
    """The address of before (in the file `name`) when it is free, or `mine` already, so that clients and tunnels still
    find us; else any that is."""
    last = place.read(folder, [name]).get(name, "")
    if last and last == mine:
        return last
    number = last.rpartition(":")[2]
    # The workers of one that was killed hold it for another moment.
    if number.isdigit() and procs.wait_until(lambda: ports.is_free(int(number)), SAME_PORT):
        return f"127.0.0.1:{number}"
    return f"127.0.0.1:{ports.free()}"


def tidy(folder: Path, texts: Collection[str]) -> None:
    """Removes a certificate and its key that are in use no more."""
    for name in (CERTIFICATE, KEY):
        if name not in texts:
            (folder / name).unlink(missing_ok=True)
