"""What the kill switch needs to cut a tunnel at its provider: names and a reference, never a secret itself."""

import base64
import json
from collections.abc import Callable, Mapping

from exposer.config.model import SecretRef, Tunnel
from exposer.errors import ExposerError
from exposer.secret import Secret


def at_provider(tunnel: Tunnel, name: str, resolve: Callable[[SecretRef], Secret]) -> Mapping[str, str]:
    """Nothing when no `tunnel.api_token` is configured, or when it is not known which tunnel it is."""
    if tunnel.api_token is None:
        return {}
    job = {"provider": tunnel.provider, "credential": str(tunnel.api_token)}
    if tunnel.provider == "ngrok":
        return {**job, "metadata": f"exposer:{name}"}
    place = tunnel.token or tunnel.credentials
    if tunnel.provider != "cloudflared" or place is None:
        return {}
    try:
        text = resolve(place).reveal().strip()
        known = json.loads(text if tunnel.credentials else base64.b64decode(text))
        names = ("AccountTag", "TunnelID") if tunnel.credentials else ("a", "t")
        return {**job, "account": str(known[names[0]]), "tunnel": str(known[names[1]])}
    except (ExposerError, ValueError, KeyError, TypeError):
        return {}
