"""What the kill switch is told about a tunnel's provider."""

import base64
import json
from collections.abc import Callable

import pytest

from exposer.config.model import SecretRef, Tunnel
from exposer.errors import MissingError
from exposer.secret import Secret
from exposer.tunnels.at_provider import at_provider

API = SecretRef("env", "API")
PLACE = SecretRef("env", "TUNNEL")
TOKEN = base64.b64encode(json.dumps({"a": "account", "t": "tunnel", "s": "hush"}).encode()).decode()
CREDENTIALS = json.dumps({"AccountTag": "account", "TunnelID": "tunnel", "TunnelSecret": "hush"})


def says(text: str) -> Callable[[SecretRef], Secret]:
    return lambda place: Secret(text)


def missing(place: SecretRef) -> Secret:
    raise MissingError("it is not there")


@pytest.mark.parametrize(
    ("tunnel", "text"),
    [
        (Tunnel("cloudflared", token=PLACE, api_token=API), TOKEN),
        (Tunnel("cloudflared", credentials=PLACE, api_token=API), CREDENTIALS),
    ],
)
def test_a_named_tunnel_is_told_by_its_numbers_and_never_by_its_secret(tunnel: Tunnel, text: str) -> None:
    job = at_provider(tunnel, "one", says(text))
    assert job == {"provider": "cloudflared", "credential": "env:API", "account": "account", "tunnel": "tunnel"}


def test_of_ngrok_it_is_our_own_sessions() -> None:
    job = at_provider(Tunnel("ngrok", token=PLACE, api_token=API), "one", missing)
    assert job == {"provider": "ngrok", "credential": "env:API", "metadata": "exposer:one"}


@pytest.mark.parametrize(
    ("tunnel", "resolve"),
    [
        (Tunnel("cloudflared", token=PLACE), says(TOKEN)),
        (Tunnel("cloudflared", api_token=API), says(TOKEN)),
        (Tunnel("cloudflared", token=PLACE, api_token=API), says("no token")),
        (Tunnel("cloudflared", token=PLACE, api_token=API), missing),
        (Tunnel("ssh", api_token=API), missing),
    ],
)
def test_what_is_not_known_is_left_alone(tunnel: Tunnel, resolve: Callable[[SecretRef], Secret]) -> None:
    assert at_provider(tunnel, "one", resolve) == {}
