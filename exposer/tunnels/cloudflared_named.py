"""What makes a named Cloudflare tunnel ours: a token, or a credentials file and the rules that we write for it."""

import base64
import binascii
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from exposer.config.model import SecretRef, Tunnel
from exposer.secret import Secret
from exposer.tunnels.fact import TunnelConfigError, TunnelError

HOSTNAME = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_KNOWN = ("AccountTag", "TunnelSecret", "TunnelID")


@dataclass(frozen=True, slots=True)
class Named:
    """A tunnel of the user's own. `credentials` is the JSON that cloudflared reads, "" when a token is all we have."""

    hostname: str
    token: str = ""
    credentials: str = ""
    tunnel_id: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        secret = json.loads(self.credentials)["TunnelSecret"] if self.credentials else ""
        return tuple(word for word in (self.token, secret) if word)


def token_fault(token: str) -> str:
    """What is wrong with a tunnel's token; "" when it has the right form. Never repeats any of it."""
    try:
        data = json.loads(base64.b64decode(token.encode("ascii"), validate=True))
    except (ValueError, binascii.Error):
        return "it is not base64 of JSON; copy the whole long word that begins with eyJ"
    if not isinstance(data, dict) or not all(isinstance(data.get(key), str) and data[key] for key in "ats"):
        return "it lacks the account, the tunnel or the secret"
    return "" if _is_uuid(data["t"]) else "its tunnel id is not a UUID"


def credentials_fault(text: str) -> str:
    """What is wrong with a tunnel's credentials file; "" when it has the right form. Never repeats any of it."""
    try:
        data = json.loads(text)
    except ValueError:
        return "it is not JSON; `cloudflared tunnel create` writes it"
    if not isinstance(data, dict) or not all(isinstance(data.get(key), str) and data[key] for key in _KNOWN):
        return f"it lacks {', '.join(_KNOWN[:-1])} or {_KNOWN[-1]}"
    return "" if _is_uuid(data["TunnelID"]) else "its TunnelID is not a UUID"


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def named(tunnel: Tunnel, resolve: Callable[[SecretRef], Secret]) -> Named | None:
    """The named tunnel that the config asks for; None for a quick one. Raises ConfigError, TunnelError."""
    place = tunnel.token or tunnel.credentials
    if place is None:
        if tunnel.hostname:
            raise TunnelConfigError(
                "tunnel.hostname needs tunnel.token or tunnel.credentials: a quick tunnel's name cannot be chosen",
                "make a tunnel with `exposer tunnel setup cloudflared`, or leave hostname away",
            )
        return None
    hostname = plain_hostname(tunnel.hostname)
    if not HOSTNAME.fullmatch(hostname):
        raise TunnelConfigError(
            "tunnel.hostname should be the public name of the tunnel, like api.example.org",
            "cloudflared does not know it; it is what the dashboard shows under Public Hostname",
        )
    text = resolve(place).reveal().strip()
    if tunnel.token is not None:
        if fault := token_fault(text):
            raise TunnelError(f"the token in {place} is not one of a Cloudflare tunnel: {fault}", fatal=True)
        return Named(hostname, token=text)
    if fault := credentials_fault(text):
        raise TunnelError(f"what {place} holds is no tunnel's credentials file: {fault}", fatal=True)
    return Named(hostname, credentials=text, tunnel_id=str(json.loads(text)["TunnelID"]))


def plain_hostname(text: str) -> str:
    return text.strip().lower().removeprefix("https://").rstrip("/")


def config_text(found: Named | None, service: str, credentials_file: str) -> bytes:
    """The config file of our own. For a tunnel by token it is empty: it only keeps the user's own file out."""
    import yaml

    if found is None:
        config: dict[str, Any] = {"ingress": [{"service": service}]}
    elif not found.credentials:
        config = {}
    else:
        rules = [{"hostname": found.hostname, "service": service}, {"service": "http_status:404"}]
        config = {"tunnel": found.tunnel_id, "credentials-file": credentials_file, "ingress": rules}
    return yaml.safe_dump(config, sort_keys=False).encode()
