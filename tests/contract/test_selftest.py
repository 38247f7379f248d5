"""The self-test of a real gateway: what it finds in templates that let something through, and who notices it."""

from pathlib import Path

import pytest

from exposer.config.model import Limits, Rate
from exposer.errors import ConfigError
from exposer.gateway.accesslog import AccessLog
from exposer.gateway.host import find_nginx
from exposer.gateway.probes import probes
from exposer.gateway.selftest import ask
from exposer.procs import Ledger
from exposer.state.facts import Failed, SelfTested
from exposer.state.model import GATEWAY, TUNNEL, Phase, Unit
from exposer.supervisor.exposure import Exposure
from exposer.supervisor.selftests import SelfTests
from exposer.supervisor.world import World
from tests.support.eventually import eventually
from tests.support.gateway import HIDDEN, VAULT, Gate, log, op
from tests.support.overlay import overlay

pytestmark = [pytest.mark.nginx, pytest.mark.skipif(not find_nginx(), reason="nginx is not installed")]


@pytest.fixture
def gate(fresh: Gate) -> Gate:
    return fresh


def listen(gate: Gate) -> str:
    assert gate.entry is not None
    return str(gate.entry.detail["listen"])


def broken(gate: Gate, root: Path, name: str, old: str, new: str) -> str:
    """What starting with such a template says."""
    gate.part = gate.make(templates=overlay(root, name, old, new))
    with pytest.raises(ConfigError, match="the gateway would not be safe") as error:
        gate.start()
    assert "own templates" in error.value.hint
    assert all(entry.process is None or not entry.process.alive() for entry in gate.entries)
    return error.value.message


class TestTemplates:
    """The rehearsal, which has no valid key, does not see these."""

    def test_a_method_that_is_let_through_is_found_and_the_backend_hears_nothing(
        self, gate: Gate, tmp_path: Path
    ) -> None:
        said = broken(gate, tmp_path, "gate.conf.j2", "set $operation $published;", ANY_POST)
        assert "with a key was not refused" in said
        assert "POST /v1/files/x.x" in said
        assert gate.echo.served == 0

    def test_an_unpublished_path_that_is_let_through_is_found(self, gate: Gate, tmp_path: Path) -> None:
        said = broken(gate, tmp_path, "gate.conf.j2", 'if ($operation = "") { return 404; }', "")
        assert "was not refused" in said
        assert gate.echo.served == 0

    def test_a_path_that_backends_read_in_two_ways_is_found(self, gate: Gate, tmp_path: Path) -> None:
        old = '{{ ("^(?:" ~ ([canonical] + slashed)|join("|") ~ ")\\\\z")|nginx }}'
        said = broken(gate, tmp_path, "gate.conf.j2", old, '"^(?<path>(?<path_head>/[^/? ]*)[^? ]*)"')
        assert "was not refused" in said
        assert gate.echo.served == 0

    def test_a_key_in_the_query_that_is_let_in_is_found(self, gate: Gate, tmp_path: Path) -> None:
        said = broken(gate, tmp_path, "gate.conf.j2", 'set $sources "{{ credential_sources }}";', QUERY)
        assert "with a key in the query was not refused" in said
        assert gate.echo.served == 0

    def test_an_upgrade_that_is_let_through_is_found(self, gate: Gate, tmp_path: Path) -> None:
        said = broken(gate, tmp_path, "gate.conf.j2", 'if ($http_upgrade != "") { return 400; }', "")
        assert "to upgrade to websocket was not refused" in said
        assert gate.echo.served == 0

    def test_an_answer_from_anybody_but_the_gateway_is_no_refusal(self, gate: Gate, tmp_path: Path) -> None:
        own = "location @slow {"
        said = broken(gate, tmp_path, "nginx.conf.j2", own, "location = /admin { return 404 gone; }\n " + own)
        assert "GET /admin, which is not published, with a key was not refused: it was answered 404" in said

    def test_a_reload_that_would_open_something_keeps_the_one_before(self, gate: Gate, tmp_path: Path) -> None:
        gate.start()
        own = overlay(tmp_path, "gate.conf.j2", 'if ($operation = "") { return 404; }', "")
        with pytest.raises(ConfigError, match="was not refused"):
            gate.reload(templates=own)
        assert gate.call("/admin").status == 404
        assert gate.call("/v1/items").status == 200
        assert gate.part.prove(gate.entry, whole=True).hole == ""  # type: ignore[arg-type]


ANY_POST = """set $operation $published;
            if ($request_method = POST) { set $operation any; }"""
QUERY = """set $sources "$arg_key {{ credential_sources }}";
            if ($arg_key != "") { set $sources "$arg_key  "; }"""


