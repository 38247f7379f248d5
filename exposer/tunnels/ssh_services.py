"""Services on the internet that give an address over SSH: whom to call, and which of their words is the address."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from exposer.config.model import Tunnel

SSH_PORT = 22


@dataclass(frozen=True, slots=True)
class Service:
    """One service. `says` is a whole line with the address in it, `suffixes` what the address's host must end in:
    they also print links to their own pages."""

    host: str
    says: re.Pattern[str]
    suffixes: tuple[str, ...]
    port: int = SSH_PORT
    user: str = ""
    remote_port: int = 80


SERVICES = {
    "localhost.run": Service(
        "localhost.run",
        re.compile(r"(?P<name>\S+) tunneled with tls termination, (?P<url>https://(?P=name))"),
        (".lhr.life",),
        user="nokey",
    ),
    "pinggy": Service(
        "free.pinggy.io", re.compile(r"(?P<url>https://\S+)"), (".pinggy.link",), port=443, remote_port=0
    ),
    "serveo": Service(
        "serveo.net",
        re.compile(r"Forwarding HTTP traffic from (?P<url>https://\S+)"),
        (".serveo.net", ".serveousercontent.com"),
    ),
}
_LABELS = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}")
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def settled(tunnel: Tunnel) -> Tunnel:
    """The tunnel with what its service fills in; what the user has set stays."""
    service = SERVICES.get(tunnel.service)
    if service is None:
        return tunnel
    return replace(
        tunnel,
        host=tunnel.host or service.host,
        user=tunnel.user or service.user,
        port=service.port if tunnel.port == SSH_PORT else tunnel.port,
        remote_port=tunnel.remote_port or service.remote_port,
    )


def address_in(name: str, lines: Iterable[str]) -> str:
    """The address that the service named last, "" while it has named none."""
    found = [url for line in lines if (url := read_address(SERVICES[name], line))]
    return found[-1] if found else ""


def read_address(service: Service, line: str) -> str:
    """The address in one line, if the line is the one that tells it and the host is one of the service's."""
    match = service.says.fullmatch(_COLOURS.sub("", line).strip())
    if match is None:
        return ""
    try:
        parts = urlsplit(match.group("url"))
        host, odd = parts.hostname or "", parts.port is not None or parts.username is not None
    except ValueError:
        return ""
    if odd or parts.path not in ("", "/") or parts.query or parts.fragment or not _LABELS.fullmatch(host):
        return ""
    return f"https://{host}" if host.endswith(service.suffixes) else ""
