"""An exposure goes online only after everything that must be refused was seen to be, and one call with a key passed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from exposer.backends.listening import addresses
from tests.support import sshd
from tests.support.edge import Edge
from tests.support.eventually import eventually
from tests.support.exposure import REPOSITORY, Exposure, get, sample_config
from tests.support.overlay import overlay
from tests.support.ports import free_port

pytestmark = pytest.mark.nginx


def events(exposure: Exposure) -> list[dict]:
    return json.loads(exposure.run("audit", "--events", "--json").stdout)["events"]


def calls(exposure: Exposure) -> list[dict]:
    return json.loads(exposure.run("audit", "--json").stdout)["requests"]


def refused(exposure: Exposure, code: int) -> dict:
    """What a start that must not succeed says; nothing of it is left."""
    done = exposure.run("up", "-d", "--json")
    assert done.returncode == code, done.stderr
    assert exposure.phase() == "offline"
    assert exposure.ledger() == []
    return json.loads(done.stderr.splitlines()[-1])["error"]


def test_the_status_says_how_many_calls_were_refused_and_which_one_got_through(sample: Exposure) -> None:
    sample.up()
    checks = sample.status()["checks"]
    assert checks["refuses_without_key"] is True
    assert checks["self_test"]["ok"] is True
    assert checks["self_test"]["calls"] > 60
    assert checks["self_test"]["passed"] == "GET /api/notes"
    assert "self-test" in sample.run("status").stdout
    assert [event["kind"] for event in events(sample)].count("self-test") == 1


def test_a_supervisor_that_takes_over_goes_on_asking_with_a_key(sample: Exposure) -> None:
    sample.up()
    before = sample.status()["checks"]["self_test"]
    sample.kill("supervisor")

    def again() -> dict:
        found = sample.status().get("checks", {}).get("self_test")
        return found if found and found["at"] != before["at"] else {}

    after = eventually(again, within=40)
    assert (after["ok"], after["passed"]) == (True, before["passed"])
    assert sample.get("/api/notes").status == 200


def test_its_own_calls_are_not_among_those_of_callers_and_do_not_keep_it_awake(sample: Exposure) -> None:
    sample.up()
    sample.get("/api/notes")
    sample.get("/admin", key="")
    eventually(lambda: len(calls(sample)) == 2, within=20)
    assert {(call["status"], call["path"]) for call in calls(sample)} == {(200, ""), (401, "/admin")}


def test_an_own_template_that_passes_other_methods_on_is_not_opened(make_exposure, tmp_path: Path) -> None:
    own = overlay(tmp_path, "gate.conf.j2", "set $operation $published;", ANY_POST)
    exposure = make_exposure(sample_config(free_port(), f'[gateway]\ntemplates = "{own}"\n'))
    error = refused(exposure, 3)
    assert "POST /api/notes/x with a key was not refused" in error["message"]
    assert own in error["hint"]


ANY_POST = """set $operation $published;
            if ($request_method = POST) { set $operation any; }"""


def test_a_broken_template_while_it_runs_is_told_and_the_one_before_stays_in_force(
    make_exposure, tmp_path: Path
) -> None:
    own = overlay(
        tmp_path, "gate.conf.j2", 'if ($operation = "") { return 404; }', 'if ($operation = "") {return 404;}'
    )
    exposure = make_exposure(sample_config(free_port(), f'[gateway]\ntemplates = "{own}"\n'))
    exposure.up()
    path = Path(own, "nginx", "gate.conf.j2")
    path.write_text(path.read_text().replace('if ($operation = "") {return 404;}', ""))

    def told() -> bool:
        assert exposure.get("/api/private").status == 404
        return any("was not refused" in event.get("text", "") for event in events(exposure))

    eventually(told, within=30)
    assert exposure.phase() == "online"
    assert exposure.get("/api/notes").status == 200


def everywhere(make_exposure, extra: str = "") -> Exposure:
    """A backend that listens on all addresses of this machine."""
    if not addresses():
        pytest.skip("this machine has only the loopback")
    text = sample_config(free_port()).replace(
        str(REPOSITORY / "scripts" / "sample_backend.py"), str(REPOSITORY / "tests" / "support" / "everywhere.py")
    )
    return make_exposure(text.replace("[tunnel]", f"{extra}\n[tunnel]"))


def test_a_backend_that_others_reach_past_the_gateway_is_not_opened(make_exposure) -> None:
    exposure = everywhere(make_exposure)
    error = refused(exposure, 8)
    assert error["code"] == "self-test"
    assert "the backend answers at" in error["message"]
    assert "past the gateway" in error["message"]
    assert "backend.also_open = true" in error["hint"]


def test_it_is_opened_when_that_is_allowed_knowingly(make_exposure) -> None:
    exposure = everywhere(make_exposure, "also_open = true")
    exposure.up()
    assert exposure.get("/api/notes").status == 200
    assert exposure.status()["checks"]["self_test"]["ok"] is True


def behind(edge: Edge, server: sshd.Sshd, make_exposure: Callable[..., Exposure], extra: str = "") -> Exposure:
    lines = f"""provider = "ssh"
host = "127.0.0.1"
port = {server.port}
user = "{server.user}"
identity = "{server.identity}"
known_hosts = "{server.known_hosts}"
remote_port = {server.remote_port}
url = "{edge.url}"
"""
    return make_exposure(sample_config(free_port(), extra).replace('provider = "local"', lines))


@pytest.mark.ssh
@pytest.mark.slow
@pytest.mark.parametrize(
    ("wires", "code", "phase"),
    [("[panic]\non = []\n", 8, "offline"), ('[panic]\non = ["auth-canary"]\n', 6, "panicked")],
)
def test_a_public_address_that_answers_without_a_key_is_closed_before_it_is_online(
    server: sshd.Sshd, make_exposure: Callable[..., Exposure], wires: str, code: int, phase: str
) -> None:
    edge = Edge(server.remote_port)
    exposure = behind(edge, server, make_exposure, wires)
    told = "GET /api/notes was answered without a key"
    added = json.loads(exposure.run("keys", "add", "theirs", "--json").stdout)["key"]
    edge.adds = {"X-API-Key": added}
    done = exposure.run("up", "-d", "--json")
    assert done.returncode == code, done.stderr
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert (told if code == 8 else "tripwire auth-canary") in error["message"]
    assert told in exposure.run("audit", "--events", "--json").stdout
    assert exposure.phase() == phase
    assert "online" not in [event.get("phase") for event in events(exposure)]
    assert get(f"{edge.url}/api/notes").status in (0, 502)
    edge.close()


@pytest.mark.ssh
@pytest.mark.slow
def test_a_public_address_on_the_way_to_which_the_key_is_lost_is_not_called_online(
    server: sshd.Sshd, make_exposure: Callable[..., Exposure]
) -> None:
    edge = Edge(server.remote_port)
    edge.adds = {"X-API-Key": "none"}
    exposure = behind(edge, server, make_exposure)
    done = exposure.run("up", "-d", "--json", "--timeout", "30s")
    assert done.returncode == 7, done.stderr
    assert "take the key away" in done.stderr
    edge.adds = {}
    exposure.up()
    assert exposure.get("/api/notes").status == 200
    edge.close()
