"""The own program that puts a record into the DNS: what it is told, and what its failure means."""

import json
import sys
from pathlib import Path

import pytest

from exposer.errors import ExposerError, MissingError
from exposer.tls.dns import DnsHook


def hook(tmp_path: Path, end: str = "") -> DnsHook:
    said = tmp_path / "said"
    code = f"import sys; open({str(said)!r}, 'a').write(sys.stdin.read() + chr(10)); {end}"
    return DnsHook((sys.executable, "-c", code), 0.0)


def told(tmp_path: Path) -> list[str]:
    return [json.loads(line)["action"] for line in (tmp_path / "said").read_text().splitlines()]


def check_that_fails(dns: DnsHook) -> None:
    with dns.record("_acme-challenge.a.example", "v"):
        raise KeyError("the authority says no")


def test_the_record_is_removed_although_the_check_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        check_that_fails(hook(tmp_path))
    assert told(tmp_path) == ["add", "remove"]


def test_a_program_that_fails_ends_the_try_with_its_own_words(tmp_path: Path) -> None:
    with (
        pytest.raises(ExposerError, match="no such zone") as caught,
        hook(tmp_path, "sys.exit('no such zone')").record("n", "v"),
    ):
        raise AssertionError
    assert "tunnel.dns_hook" in caught.value.hint


def test_a_program_that_is_not_there_is_missed(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no such program"), DnsHook((str(tmp_path / "none"),)).record("n", "v"):
        raise AssertionError
