"""Whoever is named in [notify] hears of a cut, although the supervisor that tells else is dead by then."""

import json
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.eventually import eventually
from tests.support.exposure import Exposure, sample_config
from tests.support.ports import free_port
from tests.support.webhook import Receiver, receiver

pytestmark = pytest.mark.nginx
Make = Callable[..., Exposure]


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def told(hook: Receiver) -> list[dict[str, Any]]:
    return [json.loads(body) for _, _, body in hook.calls]


def kinds(hook: Receiver) -> list[str]:
    return [notice["event"] for notice in told(hook)]


def reports(exposure: Exposure) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in (exposure.state / exposure.name / "incidents").glob("*.json")]


def notices(exposure: Exposure) -> list[str]:
    return [line for report in reports(exposure) for line in report.get("notices", ())]


def test_a_panic_is_told_though_only_the_dead_supervisor_knew_where(make_exposure: Make, hook: Receiver) -> None:
    exposure = make_exposure(sample_config(free_port(), '[notify]\nwebhook = ["env:THE_HOOK"]\n'))
    exposure.env["THE_HOOK"] = f"{hook.url}/secret-path"
    exposure.up()
    del exposure.env["THE_HOOK"]
    done = exposure.run("panic", "--reason", "it leaks")
    assert done.returncode == 0, done.stderr
    assert "are being told" in done.stderr
    eventually(lambda: "panicked" in kinds(hook), within=30)
    (notice,) = [notice for notice in told(hook) if notice["event"] == "panicked"]
    assert notice["text"].endswith("by the kill switch: it leaks")
    assert (notice["data"]["locked"], notice["data"]["still_open"]) == (True, [])
    eventually(lambda: notices(exposure) == ["webhook env:THE_HOOK: told"], within=20)
    (report,) = (exposure.state / exposure.name / "incidents").glob("*.md")
    assert "## Notices" in report.read_text()
    assert "secret-path" not in report.read_text()


def test_a_tripwire_is_told(make_exposure: Make, hook: Receiver) -> None:
    exposure = make_exposure(sample_config(free_port(), f'[notify]\nwebhook = ["{hook.url}"]\n'))
    exposure.up()
    key = json.loads(exposure.run("keys", "add", "--decoy", "bait", "--json").stdout)["key"]
    eventually(lambda: exposure.get("/api/notes", key=key).status == 0, within=30)
    eventually(lambda: "panicked" in kinds(hook), within=40)
    assert "tripwire decoy-key" in next(notice["text"] for notice in told(hook) if notice["event"] == "panicked")


def test_that_nobody_could_be_told_is_in_the_report(make_exposure: Make) -> None:
    exposure = make_exposure(sample_config(free_port(), '[notify]\nwebhook = ["http://127.0.0.1:9/"]\n'))
    exposure.up()
    assert exposure.run("panic").returncode == 0
    eventually(lambda: notices(exposure), within=60)
    (said,) = notices(exposure)
    assert "webhook 127.0.0.1:9: not told:" in said


def test_a_config_that_is_broken_by_then_is_said(make_exposure: Make, hook: Receiver) -> None:
    exposure = make_exposure(sample_config(free_port(), f'[notify]\nwebhook = ["{hook.url}"]\n'))
    exposure.up()
    before = exposure.file.read_text()
    exposure.file.write_text("this is not TOML [")
    assert exposure.run("panic").returncode == 0
    eventually(lambda: notices(exposure), within=30)
    assert "nobody could be told" in notices(exposure)[0]
    exposure.file.write_text(before)


def test_a_cut_by_the_guard_is_told(make_exposure: Make, hook: Receiver) -> None:
    exposure = make_exposure(sample_config(free_port(), f'[notify]\nwebhook = ["{hook.url}"]\n'))
    exposure.up()
    exposure.shorten_lease()
    exposure.kill("supervisor", signal.SIGSTOP)
    eventually(lambda: "was-cut" in kinds(hook), within=60)
    assert "silent for longer than its lease" in next(each["text"] for each in told(hook) if each["event"] == "was-cut")


def test_who_is_named_later_is_told_and_a_drill_is_nobodys_business(make_exposure: Make, hook: Receiver) -> None:
    exposure = make_exposure(sample_config(free_port()))
    exposure.up()
    exposure.file.write_text(exposure.file.read_text() + f'[notify]\nwebhook = ["{hook.url}"]\n')
    eventually(
        lambda: [e["detail"].get("people") for e in exposure.ledger() if e["role"] == "supervisor"][-1], within=20
    )
    done = exposure.run("panic", "--drill", timeout=200)
    assert done.returncode == 0, done.stderr
    assert exposure.run("panic").returncode == 0
    eventually(lambda: "panicked" in kinds(hook), within=30)
    assert kinds(hook).count("panicked") == 1
