"""Alarms on a real exposure that take it offline without a person."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.exposure import REPOSITORY, Exposure, get, sample_config
from tests.support.ports import free_port

pytestmark = pytest.mark.nginx


def reason(exposure: Exposure) -> str:
    """Why the newest incident happened."""
    paths = sorted(Path(exposure.state, exposure.name, "incidents").glob("*.json"))
    return str(json.loads(paths[-1].read_text())["reason"]) if paths else ""


def events(exposure: Exposure) -> str:
    return exposure.run("audit", "--events", "--json").stdout


def tripped(exposure: Exposure, wire: str) -> None:
    """Waits until that wire has set off the panic."""
    eventually(lambda: exposure.phase() == "panicked" and get(exposure.url).status == 0, within=30)
    eventually(lambda: f"tripwire {wire}" in reason(exposure), within=20)


def gateway(exposure: Exposure) -> Path:
    return exposure.runtime / exposure.name / "gateway"


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


def test_how_many_probes_are_too_many_can_be_said(make_exposure) -> None:
    exposure = make_exposure(sample_config(free_port(), '[panic]\non = ["probing"]\nprobes = 3\n'))
    exposure.up()
    for number in range(4):
        exposure.get(f"/admin/{number}")
    tripped(exposure, "probing")


def test_somebody_who_tries_out_many_paths_is_only_told_when_the_wire_is_off(make_exposure) -> None:
    exposure = make_exposure(sample_config(free_port(), "[panic]\non = []\nprobes = 3\n"))
    exposure.up()
    for number in range(6):
        exposure.get(f"/admin/{number}")
    eventually(lambda: "probed" in events(exposure), within=20)
    assert exposure.get("/api/notes").status == 200
    assert exposure.phase() == "online"


def large_answers(make_exposure, panic: str) -> Exposure:
    """A backend whose one answer is far more than a key may take within an hour."""
    text = sample_config(free_port(), f'egress = "1kB/h"\nresponse = "100MB"\n[panic]\n{panic}\n')
    program = REPOSITORY / "tests" / "support" / "generous.py"
    exposure = make_exposure(text.replace(str(REPOSITORY / "scripts" / "sample_backend.py"), str(program)))
    exposure.up()
    return exposure


def test_a_key_that_takes_many_times_its_egress_is_paused_first_and_then_sets_off_the_panic(make_exposure) -> None:
    exposure = large_answers(make_exposure, 'on = ["egress"]\negress_factor = 10')
    assert len(exposure.get("/much").body) == 100_000
    tripped(exposure, "egress")
    kinds = [event["kind"] for event in json.loads(events(exposure))["events"]]
    assert kinds.index("key-suspended") < kinds.index("egress-passed") < kinds.index("tripwire")


def test_a_key_that_takes_many_times_its_egress_is_only_paused_when_the_wire_is_off(make_exposure) -> None:
    exposure = large_answers(make_exposure, "on = []\negress_factor = 10")
    assert exposure.get("/much").status == 200
    eventually(lambda: "egress-passed" in events(exposure), within=20)
    eventually(lambda: exposure.get("/api/notes").status == 429, within=20)
    assert exposure.phase() == "online"


def test_a_key_that_is_just_over_its_egress_is_only_paused(make_exposure) -> None:
    exposure = large_answers(make_exposure, 'on = ["egress"]\negress_factor = 1000')
    assert exposure.get("/much").status == 200
    eventually(lambda: "key-suspended" in events(exposure), within=20)
    eventually(lambda: exposure.get("/api/notes").status == 429, within=20)
    assert "egress-passed" not in events(exposure)
    assert exposure.phase() == "online"


WATCHED = '[panic]\non = ["config-drift", "tampered-container"]\n'


@pytest.mark.parametrize("how", ["written to", "replaced", "removed"])
def test_gateway_files_that_we_have_not_written_set_off_the_panic(make_exposure, how: str) -> None:
    exposure = make_exposure(sample_config(free_port(), WATCHED))
    exposure.up()
    path = gateway(exposure) / "nginx.conf"
    if how == "written to":
        with path.open("a") as file:
            file.write("# let us in\n")
    elif how == "replaced":
        other = path.with_name("other")
        other.write_text(path.read_text().replace("return 404", "return 200"))
        other.replace(path)
    else:
        path.unlink()
    tripped(exposure, "config-drift")
    assert reason(exposure).endswith("not those that were written: nginx.conf")


def test_gateway_files_that_we_have_not_written_are_told_though_the_wire_is_off(make_exposure) -> None:
    exposure = make_exposure(sample_config(free_port(), "[panic]\non = []\n"))
    exposure.up()
    with (gateway(exposure) / "upstream.conf").open("a") as file:
        file.write("# hello\n")
    eventually(lambda: "config-drift" in events(exposure), within=20)
    assert "upstream.conf" in events(exposure)
    assert exposure.get("/api/notes").status == 200
    assert exposure.phase() == "online"


def test_what_we_change_ourselves_sets_off_nothing(make_exposure) -> None:
    exposure = make_exposure(sample_config(free_port(), WATCHED))
    own = exposure.folder / "own" / "nginx"
    own.mkdir(parents=True)
    exposure.file.write_text(exposure.file.read_text() + f'[gateway]\ntemplates = "{own.parent}"\n')
    exposure.up()
    for number in range(6):
        done = exposure.run("rotate-key", "--json")
        assert done.returncode == 0, done.stderr
        exposure.key = json.loads(done.stdout)["key"]
        exposure.file.write_text(exposure.file.read_text().replace(f"{6000 + number}/min", f"{6001 + number}/min"))
        eventually(lambda: exposure.get("/api/notes").status == 200, within=20)
    text = (REPOSITORY / "templates" / "nginx" / "upstream.conf.j2").read_text()
    (own / "upstream.conf.j2").write_text(f"{text}# our own\n")
    eventually(lambda: "# our own" in (gateway(exposure) / "upstream.conf").read_text(), within=30)
    assert exposure.run("keys", "suspend", "default").returncode == 0
    eventually(lambda: exposure.get("/api/notes").status in (401, 429), within=20)
    assert exposure.run("keys", "resume", "default").returncode == 0
    before = exposure.pid("gateway")
    os.kill(before, signal.SIGKILL)
    eventually(lambda: exposure.pid("gateway") not in (0, before) and exposure.phase() == "online", within=40)
    supervisor = exposure.pid("supervisor")
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: exposure.pid("supervisor") not in (0, supervisor) and exposure.phase() == "online", within=40)
    eventually(lambda: exposure.get("/api/notes").status == 200, within=20)
    assert "ALARM" not in events(exposure)
    assert reason(exposure) == ""
