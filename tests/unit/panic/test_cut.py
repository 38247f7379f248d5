"""A surprise in one step of the cut keeps none of the others from being done."""

from pathlib import Path

import pytest

from exposer.panic.cut import Cut
from exposer.panic.options import Options


@pytest.fixture
def cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cut:
    monkeypatch.setenv("EXPOSER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("EXPOSER_RUNTIME_DIR", str(tmp_path / "run"))
    (tmp_path / "run" / "one" / "gateway" / "live").mkdir(parents=True)
    (tmp_path / "state" / "one").mkdir(parents=True)
    (tmp_path / "state" / "one" / "keyring").touch()
    return Cut("one", Options([]), 0.0)


def broken(*_: object) -> None:
    raise RuntimeError("a surprise")


def steps(cut: Cut) -> list[str]:
    return [str(step["step"]) for step in cut.steps]


@pytest.mark.parametrize("what", ["_step_aside", "_cut_late", "_cut_backends", "_end"])
def test_the_cut_goes_on(cut: Cut, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut, what, broken)
    cut.cut()
    assert "keys withdrawn" in steps(cut)
    assert not Path(cut.places.runtime, "gateway", "live").exists()
    assert any("a surprise" in said for said in cut.trouble)


def test_without_the_data_path_the_keys_go_all_the_same(cut: Cut, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut.path, "cut", broken)
    cut.cut()
    assert {"keys withdrawn", "backend cut"} <= set(steps(cut))


@pytest.mark.parametrize("what", ["_end_gateway", "_end_leash"])
def test_the_end_is_brought_to_an_end(cut: Cut, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut, what, broken)
    cut.lock()
    cut.cut()
    cut.finish()
    assert Path(cut.places.state, "keyring.panicked").exists(), "no key is in force after the panic"
    assert cut.locked
