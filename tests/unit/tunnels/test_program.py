"""Finding programs, reading their logs, naming their wishes."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from exposer.config.model import SecretRef, Tunnel
from exposer.errors import MissingError
from exposer.procs import Entry, ProcessId
from exposer.tunnels import program, provider
from exposer.tunnels.fact import TunnelConfigError


def test_a_wish_is_named_by_its_config_and_the_gateways_address() -> None:
    tunnel = Tunnel("cloudflared", token=SecretRef("env", "A"))
    name = provider.digest_of(tunnel, "127.0.0.1:8080")
    assert name == provider.digest_of(replace(tunnel), "127.0.0.1:8080")
    others = [
        provider.digest_of(tunnel, "127.0.0.1:8081"),
        provider.digest_of(replace(tunnel, token=SecretRef("env", "B")), "127.0.0.1:8080"),
        provider.digest_of(replace(tunnel, hostname="a.example"), "127.0.0.1:8080"),
    ]
    assert len({name, *others}) == 4


@pytest.mark.parametrize("listen", ["0.0.0.0:80", "8080", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "[::1]:80"])
def test_a_tunnel_leads_to_this_machines_loopback_only(listen: str) -> None:
    with pytest.raises(TunnelConfigError, match=r"127\.0\.0\.1:PORT"):
        program.port_of(listen)


def test_the_port_is_read_from_the_gateways_address() -> None:
    assert program.port_of("127.0.0.1:8080") == 8080


def entry(log: Path, begin: int = 0) -> Entry:
    return Entry("tunnel", detail={"log": str(log), "log_from": begin})


def test_only_the_lines_of_this_run_are_read(tmp_path: Path) -> None:
    log = tmp_path / "tunnel.log"
    log.write_text("old\n")
    begin = log.stat().st_size
    with log.open("a") as file:
        file.write("new\nunfini")
    assert program.lines_of(entry(log, begin)) == ["new", ""]
    assert program.lines_of(entry(log, begin), final=True) == ["new", "unfini"]


def test_of_a_long_log_the_torn_first_line_is_left_out(tmp_path: Path) -> None:
    log = tmp_path / "tunnel.log"
    log.write_text("".join(f"line {number:06d}\n" for number in range(20_000)))
    lines = program.lines_of(entry(log))
    assert all(len(line) in (0, 11) for line in lines)
    assert lines[-2] == "line 019999"
    assert program.lines_of(entry(log), head=True)[0] == "line 000000"


def test_a_log_that_was_begun_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "tunnel.log"
    log.write_text("fresh\n")
    assert program.lines_of(entry(log, 1000)) == ["fresh", ""]


def test_a_log_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert program.lines_of(entry(tmp_path / "none")) == []
    assert program.lines_of(Entry("tunnel")) == []


def script(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def test_the_script_of_pyngrok_is_passed_over_for_the_real_one_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("venv", "usr"):
        (tmp_path / folder).mkdir()
    script(tmp_path / "venv" / "ngrok", "#!/usr/bin/python3\nimport sys\nfrom pyngrok.ngrok import main\n")
    real = script(tmp_path / "usr" / "ngrok", "#!/bin/sh\nexit 0\n")
    monkeypatch.setenv("PATH", f"{tmp_path}/venv:{tmp_path}/usr")
    assert program.find_program("", "ngrok", "ngrok", "", refuse=program.is_downloader) == real


def test_a_program_that_is_nowhere_is_missed_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match="not on PATH") as caught:
        program.find_program("", "cloudflared", "cloudflared", "install it")
    assert caught.value.hint == "install it"
    with pytest.raises(MissingError, match="nowhere"):
        program.find_program(str(tmp_path / "nowhere"), "cloudflared", "cloudflared", "")


def test_a_process_is_known_by_a_word_of_its_command() -> None:
    me = ProcessId.of(os.getpid())
    assert me is not None
    assert program.says(me, "python")
    assert not program.says(me, "no-such-word-in-it")
    assert not program.says(me, "")
