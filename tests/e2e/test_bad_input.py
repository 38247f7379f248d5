"""An unlucky user's config, command line and machine: each mistake is said once, clearly, and leaves nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.backends import engine_runs
from tests.support.eventually import eventually
from tests.support.exposure import Exposure, sample_config
from tests.support.ports import free_port
from tests.support.unlucky import left, moody, passing, refused

Make = Callable[..., Exposure]
needs_engine = pytest.mark.skipif(not engine_runs(), reason="no Docker engine")
BROKEN = """
engin = "process"
[backend]
command = ["x"]
image = "y"
prt = 3
[tunnel]
provider = "cloudflare"
[limits]
rate = "60/mim"
timeout = 45
"""
SECRET = "sk-live-7Hf93kdLq02mZx81TnVb"


def alone(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command in a folder that has no config."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("EXPOSER_")}
    argv = [sys.executable, "-m", "exposer", *words]
    return subprocess.run(argv, env=env, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("words", ["up", "up -d", "down", "status", "url", "keys list", "rotate-key", "logs", "unlock"])
def test_without_a_config_every_command_says_where_it_looked(tmp_path: Path, words: str) -> None:
    done = alone(tmp_path, *words.split())
    assert (done.returncode, done.stdout) == (3, "")
    assert f"there is no exposer.toml in {tmp_path}" in done.stderr
    assert "-f PATH" in done.stderr


def test_a_broken_config_tells_every_problem_at_once_with_its_line_and_a_guess(make_exposure: Make) -> None:
    exposure = make_exposure(BROKEN)
    says = (
        "exposer.toml has 6 problems",
        "exposer.toml:4: engin: there is no such key (did you mean 'engine'?)",
        "exposer.toml:5: backend: should have exactly one of",
        "exposer.toml:8: backend.prt: there is no such key (did you mean 'port'?)",
        "exposer.toml:10: tunnel.provider:",
        "(did you mean 'cloudflared'?)",
        "exposer.toml:12: limits.rate:",
        "exposer.toml:13: limits.timeout:",
    )
    refused(exposure, "up", code=3, says=says)
    refused(exposure, "up", "-d", code=3, says=says)
    refused(exposure, "config", "check", code=3, says=says)
    error = json.loads(refused(exposure, "up", "--json", code=3, says=()).stderr)["error"]
    assert (error["code"], len(error["problems"])) == ("config", 6)


@pytest.mark.parametrize("text", ["[backend\n", "engine = process\n", "a = [1,\n", "\x00"])
def test_what_is_not_toml_is_said_with_its_line(make_exposure: Make, text: str) -> None:
    refused(make_exposure(text), "up", "-d", code=3, says=["exposer.toml:", "is not valid TOML"])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[tunnel]", f'[tunnel]\ntoken = "{SECRET}"'),
        ("[tunnel]", f'[backend.auth]\nheader = "Authorization"\nvalue = "{SECRET}"\n[tunnel]'),
        ("[backend]", f'[backend]\nenv = {{ API_TOKEN = "{SECRET}" }}'),
        ('provider = "local"', f'provider = "{SECRET}"'),
        ("[backend]", f'[backend]\nimage = "{SECRET}"'),
        ("[backend]", f"[backend]\n{SECRET} = 1"),
    ],
)
def test_a_literal_secret_is_refused_and_never_repeated(make_exposure: Make, before: str, after: str) -> None:
    exposure = make_exposure(sample_config(free_port()).replace(before, after))
    for words in (("up", "-d"), ("up", "--json"), ("config", "check"), ("config", "show")):
        refused(exposure, *words, code=3, says=["exposer.toml"], never=[SECRET, SECRET[8:]])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["upp"], "did you mean 'up'?"),
        (["up", "--detatch"], "--detach"),
        (["up", "--timeout", "soon"], "--timeout"),
        (["keys", "show"], "LABEL"),
        (["keys", "add", "two words"], "cannot be a key's label"),
        (["keys", "revoke", "nobody"], "there is no valid key labelled 'nobody'"),
        (["rotate-key", "nobody"], "there is no key labelled 'nobody'"),
        (["rotate-key", "--grace", "later"], "--grace"),
        (["wait"], "--online"),
        (["wait", "--online", "--timeout", "soon"], "--timeout"),
        (["logs", "gatway"], "'gateway'"),
        (["down", "--purge"], "--yes"),
        (["--json"], "missing command"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_with_json_one_document(sample: Exposure, words: list[str], says: str) -> None:
    done = refused(sample, *words, code=2, says=[says])
    assert done.stderr.startswith("error: ") or words == ["--json"]
    error = json.loads(sample.run("--json", *words).stderr)
    assert set(error["error"]) == {"code", "message", "hint"}
    assert (error["schema"], error["error"]["code"]) == (1, "usage")


def test_follow_keeps_its_short_option_and_warns_of_nothing(sample: Exposure) -> None:
    done = sample.run("logs", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "-f, --follow" in done.stdout
    assert "--file PATH" in done.stdout


@pytest.mark.parametrize("words", ["url", "status", "keys list", "wait --online --timeout 1s"])
def test_asking_an_exposure_that_never_ran_makes_no_files(sample: Exposure, words: str) -> None:
    done = sample.run(*words.split())
    assert done.returncode in (0, 5, 7)
    assert "Traceback" not in done.stderr
    assert not sample.state.exists()
    assert not sample.runtime.exists()


def test_a_panic_lock_is_exit_code_6_and_starts_nothing(sample: Exposure) -> None:
    assert sample.run("panic").returncode == 0
    for words in (("up",), ("up", "-d")):
        done = sample.run(*words)
        assert done.returncode == 6
        assert "exposer unlock" in done.stderr
        assert left(sample) == []
    error = json.loads(sample.run("up", "--json").stderr)["error"]
    assert error["code"] == "locked"
    refusal = sample.run("keys", "add", "more")
    assert refusal.returncode == 6


@pytest.mark.nginx
def test_a_failed_start_takes_its_first_key_back_and_the_next_one_makes_another(make_exposure: Make) -> None:
    port = free_port()
    exposure = make_exposure(moody(port, "dead"))
    for _ in range(2):
        refused(exposure, "up", "-d", code=1, says=["exit code 1"])
    assert passing(exposure) == []
    assert json.loads(exposure.run("keys", "list", "--json").stdout)["keys"] == []
    exposure.write(moody(port))
    exposure.up()
    assert exposure.get("/api/notes").status == 200
    assert passing(exposure) == ["default"]


@pytest.mark.nginx
def test_two_starts_at_once_make_one_exposure_and_one_key(make_exposure: Make) -> None:
    exposure = make_exposure(moody(free_port(), "slow=1"))
    both = [exposure.begin("up", "-d") for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes in ([0, 1], [0, 0]), said
    assert [text for text in said if "another `exposer up` is starting" in text or "running already" in text]
    assert passing(exposure) == ["default"]
    key = next(line.split()[1] for text in said for line in text.splitlines() if line.startswith("  key "))
    exposure.url = exposure.run("url").stdout.strip()
    eventually(lambda: exposure.get("/api/notes", key=key).status == 200)
