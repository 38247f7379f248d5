"""The list of providers."""

from pathlib import Path

import pytest

from exposer import tunnels
from exposer.config.model import Tunnel
from exposer.errors import ConfigError
from exposer.secret import Secret
from exposer.supervisor.ports import Part


def made(provider: str, folder: Path) -> Part:
    return tunnels.make(Tunnel(provider), "n", "127.0.0.1:1", str(folder), str(folder), lambda ref: Secret(""))


@pytest.mark.parametrize("provider", tunnels.PROVIDERS)
def test_each_provider_makes_a_part_of_its_kind(provider: str, tmp_path: Path) -> None:
    part = made(provider, tmp_path)
    assert part.role == "tunnel"
    assert type(part).__name__.lower() == provider
    assert part.digest


def test_a_provider_that_is_not_known_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cloudflared, local, ngrok, server, ssh"):
        made("cloudflare", tmp_path)
