"""Alarms on a real exposure that take it offline without a person."""

import json
from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.exposure import Exposure, free_port, get, sample_config

pytestmark = pytest.mark.nginx


def reason(exposure: Exposure) -> str:
    """Why the newest incident happened."""
    paths = sorted(Path(exposure.state, exposure.name, "incidents").glob("*.json"))
    return str(json.loads(paths[-1].read_text())["reason"]) if paths else ""


def with_decoy(exposure: Exposure) -> str:
    exposure.up()
    done = exposure.run("keys", "add", "--decoy", "bait", "--json")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["key"])


def test_a_decoy_key_that_is_used_sets_off_the_panic(sample: Exposure) -> None:
    key = with_decoy(sample)
    # The gateway knows the decoy after a moment; whoever has it tries again.
    eventually(lambda: sample.get("/api/notes", key=key).status == 0, within=30)
    eventually(lambda: sample.phase() == "panicked" and get(sample.url).status == 0, within=30)
    eventually(lambda: "tripwire decoy-key" in reason(sample), within=20)


def test_a_tripwire_that_is_turned_off_only_tells(make_exposure) -> None:
    exposure = make_exposure(sample_config(free_port(), "[panic]\non = []\n"))
    key = with_decoy(exposure)

    def told() -> bool:
        assert exposure.get("/api/notes", key=key).status == 401
        return "decoy-used" in exposure.run("audit", "--events", "--json").stdout

    eventually(told, within=20)
    assert exposure.get("/api/notes").status == 200
    assert exposure.phase() == "online"


def test_somebody_who_tries_out_many_paths_sets_off_the_panic_when_asked_for(make_exposure) -> None:
    exposure = make_exposure(sample_config(free_port(), '[panic]\non = ["probing"]\n'))
    exposure.up()
    for number in range(40):
        if exposure.get(f"/admin/{number}").status == 0:
            break
    eventually(lambda: exposure.phase() == "panicked" and get(exposure.url).status == 0, within=30)
    eventually(lambda: "tripwire probing" in reason(exposure), within=20)
