"""The loop with two tunnels: which one is open, whatever fails on the way."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from exposer.errors import ExposerError
from exposer.procs import Entry
from exposer.state.facts import Checked, Documented
from exposer.state.model import GATEWAY, STANDBY, TUNNEL, Look, Phase, Record, Tell
from exposer.supervisor.loop import Loop
from tests.support.eventually import eventually
from tests.support.rooms import Rooms as Plain
from tests.support.rooms import Thing


class Tunnel(Thing):
    """A tunnel whose agent starts as long as nothing is `broken`."""

    def __init__(self, role: str, scene: "Scene") -> None:
        super().__init__(role, url=f"https://{role}.example")
        self.scene = scene

    def start(self, record: Record, tell: Tell) -> Entry:
        self.scene.starts.append(self.role)
        if self.role in self.scene.dead:
            raise ExposerError(f"the {self.role} does not start")
        return super().start(record, tell)

    def look(self, entry: Entry) -> Look:
        return Look(True, self.role not in self.scene.dead, url=self.detail["url"])


class Spare:
    """The doors as a list of what is open; `fails` names the steps that raise."""

    after, back = 0.1, 0.1
    every = {TUNNEL: 0.1, STANDBY: 0.1}

    def __init__(self, scene: "Scene") -> None:
        self.scene = scene

    def part(self, listen: str) -> Tunnel:
        return Tunnel(STANDBY, self.scene)

    def opened(self) -> str:
        return self.scene.opened[0] if len(self.scene.opened) == 1 else ""

    def open(self, role: str) -> None:
        self.shut()
        self.scene.step("open")
        self.scene.opened = [role]
        self.scene.history.append(role)
        self.scene.step("opened")

    def shut(self) -> None:
        self.scene.step("shut")
        self.scene.opened = []
        self.scene.history.append("")
        self.scene.step("closed")

    def chosen(self) -> str:
        return self.scene.chosen

    def choose(self, role: str) -> None:
        self.scene.step("choose")
        self.scene.chosen = role


class DiedError(BaseException):
    """The supervisor was killed just there."""


class Scene(Plain):
    """Rooms with a second tunnel. `lost` are the tunnels that cannot be reached from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.dead: set[str] = set()
        self.lost: set[str] = set()
        self.fails: set[str] = set()
        self.dies_at = self.chosen = ""
        self.misses = self.looks = 0
        self.opened: list[str] = []
        self.history: list[str] = []
        self.starts: list[str] = []
        self.spare: Any = Spare(self)

    def step(self, name: str) -> None:
        if name == self.dies_at:
            self.dies_at = ""
            raise DiedError
        if name in self.fails:
            raise OSError(28, "No space left on device")

    def gateway(self, upstream: str, documented: Documented, now: float) -> Thing:
        return Thing(GATEWAY, listen="127.0.0.1:2", second="127.0.0.1:3")

    def tunnel(self, listen: str) -> Thing:
        return Tunnel(TUNNEL, self)

    def publish(self, documented: Documented, url: str) -> Any:
        return SimpleNamespace(digest="d", packs=())

    def announce(self, url: str, before: str, record: Record) -> None:
        pass

    def check(self, url: str, gateway: Any, *, whole: bool = False, waits: bool = False) -> Checked:
        role = url.removeprefix("https://").partition(".")[0]
        if not waits:
            self.looks += 1
            if self.misses:
                self.misses -= 1
                return Checked(url, False, None, "bad luck", hop="edge")
        return Checked(url, role not in self.lost, True, "lost" if role in self.lost else "", hop="edge")


@pytest.fixture
def run(loop_of: Callable[[Any], Loop]) -> Callable[[Scene], Loop]:
    return loop_of


def until(loop: Loop, reached: Callable[[], bool], within: float = 20.0) -> None:
    def turned() -> bool:
        loop.cycle(0.01)
        return reached()

    eventually(turned, within=within)


def kinds(loop: Loop) -> list[str]:
    return [event.kind for event in loop.journal.events()]


def waits(loop: Loop) -> bool:
    return loop.state.phase == "online" and loop.state.units[loop.state.other].phase is Phase.UP


def test_the_first_is_opened_and_the_second_waits(run: Callable[[Scene], Loop]) -> None:
    scene = Scene()
    loop = run(scene)
    until(loop, lambda: waits(loop))
    assert scene.opened == [TUNNEL]
    assert loop.state.url == "https://tunnel.example"


def test_nothing_is_started_of_the_second_before_the_first_had_its_chance(run: Callable[[Scene], Loop]) -> None:
    scene = Scene()
    loop = run(scene)
    until(loop, lambda: waits(loop))
    assert scene.starts[0] == TUNNEL


