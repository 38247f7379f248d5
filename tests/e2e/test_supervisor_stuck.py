"""A supervisor that lives and does nothing any more: in an endless loop that lets no other thread run, or at a disk."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from exposer.procs import started_at
from tests.e2e.test_guard import PARTS, closed, reasons
from tests.support.eventually import eventually
from tests.support.exposure import Exposure, get, sample_config
from tests.support.hung import hung
from tests.support.ports import free_port

pytestmark = pytest.mark.nginx
Make = Callable[..., Exposure]

# Loaded by every Python of this exposure. Only the supervisor is a copy of `up`; there a thread waits for its word and
# then matches an expression that takes for ever, and gives up the interpreter's lock not once.
SPIN = """
import os, sys

def wait():
    import re, threading, time

    def work():
        while not os.path.exists(os.environ["SPIN"]):
            time.sleep(0.05)
        re.match("(a+)+$", "a" * 200 + "b")

    if "up" in sys.argv:
        threading.Thread(target=work, daemon=True).start()

os.register_at_fork(after_in_child=wait)
"""


def prepared(make_exposure: Make, tmp_path: Path) -> Exposure:
    """Online, with a supervisor that waits for its word."""
    (tmp_path / "sitecustomize.py").write_text(SPIN)
    exposure = make_exposure(sample_config(free_port()))
    exposure.env |= {"PYTHONPATH": str(tmp_path), "SPIN": str(tmp_path / "spin")}
    exposure.up()
    eventually(lambda: len(exposure.guards(leash=True)) == 1, within=20)
    return exposure


def used(pid: int) -> int:
    """How long it has been on a processor, in hundredths of a second."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(words[11]) + int(words[12])


def test_panic_ends_a_supervisor_in_an_endless_loop(make_exposure: Make, tmp_path: Path) -> None:
    exposure = prepared(make_exposure, tmp_path)
    parts = [exposure.pid(role) for role in (*PARTS, "supervisor")]
    before = used(parts[-1])
    (tmp_path / "spin").touch()
    eventually(lambda: used(parts[-1]) > before + 200, within=60)
    done = exposure.run("panic")
    assert done.returncode == 0, done.stderr
    eventually(lambda: closed(exposure, *parts), within=15)
    assert exposure.run("up", "-d").returncode == 6


def test_a_supervisor_in_an_endless_loop_is_cut_when_its_lease_is_over(make_exposure: Make, tmp_path: Path) -> None:
    exposure = prepared(make_exposure, tmp_path)
    parts = [exposure.pid(role) for role in (*PARTS, "supervisor")]
    exposure.shorten_lease()
    (tmp_path / "spin").touch()
    eventually(lambda: closed(exposure, *parts), within=60)
    eventually(lambda: any("silent for longer than" in why for why in reasons(exposure)), within=20)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_state_folder_that_hangs_is_cut_though_supervisor_and_guard_wait_for_it(make_exposure: Make) -> None:
    exposure = make_exposure(sample_config(free_port()))
    exposure.up()
    eventually(lambda: len(exposure.guards(leash=True)) == 1, within=20)
    parts = [exposure.pid(role) for role in PARTS]
    exposure.shorten_lease()
    with hung(exposure.state / exposure.name):
        eventually(lambda: get(exposure.url).status == 0 and not any(map(started_at, parts)), within=60)
