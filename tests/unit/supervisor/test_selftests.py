"""When the self-test is made, and what follows from it. Time and chance are data."""

import random
from typing import Any

import pytest

from exposer.errors import SelfTestError
from exposer.procs import Entry
from exposer.state.facts import Failed, SelfTested
from exposer.state.model import BACKEND, GATEWAY, TUNNEL, Look, Phase, Unit
from exposer.supervisor.exposure import Exposure
from exposer.supervisor.proving import insist, proved
from exposer.supervisor.selftests import EARLIEST, LATEST, SOON, SelfTests

GOOD = SelfTested(80, passed="GET /notes")
HOLE = SelfTested(80, hole="DELETE /notes with a key was not refused")
TROUBLE = SelfTested(80, trouble="the gateway does not answer")


class Bench:
    """The follower with everything around it, and a clock."""

    def __init__(self, seed: int = 1) -> None:
        self.state = Exposure()
        self.asked: list[float] = []
        self.said: list[tuple[str, str]] = []
        self.recorded: list[str] = []
        self.stopped: list[Failed] = []
        self.now = 0.0
        self.tests = SelfTests(
            self.state,
            self,  # type: ignore[arg-type]
            lambda kind, text, **data: self.said.append((kind, text)),
            lambda kind, text, **data: self.recorded.append(kind),
            self.stopped.append,
            random.Random(seed).uniform,
        )

    def self_test(self) -> None:
        self.asked.append(self.now)

    def open(self) -> "Bench":
        for role in (GATEWAY, TUNNEL):
            self.state.units[role] = Unit(role, phase=Phase.UP, healthy=True)
        return self

    def run(self, until: float, fact: SelfTested = GOOD) -> None:
        while self.now < until:
            before = len(self.asked)
            self.tests.follow(self.now)
            if len(self.asked) > before:
                self.tests.take(fact, self.now)
            self.now += 1.0


def test_it_is_repeated_every_few_minutes_at_random_times() -> None:
    bench = Bench().open()
    bench.run(36_000.0)
    waits = [later - earlier for earlier, later in zip(bench.asked, bench.asked[1:], strict=False)]
    assert len(waits) > 80
    assert all(EARLIEST <= wait <= LATEST + 1 for wait in waits)
    assert len(set(waits)) > 60
    other = Bench(seed=2).open()
    other.run(36_000.0)
    assert other.asked != bench.asked


def test_after_the_test_before_opening_the_next_is_not_at_once() -> None:
    bench = Bench()
    bench.run(50.0)
    assert bench.asked == []
    bench.tests.take(SelfTested(80, passed="GET /notes", opened=False), bench.now)
    bench.open().run(1000.0)
    assert bench.asked[0] >= 50.0 + EARLIEST


def test_one_that_was_taken_over_open_is_tested_at_once() -> None:
    bench = Bench().open()
    bench.run(10.0)
    assert bench.asked == [0.0]


def test_while_the_gateway_changes_or_is_not_well_or_a_test_is_under_way_none_begins() -> None:
    bench = Bench().open()
    bench.state.units[GATEWAY] = Unit(GATEWAY, phase=Phase.UP, healthy=True, busy=True)
    bench.run(1000.0)
    bench.state.units[GATEWAY] = Unit(GATEWAY, phase=Phase.UP, healthy=False)
    bench.run(2000.0)
    assert bench.asked == []
    bench.open().tests.follow(bench.now)
    bench.tests.follow(bench.now + 1000)
    assert len(bench.asked) == 1


def test_a_hole_pulls_the_wire_before_anything_else_ends_and_names_the_call() -> None:
    bench = Bench().open()
    bench.run(1.0, HOLE)
    assert [kind for kind, _ in bench.said] == ["self-test", "open-without-key"]
    assert all("DELETE /notes with a key was not refused" in text for _, text in bench.said)
    assert (bench.stopped[0].code, bench.stopped[0].exit_code) == ("self-test", 8)


def test_a_hole_before_opening_pulls_no_wire_as_nothing_was_open() -> None:
    bench = Bench()
    bench.tests.take(SelfTested(80, hole="x", opened=False), 0.0)
    assert [kind for kind, _ in bench.said] == ["self-test"]
    assert bench.stopped == []


def test_trouble_is_said_once_and_tried_again_soon() -> None:
    bench = Bench().open()
    bench.run(5 * SOON, TROUBLE)
    assert len(bench.asked) == 5
    assert [kind for kind, _ in bench.said] == ["self-test"]
    assert bench.recorded == ["self-test"] * 4
    assert bench.stopped == []
    assert bench.state.tested == TROUBLE


class Reachable:
    """A backend, and a gateway, that say what they are told to."""

    role, digest = BACKEND, "d"

    def __init__(self, *addresses: str, proof: SelfTested = GOOD) -> None:
        self.addresses, self.proof, self.whole = list(addresses), proof, []  # type: ignore[var-annotated]

    def beside(self, entry: Entry) -> list[str]:
        return self.addresses

    def prove(self, entry: Entry, *, whole: bool) -> SelfTested:
        self.whole.append(whole)
        return self.proof

    def start(self, record: Any, tell: Any) -> Entry:
        raise NotImplementedError

    def look(self, entry: Entry) -> Look:
        raise NotImplementedError

    def stop(self, entry: Entry) -> None:
        raise NotImplementedError

    def adopt(self, entries: list[Entry]) -> Entry | None:
        raise NotImplementedError


ENTRIES = {role: Entry(role, None) for role in (BACKEND, GATEWAY)}


def test_a_backend_that_answers_past_the_gateway_is_a_hole_with_a_way_out() -> None:
    parts = {BACKEND: Reachable("192.0.2.7:8080", "[2001:db8::1]:8080"), GATEWAY: Reachable()}
    found = proved(parts, ENTRIES, whole=True, opened=False)
    assert "answers at 192.0.2.7:8080, [2001:db8::1]:8080 too" in found.hole
    assert parts[GATEWAY].whole == []
    with pytest.raises(SelfTestError, match="past the gateway") as error:
        insist(found)
    assert "backend.also_open = true" in error.value.hint
    assert error.value.exit_code == 8


def test_what_the_gateway_shows_is_handed_on_as_it_is() -> None:
    for proof in (GOOD, HOLE, TROUBLE):
        parts = {BACKEND: Reachable(), GATEWAY: Reachable(proof=proof)}
        assert proved(parts, ENTRIES, whole=False, opened=True) == proof
        assert parts[GATEWAY].whole == [False]
    insist(GOOD)
    for bad in (HOLE, TROUBLE):
        with pytest.raises(SelfTestError, match=bad.hole or bad.trouble):
            insist(bad)
