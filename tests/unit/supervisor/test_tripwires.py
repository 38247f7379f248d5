"""Which alarms set off a panic."""

import os
from types import SimpleNamespace

import pytest

from exposer import procs
from exposer.config.model import Panic
from exposer.config.tables import TRIGGERS
from exposer.journal import Request
from exposer.state.facts import Checked
from exposer.supervisor.address import AddressPipeline
from exposer.supervisor.exposure import Exposure
from exposer.supervisor.tripwires import WIRES, Probes, Tripwires, wire


def call(path: str, at: float, status: int = 404, operation: str = "", key: str = "") -> Request:
    return Request(at, key, operation, "GET", status, 0, 0.0, "r", "192.0.2.1", path)


def test_each_wire_can_be_asked_for_and_turned_off() -> None:
    assert {name for name, _ in WIRES.values()} == set(TRIGGERS)
    for kind, found in WIRES.items():
        assert wire(kind, TRIGGERS) == found
        assert wire(kind, ()) is None
    assert wire("phase", TRIGGERS) is None


def test_without_a_word_the_canary_and_the_decoy_are_listened_for_and_no_other() -> None:
    assert {kind for kind in WIRES if wire(kind, Panic().on)} == {"open-without-key", "decoy-used"}


def test_many_different_paths_within_a_minute_are_probing() -> None:
    probes = Probes(lambda: 30)
    assert probes.heard([call(f"/{n}", n) for n in range(30)]) == 0
    assert probes.heard([call("/one-more", 30)]) == 31


def test_the_same_path_again_and_again_slow_trials_and_served_calls_are_no_probing() -> None:
    probes = Probes(lambda: 30)
    assert probes.heard([call("/same", n / 10) for n in range(500)]) == 0
    assert probes.heard([call(f"/{n}", 1000 + n * 3) for n in range(100)]) == 0
    assert probes.heard([call(f"/{n}", 2000, 200, "list") for n in range(100)]) == 0
    assert probes.heard([call("", 3000, 401) for n in range(100)]) == 0


def test_operations_that_are_not_for_this_key_count_and_the_backends_own_answers_do_not() -> None:
    probes = Probes(lambda: 3)
    assert probes.heard([call("", n, 403, f"op{n}", "key") for n in range(4)]) == 4
    assert probes.heard([call(f"/notes/{n}", n, 404, "show_note", "key") for n in range(40)]) == 0


def test_what_ends_by_itself_waits_until_the_panic_that_was_begun_has_its_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    places = SimpleNamespace(name="x", locked=lambda: looks.append("") or len(looks) == 3)
    monkeypatch.setattr(procs, "spawn", lambda *args, **more: procs.ProcessId.of(os.getpid()))
    wires = Tripwires(places, lambda *args, **more: None, lambda: TRIGGERS)  # type: ignore[arg-type]
    wires.await_panic()
    assert looks == [], "nothing was begun"
    wires.noted("open-without-key", "somebody got in")
    wires.await_panic()
    assert len(looks) == 3


def test_an_answer_without_a_key_from_outside_is_told_before_anything_else_ends() -> None:
    said: list[str] = []
    state = Exposure()
    state.url = "https://a.example"
    address = AddressPipeline(
        state, None, lambda kind, text, **data: said.append(kind), lambda failure: said.append("stopped"), 60.0
    )  # type: ignore[arg-type]
    address.take_checked(Checked("https://a.example", True, False, "GET / was answered without a key"))
    assert said[-2:] == ["open-without-key", "stopped"]