def test_the_first_is_closed_before_the_second_is_opened(run: Callable[[Scene], Loop]) -> None:
    scene = Scene()
    loop = run(scene)
    until(loop, lambda: waits(loop))
    scene.history.clear()
    scene.lost = {TUNNEL}
    until(loop, lambda: scene.opened == [STANDBY])
    assert scene.history[0] == ""
    assert TUNNEL not in scene.history
    until(loop, lambda: loop.state.phase == "online")
    assert loop.state.url == "https://standby.example"


def test_a_waiting_tunnel_that_cannot_be_reached_does_not_take_over(run: Callable[[Scene], Loop]) -> None:
    scene = Scene()
    loop = run(scene)
    until(loop, lambda: waits(loop))
    scene.lost = {TUNNEL, STANDBY}
    until(loop, lambda: "both-down" in kinds(loop))
    for _ in range(30):
        loop.cycle(0.01)
    assert scene.opened == [TUNNEL]
    assert kinds(loop).count("both-down") == 1
    scene.lost = {TUNNEL}
    until(loop, lambda: scene.opened == [STANDBY])


def test_a_door_that_cannot_be_closed_keeps_the_other_closed(run: Callable[[Scene], Loop]) -> None:
    scene = Scene()
    loop = run(scene)
    until(loop, lambda: waits(loop))
    scene.fails, scene.lost = {"shut"}, {TUNNEL}
    until(loop, lambda: "failed" in kinds(loop))
    assert (scene.opened, loop.state.carrier) == ([TUNNEL], TUNNEL)
    scene.fails = set()
    until(loop, lambda: scene.opened == [STANDBY])


def test_a_door_that_cannot_be_opened_leaves_all_closed_until_it_can(run: Callable[[Scene], Loop]) -> None:
    scene = Scene()
    loop = run(scene)
    until(loop, lambda: waits(loop))
    scene.fails, scene.lost = {"open"}, {TUNNEL}
    until(loop, lambda: "door" in loop.state.unwritten)
    assert scene.opened == []
    for _ in range(10):
        loop.cycle(0.01)
    assert kinds(loop).count("failed") == 1
    scene.fails = set()
    until(loop, lambda: scene.opened == [STANDBY] and "door" not in loop.state.unwritten)


def test_a_next_supervisor_goes_on_with_the_one_that_is_open(run: Callable[[Scene], Loop]) -> None:
    scene = Scene()
    scene.spare.after, scene.spare.back = 30.0, 0.0
    scene.opened = [STANDBY]
    loop = run(scene)
    until(loop, lambda: waits(loop))
    assert (scene.opened, loop.state.carrier) == ([STANDBY], STANDBY)
    assert scene.starts[0] == STANDBY


@pytest.mark.parametrize(("step", "left"), [("shut", [TUNNEL]), ("closed", []), ("open", []), ("opened", [STANDBY])])
def test_whoever_dies_while_switching_leaves_one_open_at_the_most_and_the_next_settles(
    step: str, left: list[str], run: Callable[[Scene], Loop]
) -> None:
    scene = Scene()
    scene.spare.back = 0.0
    loop = run(scene)
    until(loop, lambda: waits(loop))
    scene.dies_at, scene.lost = step, {TUNNEL}
    with pytest.raises(DiedError):
        until(loop, lambda: False, within=10)
    assert scene.opened == left
    follower = run(scene)
    until(follower, lambda: scene.opened == [STANDBY] and waits(follower))
    assert follower.state.url == "https://standby.example"


def test_a_waiting_agent_that_does_not_start_is_told_once(run: Callable[[Scene], Loop]) -> None:
    scene = Scene()
    scene.dead = {STANDBY}
    loop = run(scene)
    until(loop, lambda: scene.starts.count(STANDBY) >= 4, within=30)
    told = [event for event in loop.journal.events() if str(event.data.get("text")).startswith("standby:")]
    assert [event.kind for event in told].count("failed") == 1
    assert len(told) <= 3
    assert loop.state.phase == "online"


def test_without_the_setting_the_first_is_the_only_one_again(run: Callable[[Scene], Loop]) -> None:
    scene = Scene()
    scene.spare.back = 0.0
    loop = run(scene)
    until(loop, lambda: waits(loop))
    scene.lost = {TUNNEL}
    until(loop, lambda: scene.opened == [STANDBY])
    assert scene.history.count(TUNNEL) == 1
    scene.spare = None
    loop.take_config(scene)  # type: ignore[arg-type]
    until(loop, lambda: loop.state.units[STANDBY].phase is Phase.ABSENT)
    assert (loop.state.carrier, scene.opened) == (TUNNEL, [TUNNEL])
    until(loop, lambda: loop.state.url == "https://tunnel.example")


