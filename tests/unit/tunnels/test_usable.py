"""What `tunnel list` says of a provider that needs a library which is an extra."""

import sys

import pytest

from exposer.config.model import Tunnel
from exposer.tunnels.usable import survey


def server(*configured: Tunnel):
    return next(found for found in survey(*configured) if found.provider == "server")


@pytest.fixture
def without_acme(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the extra is not installed: nothing on the path has that name."""
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    for name in [name for name in sys.modules if name.split(".")[0] == "acme"]:
        monkeypatch.delitem(sys.modules, name)


def test_server_is_usable_where_the_library_for_acme_is() -> None:
    assert server().usable


def test_server_is_not_usable_without_the_library_for_acme_and_says_how_to_get_it(without_acme: None) -> None:
    found = server()
    assert not found.usable
    assert "exposer[server]" in found.hint


def test_with_a_certificate_of_ones_own_server_needs_no_library(without_acme: None) -> None:
    assert server(Tunnel("server", hostname="a.example", certificate="/c", key="/k")).usable
