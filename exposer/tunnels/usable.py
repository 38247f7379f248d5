"""Which tunnels this machine could open now, and what is missing for the others."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from exposer import procs
from exposer.config.model import Tunnel
from exposer.errors import ExposerError, MissingError
from exposer.tunnels import cloudflared, ngrok, ssh
from exposer.tunnels.program import find_program, is_downloader

INSTALL_ACME = 'pip install "exposer[server]", or give a certificate of your own (tunnel.certificate and tunnel.key)'
# ssh can say by itself that a forward is up since then.
OLDEST_SSH = (8, 5)


@dataclass(frozen=True, slots=True)
class Usable:
    """One provider. `why` says what is missing, or what is worth knowing; `program` is "" where none is needed."""

    provider: str
    usable: bool
    program: str = ""
    version: str = ""
    why: str = ""
    hint: str = ""


def survey(*configured: Tunnel) -> list[Usable]:
    """Every provider; the program that the config names counts for the provider that it names."""

    def binary(provider: str) -> str:
        return next((tunnel.binary for tunnel in reversed(configured) if tunnel.provider == provider), "")

    return [
        _looked("cloudflared", binary("cloudflared"), _cloudflared),
        _looked("ngrok", binary("ngrok"), _ngrok),
        _looked("ssh", binary("ssh"), _ssh),
        _server(configured),
        Usable("local", True, why="for trying: this machine only"),
    ]


def _server(configured: Sequence[Tunnel]) -> Usable:
    """Without the library for ACME it takes a certificate of one's own."""
    if any(tunnel.provider == "server" and tunnel.certificate for tunnel in configured):
        return Usable("server", True, why="by your own certificate; this machine must be within reach")
    if find_spec("acme") is None:
        return Usable("server", False, why="the library for ACME authorities is not there", hint=INSTALL_ACME)
    return Usable("server", True, why="this machine itself must be within reach from the internet")


def _looked(provider: str, binary: str, look: Callable[[str], Usable]) -> Usable:
    try:
        return look(binary)
    except (ExposerError, OSError, TimeoutError) as error:
        return Usable(provider, False, why=str(error), hint=getattr(error, "hint", ""))


def _cloudflared(binary: str) -> Usable:
    path = find_program(binary, "cloudflared", "cloudflared", cloudflared.INSTALL, refuse=is_downloader)
    version = cloudflared.version_of(path)
    return Usable("cloudflared", True, path, version, "without an account the address changes with every start")


def _ngrok(binary: str) -> Usable:
    path = find_program(binary, "ngrok", "the ngrok agent", ngrok.INSTALL, refuse=is_downloader)
    version = ngrok.agent_version(path)
    return Usable("ngrok", True, path, version, ngrok.ageing(version) or "needs the account's authtoken")


def _ssh(binary: str) -> Usable:
    path = find_program(binary, "ssh", "an OpenSSH client", ssh.INSTALL)
    match = re.search(r"OpenSSH_(\d+)\.(\d+)\S*", procs.run([path, "-V"], timeout=10.0).err)
    if match is None or (int(match.group(1)), int(match.group(2))) < OLDEST_SSH:
        raise MissingError(f"{path} is not OpenSSH 8.5 or newer", ssh.INSTALL)
    return Usable("ssh", True, path, match.group(), "needs a server of your own, or tunnel.service")
