"""A panic while somebody is about to take the lock of the last one away: the newer one counts."""

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exposer.panic import cut_now
from exposer.panic.cut import Cut
from exposer.panic.drill import Way, come_back
from exposer.panic.options import Options
from exposer.procs import Entry
from tests.contract.test_panic import Exposure, exposed, nowhere
from tests.support.eventually import eventually

__all__ = ["nowhere"]


@pytest.fixture
def exposure(tmp_path: Path) -> Iterator[Exposure]:
    with exposed(tmp_path) as made:
        yield made


def drilled(exposure: Exposure) -> tuple[Cut, Way]:
    """A drill that has cut everything and has not begun to come back; coming back would leave a file."""
    again = [sys.executable, "-c", f"open({str(exposure.root / 'back')!r}, 'w')"]
    way = Way(Entry("supervisor", exposure.families["supervisor"][0], detail={"again": again}))
    cut = Cut(exposure.name, Options(["--drill"]), time.monotonic())
    for step in (cut.lock, cut.cut, cut.finish):
        step()
    return cut, way


def test_a_panic_during_a_drill_is_not_undone_when_the_drill_is_over(exposure: Exposure) -> None:
    cut, way = drilled(exposure)
    assert exposure.panic("--reason", "it is real").returncode == 0
    assert "panicked" in come_back(cut, way)
    assert exposure.places.locked()
    assert not (exposure.root / "back").exists()
    assert not Path(exposure.places.state, "keyring").exists()


def test_a_drill_that_nobody_disturbs_comes_back(exposure: Exposure) -> None:
    cut, way = drilled(exposure)
    cut_now(exposure.name, lock=True, reason="the guard has seen the drill's lock")
    assert come_back(cut, way) == ""
    assert not exposure.places.locked()
    assert (exposure.root / "back").exists()
    assert Path(exposure.places.state, "keyring").exists()


def unlocking(exposure: Exposure) -> "tuple[subprocess.Popen[bytes], int]":
    """`exposer unlock` that has shown its report and waits for the name."""
    (exposure.root / "exposer.toml").write_text(f'name = "{exposure.name}"\n')
    own, its = pty.openpty()
    argv = [sys.executable, "-m", "exposer", "unlock"]
    asked = subprocess.Popen(argv, stdin=its, stdout=its, stderr=its, cwd=exposure.root, start_new_session=True)
    os.close(its)
    said = b""
    while b"type the exposure's name" not in said:
        said += os.read(own, 65536)
    return asked, own


@pytest.mark.parametrize("again", [True, False])
def test_a_panic_while_unlock_asks_is_not_lifted_by_the_answer(exposure: Exposure, again: bool) -> None:
    Path(exposure.places.state, "keyring").unlink()
    assert exposure.panic().returncode == 0
    asked, own = unlocking(exposure)
    try:
        if again:
            assert exposure.panic().returncode == 0
        os.write(own, f"{exposure.name}\n".encode())
        eventually(lambda: asked.poll() is not None, within=30)
    finally:
        asked.kill()
        asked.wait()
        os.close(own)
    assert asked.returncode == (6 if again else 0)
    assert exposure.places.locked() is again


def test_a_real_panic_says_why_also_where_a_first_one_has_locked(exposure: Exposure) -> None:
    assert exposure.panic("--reason", "first").returncode == 0
    before = exposure.places.lock_stamp()
    assert exposure.panic("--reason", "second").returncode == 0
    assert exposure.places.lock_stamp() != before
    assert json.loads(Path(exposure.places.lock).read_text())["reason"] == "first"
