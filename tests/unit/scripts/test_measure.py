"""The arithmetic of the benchmarks: a figure that is computed wrongly is worse than none."""

import os
from pathlib import Path

import pytest

from scripts.benchmarks.measure import Figure, Goal, alternate, command, environment, percentile, ratio


def test_variants_take_turns_and_each_comes_first_in_some_round() -> None:
    order: list[str] = []
    alternate({name: lambda name=name: order.append(name) for name in "abc"}, rounds=3, warm=0)
    rounds = ["".join(order[start : start + 3]) for start in (0, 3, 6)]
    assert rounds == ["abc", "bca", "cab"]


def test_the_first_round_warms_up_and_does_not_count() -> None:
    counter = iter(range(10))
    assert alternate({"a": lambda: next(counter)}, rounds=3) == {"a": [1, 2, 3]}


def test_a_disturbed_round_is_made_again_while_there_are_some_to_spare() -> None:
    counter = iter(range(10))
    taken = alternate({"a": lambda: next(counter)}, 3, warm=0, sound=lambda found: found[0] % 2 == 0, spare=2)
    assert taken == {"a": [0, 2, 4]}


def test_without_rounds_to_spare_a_disturbed_one_counts() -> None:
    counter = iter(range(10))
    assert alternate({"a": lambda: next(counter)}, 2, warm=0, sound=lambda found: False, spare=1) == {"a": [1, 2]}


def test_a_round_in_which_everything_was_slow_does_not_move_the_ratio() -> None:
    assert ratio([2.0, 20.0, 2.0], [1.0, 10.0, 1.0]) == 2.0


@pytest.mark.parametrize(("share", "expected"), [(0.5, 10), (0.95, 19), (1.0, 20), (0.01, 1)])
def test_a_percentile_is_a_value_that_was_measured(share: float, expected: int) -> None:
    assert percentile(list(range(20, 0, -1)), share) == expected


@pytest.mark.parametrize(("value", "least", "reached"), [(0.8, True, True), (0.7, True, False), (0.7, False, True)])
def test_a_goal_says_whether_it_was_reached(value: float, least: bool, reached: bool) -> None:
    goal = Goal("speed", value, 0.75, least)
    assert goal.reached is reached
    assert goal.as_text().endswith("reached" if reached else "MISSED")


def test_a_figure_says_how_many_rounds_it_comes_from() -> None:
    figure = Figure("startup", 7, ("", "ms"), [("bare", "8.0")], [Goal("startup", 5.0, 6.0)])
    assert figure.as_text().startswith("startup (7 rounds)")
    assert figure.as_dict()["goals"] == [
        {"what": "startup", "value": 5.0, "limit": 6.0, "least": False, "reached": True}
    ]


def test_a_command_that_fails_is_no_figure(tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    with pytest.raises(RuntimeError, match="ended with 3\nwhy"):
        command(["/bin/sh", "-c", "echo why; exit 3"], environment(), log=log)


def test_a_benchmark_never_touches_the_exposures_of_whoever_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPOSER_STATE_DIR", "/home/somebody/state")
    assert "EXPOSER_STATE_DIR" not in environment()
    assert "EXPOSER_STATE_DIR" in os.environ
