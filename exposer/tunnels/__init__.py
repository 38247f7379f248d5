"""Tunnels: how the gateway gets a public address. One class for each provider; `make` picks it."""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from exposer.config.model import SecretRef, Tunnel
from exposer.secret import Secret
from exposer.tunnels.fact import TunnelConfigError

if TYPE_CHECKING:
    from exposer.tunnels.cloudflared import Cloudflared
    from exposer.tunnels.local import Local
    from exposer.tunnels.ngrok import Ngrok
    from exposer.tunnels.server import Server
    from exposer.tunnels.ssh import Ssh

# Each in a module of its own name, loaded when it is wanted.
PROVIDERS = {"cloudflared": "Cloudflared", "local": "Local", "ngrok": "Ngrok", "server": "Server", "ssh": "Ssh"}
# Those whose agents come in by a socket of the gateway: nobody else can.
BY_SOCKET = ("cloudflared", "ssh")
# The header in which a provider's edge says who calls; what a caller puts there is overwritten by it.
CALLERS = {"cloudflared": "CF-Connecting-IP"}


def make(
    tunnel: Tunnel,
    name: str,
    listen: str,
    runtime_dir: str,
    state_dir: str,
    resolve: Callable[[SecretRef], Secret],
    door: str = "",
    alone: bool = False,
) -> "Cloudflared | Local | Ngrok | Server | Ssh":
    """The part for `[tunnel]`. `listen` is the gateway's address, "127.0.0.1:PORT", `door` its unix socket for the
    tunnel; `alone` says that calls by the address are no use. Raises ConfigError."""
    if tunnel.provider not in PROVIDERS:
        known = ", ".join(sorted(PROVIDERS))
        raise TunnelConfigError(f"tunnel.provider: should be one of {known}, not {tunnel.provider!r}")
    provider: type[Local] = getattr(import_module(f"{__name__}.{tunnel.provider}"), PROVIDERS[tunnel.provider])
    return provider(tunnel, name, listen, runtime_dir, state_dir, resolve, door, alone)
