"""The own program that puts a record into the DNS: what it is told, and what its failure means."""

import json
import sys
from pathlib import Path

import pytest

from exposer.errors import ExposerError, MissingError
from exposer.tls.dns import DnsHook


def hook(tmp_path: Path, end: str = "", memory: Path | None = None) -> DnsHook:
    said = tmp_path / "said"
    code = f"import sys; open({str(said)!r}, 'a').write(sys.stdin.read() + chr(10)); {end}"
    return DnsHook((sys.executable, "-c", code), 0.0, memory)


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


def test_the_program_bears_our_mark_so_that_panic_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPOSER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("EXPOSER_RUNTIME_DIR", str(tmp_path / "run"))
    memory = tmp_path / "state" / "demo" / "tls" / "dns-records.json"
    memory.parent.mkdir(parents=True)
    shown = tmp_path / "shown"
    code = f"import os; open({str(shown)!r}, 'w').write(os.environ['EXPOSER_PART'])"
    with hook(tmp_path, code, memory).record("n", "v"):
        assert shown.read_text() == f"{tmp_path}/run/demo:dns-records"


def values(tmp_path: Path) -> list[tuple[str, str]]:
    lines = (tmp_path / "said").read_text().splitlines()
    return [(each["action"], each["value"]) for each in map(json.loads, lines)]


def test_what_a_killed_one_has_left_is_removed_by_the_next(tmp_path: Path) -> None:
    memory = tmp_path / "records"
    killed = hook(tmp_path, memory=memory).record("n", "old")
    killed.__enter__()  # and nobody leaves it
    with hook(tmp_path, memory=memory).record("n", "new"):
        assert values(tmp_path) == [("add", "old"), ("remove", "old"), ("add", "new")]
    assert not memory.exists()


def test_what_could_not_be_removed_is_tried_again(tmp_path: Path) -> None:
    memory = tmp_path / "records"
    failing = f"sys.exit('remove' in open({str(tmp_path / 'said')!r}).readlines()[-1])"
    for value in ("1", "2"):
        with hook(tmp_path, failing, memory).record("n", value):
            pass
    assert json.loads(memory.read_text()) == [["n", "1"], ["n", "2"]]
    with hook(tmp_path, memory=memory).record("n", "3"):
        assert values(tmp_path)[-3:] == [("remove", "1"), ("remove", "2"), ("add", "3")]
    assert not memory.exists()


@pytest.mark.parametrize("torn", [b"", b"{", b'"n"', b"[1]", b'[["n"]]'])
def test_a_torn_memory_hinders_nothing(tmp_path: Path, torn: bytes) -> None:
    memory = tmp_path / "records"
    memory.write_bytes(torn)
    memory.chmod(0o600)
    with hook(tmp_path, memory=memory).record("n", "v"):
        pass
    assert told(tmp_path) == ["add", "remove"]


def test_without_a_place_to_remember_it_nothing_is_put_into_the_dns(tmp_path: Path) -> None:
    with (
        pytest.raises(ExposerError),
        hook(tmp_path, memory=tmp_path / "none" / "records").record("n", "v"),
    ):
        raise AssertionError
    assert not (tmp_path / "said").exists()