class TestRunning:
    def test_everything_is_refused_and_one_harmless_call_gets_through(self, gate: Gate) -> None:
        gate.reads = ("/v1/items",)
        gate.part = gate.make()
        gate.start()
        assert gate.entry is not None
        assert gate.echo.served == 0
        before = gate.part.prove(gate.entry, whole=False)
        whole = gate.part.prove(gate.entry, whole=True)
        assert (before.hole, before.trouble, before.passed) == ("", "", "GET /v1/items")
        assert (whole.hole, whole.trouble, whole.passed) == ("", "", "GET /v1/items")
        assert before.calls == whole.calls > 70  # what the start has asked counts for the first
        assert gate.echo.served == 2

    def test_the_key_for_it_is_nowhere_on_the_disk_and_lets_nobody_in_at_other_times(self, gate: Gate) -> None:
        gate.start()
        keys = gate.part.test.keys
        assert keys is not None
        written = b"".join(path.read_bytes() for path in gate.folder.rglob("*") if path.is_file())
        for key in keys:
            clear = key.clear.reveal()
            assert key.id.encode() in written
            assert clear.encode() not in written
            assert gate.refusal("/v1/items", {"X-API-Key": clear}).status == 401
        assert {path.name for path in (gate.folder / "live").iterdir()} == gate.part.policy.live
        with gate.part.test.admitted(keys.inside):
            assert gate.call("/v1/items", {"X-API-Key": keys.inside.clear.reveal()}).status == 200
        assert gate.refusal("/v1/items", {"X-API-Key": keys.inside.clear.reveal()}).status == 401

    def test_nobody_finds_it_on_record_and_a_strangers_calls_all_are(self, gate: Gate) -> None:
        gate.start()
        assert gate.entry is not None
        gate.part.prove(gate.entry, whole=True)
        gate.call("/v1/items", {})
        gate.call("/admin")
        eventually(lambda: len(log(gate)) >= 2)
        assert sorted(str(line["path"]) for line in log(gate)) == ["/admin", "/v1/items"]
        eventually(lambda: len(AccessLog(gate.folder).read({}).requests) > 100)
        assert len(log(gate)) == 2

    def test_a_key_that_the_tunnels_far_side_has_seen_is_not_left_out_of_the_record(self, gate: Gate) -> None:
        gate.start()
        keys = gate.part.test.keys
        assert keys is not None
        assert (gate.folder / "tests").read_text().split() == [keys.inside.id]

    def test_the_quota_of_bad_callers_is_left_to_them(self, gate: Gate) -> None:
        gate.start()
        assert gate.entry is not None
        for _ in range(3):
            assert gate.part.prove(gate.entry, whole=True).hole == ""
        assert [gate.call("/v1/items", {}).status for _ in range(10)] == [401] * 10

    def test_the_limits_of_callers_are_not_in_its_way(self, gate: Gate) -> None:
        gate.changes["limits"] = Limits(rate=Rate(1, 60))
        gate.reads = ("/v1/items",)
        gate.part = gate.make()
        gate.start()
        assert gate.entry is not None
        found = gate.part.prove(gate.entry, whole=True)
        assert (found.hole, found.trouble, found.passed) == ("", "", "GET /v1/items")
        assert gate.call("/v1/items").status == 200

    def test_nor_are_those_of_all_callers_together_and_it_takes_nothing_of_them(self, gate: Gate) -> None:
        gate.changes["limits"] = Limits(rate=Rate(100, 1), total_rate=Rate(1, 60), total_concurrency=5)
        gate.reads = ("/v1/items",)
        gate.part = gate.make()
        gate.start()
        assert gate.entry is not None
        for _ in range(2):
            assert gate.part.prove(gate.entry, whole=True).passed == "GET /v1/items"
        assert [gate.call("/v1/items").status for _ in range(2)] == [200, 429]

    def test_while_a_key_from_elsewhere_only_may_call_that_is_said(self, gate: Gate) -> None:
        gate.changes["allow_from"] = ("203.0.113.0/24",)
        gate.reads = ("/v1/items",)
        gate.part = gate.make()
        gate.start()
        assert gate.entry is not None
        found = gate.part.prove(gate.entry, whole=True)
        assert (found.hole, found.trouble, found.passed) == ("", "", "")
        assert "limits.allow_from" in found.why

    def test_a_gateway_that_is_broken_while_it_runs_is_found(self, gate: Gate, tmp_path: Path) -> None:
        gate.start()
        assert gate.entry is not None
        assert gate.entry.process is not None
        path = gate.folder / "nginx.conf"
        text = path.read_text()
        assert 'if ($operation = "") { return 404; }' in text
        path.write_text(text.replace('if ($operation = "") { return 404; }', ""))
        gate.part._runner.reread(gate.entry.process)
        entry = gate.entry
        eventually(lambda: "was not refused" in gate.part.prove(entry, whole=True).hole, within=20)
        assert gate.echo.served == 0

    def test_a_gateway_that_is_stopped_is_trouble_and_no_hole(self, gate: Gate) -> None:
        gate.start()
        assert gate.entry is not None
        gate.part.stop(gate.entry)
        found = gate.part.prove(gate.entry, whole=True)
        assert (found.hole, found.trouble) == ("", "the gateway does not answer")

    def test_one_that_was_taken_over_is_asked_all_of_it(self, gate: Gate) -> None:
        gate.reads = ("/v1/items",)
        gate.start()
        assert gate.entry is not None
        gate.part.prove(gate.entry, whole=False)  # with the calls of the start
        before = gate.part.prove(gate.entry, whole=True)
        again = gate.make()
        entry = again.adopt(gate.entries)
        assert entry is not None
        assert again.prove(entry, whole=True) == before
        assert before.passed

    def test_one_whose_keys_cannot_be_read_is_asked_what_can_be_asked_without(
        self, gate: Gate, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gate.start()
        monkeypatch.setattr(VAULT, "unseal", lambda sealed: sealed)  # the key to them is another by now
        again = gate.make()
        entry = again.adopt(gate.entries)
        assert entry is not None
        found = again.prove(entry, whole=True)
        assert (found.hole, found.trouble, found.passed) == ("", "", "")
        assert "earlier supervisor" in found.why
        assert 5 <= found.calls < 15

    def test_each_single_call_is_refused_by_the_gateway_itself(self, gate: Gate) -> None:
        gate.start()
        test = gate.part.test
        assert test.keys is not None
        asked = probes(gate.part.policy, HIDDEN, test.keys)
        with test.admitted(test.keys.inside):
            replies = ask(listen(gate), asked, lambda: True)
        assert all(reply is not None and reply.refused for reply in replies)


@pytest.mark.parametrize("path", ["/{anything}", "/", "/exposer-self-test", "/.exposer"])
def test_what_is_published_is_not_mistaken_for_a_hole(gate: Gate, path: str) -> None:
    gate.part = gate.make(operations=[op("GET", path), op("POST", "/v1/x")], hidden=[])
    gate.start()


class Clock:
    """The supervisor's follower over a real gateway; time and chance are ours."""

    def __init__(self, gate: Gate, folder: Path) -> None:
        self.said: list[str] = []
        self.stopped: list[Failed] = []
        self.world = World(Ledger(str(folder / "ledger")), lambda role, text: None)
        assert gate.entry is not None
        self.world.parts[GATEWAY], self.world.entries[GATEWAY] = gate.part, gate.entry
        self.state = Exposure()
        for role in (GATEWAY, TUNNEL):
            self.state.units[role] = Unit(role, phase=Phase.UP, healthy=True)
        self.tests = SelfTests(
            self.state,
            self.world,
            lambda kind, text, **data: self.said.append(kind),
            lambda kind, text, **data: None,
            self.stopped.append,
            lambda earliest, latest: (earliest + latest) / 2,
        )

    def at(self, now: float) -> SelfTested | None:
        """What is found by then; None when nothing was due."""
        self.tests.follow(now)
        if not self.tests._running:
            return None
        fact = self.world.inbox.get(timeout=120)
        assert isinstance(fact, SelfTested)
        self.tests.take(fact, now)
        return fact


def test_again_and_again_it_is_asked_and_when_something_opens_the_wire_is_pulled(gate: Gate, tmp_path: Path) -> None:
    gate.reads = ("/v1/items",)
    gate.part = gate.make()
    gate.start()
    clock = Clock(gate, tmp_path)
    first = clock.at(0.0)
    assert first is not None
    assert (first.ok, first.passed) == (True, "GET /v1/items")
    assert clock.at(269.0) is None
    second = clock.at(271.0)
    assert second is not None
    assert (second.ok, second.passed, clock.said) == (True, "GET /v1/items", ["self-test"])
    assert clock.stopped == []

    path = gate.folder / "nginx.conf"
    path.write_text(path.read_text().replace('if ($operation = "") { return 404; }', ""))
    assert gate.entry is not None
    assert gate.entry.process is not None
    gate.part._runner.reread(gate.entry.process)
    entry = gate.entry
    eventually(lambda: gate.part.prove(entry, whole=True).hole != "", within=30)
    found = clock.at(600.0)
    assert found is not None
    assert "was not refused" in found.hole
    assert clock.said == ["self-test", "self-test", "open-without-key"]
    assert clock.stopped[0].exit_code == 8
    clock.world.close()