def test_who_asks_for_a_tunnel_that_is_not_there_is_told_why(run: Callable[[Scene], Loop]) -> None:
    scene = Scene()
    scene.dead = {STANDBY}
    loop = run(scene)
    until(loop, lambda: loop.state.phase == "online" and STANDBY in scene.starts)
    assert "not connected" in loop.standby.use(STANDBY)
    assert "no second tunnel" in loop.standby.use("nonsense")
    assert loop.standby.use(TUNNEL) == ""


def test_one_that_is_asked_for_and_cannot_be_reached_is_not_opened(run: Callable[[Scene], Loop]) -> None:
    scene = Scene()
    scene.lost = {STANDBY}
    loop = run(scene)
    until(loop, lambda: waits(loop))
    assert loop.standby.use(STANDBY) == ""
    until(loop, lambda: any("not opened" in str(event.data.get("text")) for event in loop.journal.events()), within=40)
    assert scene.opened == [TUNNEL]
    assert not loop.state.held


def test_one_look_that_fails_is_not_enough_however_short_the_patience(run: Callable[[Scene], Loop]) -> None:
    scene = Scene()
    scene.spare.after, scene.spare.every = 0.01, {TUNNEL: 0.5, STANDBY: 0.05}
    loop = run(scene)
    until(loop, lambda: waits(loop))
    for _ in range(3):
        scene.misses, seen = 1, scene.looks
        until(loop, lambda: scene.looks >= seen + 3)  # noqa: B023
        assert (scene.misses, scene.opened) == (0, [TUNNEL])
    assert "took-over" not in kinds(loop)
    scene.misses = 1_000_000
    until(loop, lambda: scene.opened == [STANDBY])


def choose_second(scene: Scene, loop: Loop) -> None:
    until(loop, lambda: waits(loop))
    assert loop.standby.use(STANDBY) == ""
    until(loop, lambda: scene.opened == [STANDBY] and waits(loop))


def test_what_a_person_has_chosen_stays_when_the_supervisor_is_started_anew(run: Callable[[Scene], Loop]) -> None:
    scene = Scene()
    choose_second(scene, run(scene))
    follower = run(scene)
    until(follower, lambda: waits(follower))
    seen = scene.looks
    until(follower, lambda: scene.looks >= seen + 20, within=60)
    assert (scene.opened, follower.state.held) == ([STANDBY], True)
    assert follower.standby.use(TUNNEL) == ""
    until(follower, lambda: scene.opened == [TUNNEL])
    assert scene.chosen == ""


def test_after_a_reboot_the_chosen_one_is_opened_and_no_other(run: Callable[[Scene], Loop]) -> None:
    scene = Scene()
    scene.spare.after, scene.chosen = 30.0, STANDBY
    loop = run(scene)
    until(loop, lambda: waits(loop))
    assert (scene.opened, loop.state.held) == ([STANDBY], True)
    assert TUNNEL not in scene.history


def test_a_chosen_one_that_is_down_is_no_longer_chosen(run: Callable[[Scene], Loop]) -> None:
    scene = Scene()
    loop = run(scene)
    choose_second(scene, loop)
    scene.lost = {STANDBY}
    until(loop, lambda: scene.opened == [TUNNEL])
    assert (scene.chosen, loop.state.held) == ("", False)


def test_a_choice_that_did_not_come_about_is_not_taken_up_later(run: Callable[[Scene], Loop]) -> None:
    """The supervisor died before it closed the first one."""
    scene = Scene()
    scene.spare.after, scene.opened, scene.chosen = 30.0, [TUNNEL], STANDBY
    loop = run(scene)
    until(loop, lambda: waits(loop))
    assert (scene.opened, scene.chosen, loop.state.held) == ([TUNNEL], "", False)


def test_a_choice_that_cannot_be_written_down_counts_until_the_end_of_this_supervisor(
    run: Callable[[Scene], Loop],
) -> None:
    scene = Scene()
    scene.fails = {"choose"}
    loop = run(scene)
    choose_second(scene, loop)
    assert (scene.chosen, loop.state.held) == ("", True)
    assert any("could not be written down" in str(event.data.get("text")) for event in loop.journal.events())


def test_without_a_second_tunnel_the_choice_is_forgotten(run: Callable[[Scene], Loop]) -> None:
    scene = Scene()
    loop = run(scene)
    choose_second(scene, loop)
    scene.spare = None
    loop.take_config(scene)  # type: ignore[arg-type]
    until(loop, lambda: scene.opened == [TUNNEL])
    assert scene.chosen == ""
