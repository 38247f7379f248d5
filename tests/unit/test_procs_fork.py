"""A copy of this process does nothing before it is on record, and has nothing of its parent's to hold or to lose.

Each is made in a process of its own: the one that runs the tests has threads.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from exposer import procs
from tests.support.eventually import eventually

BEGINNING = """
import os, sys, signal, time
from exposer import files, procs
from exposer.procs import copies
def here(name):
    return os.path.join(sys.argv[1], name)
def mark(name, text=""):
    with open(here(name) + ".new", "w") as file:
        file.write(str(text))
    os.rename(here(name) + ".new", here(name))
def live():
    mark("ran", os.getpid())
    print("said"); print("cried", file=sys.stderr)
    return 7
"""


def run(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Runs a parent to its end."""
    argv = [sys.executable, "-c", BEGINNING + code, str(folder)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


def test_it_prepares_at_once_and_works_once_it_is_on_record(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
def record(identity):
    mark("on-record", f"{identity.alive()} {os.path.exists(here('ran'))}")
child = copies.fork(live, log=here("log"), prepare=lambda: mark("prepared"))
assert procs.wait_until(lambda: os.path.exists(here("prepared")), 60)
assert not procs.wait_until(lambda: os.path.exists(here("ran")), 0.3), "it did not wait"
identity = child.begin(record)
assert procs.wait_until(lambda: procs.exit_code(identity.pid) == 7, 60), procs.exit_code(identity.pid)
assert not identity.alive()
""",
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "on-record").read_text() == "True False"
    assert (tmp_path / "log").read_text() == "cried\nsaid\n" or (tmp_path / "log").read_text() == "said\ncried\n"
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
    assert done.stdout == ""


def test_what_cannot_be_recorded_never_works(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
child = copies.fork(live, log=here("log"))
def record(identity):
    mark("pid", identity.pid)
    raise OSError("no room")
try:
    child.begin(record)
except OSError:
    assert procs.started_at(child.pid) is None
    sys.exit(3)
""",
    )
    assert done.returncode == 3, done.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("how", ["os._exit(0)", "os.kill(os.getpid(), 9)", "sys.exit(0)"])
@pytest.mark.parametrize("when", ["before", "while"])
def test_a_parent_that_dies_before_its_word_leaves_nothing_behind(tmp_path: Path, how: str, when: str) -> None:
    recorded = f"child.begin(lambda identity: {how})" if when == "while" else how
    run(tmp_path, f"""child = copies.fork(live, log=here("log"))\nmark("pid", child.pid)\n{recorded}\n""")
    child = int((tmp_path / "pid").read_text())
    eventually(lambda: procs.started_at(child) is None)
    assert not (tmp_path / "ran").exists()


def test_one_that_is_given_up_is_gone(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
child = copies.fork(live, log=here("log"))
child.give_up()
assert procs.started_at(child.pid) is None
child.give_up()
""",
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ran").exists()


def test_it_holds_nothing_of_its_parent(tmp_path: Path) -> None:
    """No descriptor (an advisory lock would live on in one), no handler, no terminal, no frame that goes on."""
    done = run(
        tmp_path,
        """
signal.signal(signal.SIGTERM, lambda *_: mark("parents-handler"))
signal.signal(signal.SIGINT, lambda *_: mark("parents-handler"))
lock = files.FileLock(here("lock"))
lock.acquire()
def live():
    fds = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    handlers = [signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
                signal.getsignal(signal.SIGINT) is signal.default_int_handler]
    mark("found", repr((fds[:3], len(fds), handlers, os.getsid(0) == os.getpid() == os.getpgid(0),
                        sys.stdin.read(), signal.pthread_sigmask(signal.SIG_BLOCK, []))))
    mark("name", open("/proc/self/comm").read().strip())
    raise RuntimeError("a bug")
try:
    identity = copies.fork(live, log=here("log"), title="my-own-name").begin(lambda identity: None)
    procs.wait_until(lambda: procs.exit_code(identity.pid) is not None, 60)
    print(procs.exit_code(identity.pid))
finally:
    mark(f"end-{os.getpid()}")
""",
    )
    assert done.stdout == "1\n", done.stderr
    assert "RuntimeError: a bug" in (tmp_path / "log").read_text()
    assert (tmp_path / "found").read_text() == repr(
        ([0, 1, 2], 4, [True, True], True, "", set())
    )  # 4: the listing's own
    assert (tmp_path / "name").read_text() == "my-own-name"
    assert len(list(tmp_path.glob("end-*"))) == 1, "the parent's `finally` ran twice"


def test_a_lock_that_its_parent_lets_go_of_is_free(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
lock = files.FileLock(here("lock"))
lock.acquire()
child = copies.fork(lambda: time.sleep(300) or 0, log=here("log"))
identity = child.begin(lambda identity: None)
lock.release()
free = files.FileLock(here("lock")).acquire(wait=False) or procs.wait_until(
    lambda: files.FileLock(here("lock")).acquire(wait=False), 30)
identity.signal(signal.SIGKILL)
assert procs.wait_until(lambda: procs.exit_code(identity.pid) == -9, 60)
assert free, "the copy holds it"
""",
    )
    assert done.returncode == 0, done.stderr


def test_a_log_that_is_a_symlink_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to(tmp_path / "elsewhere")
    done = run(tmp_path, """copies.fork(live, log=here("log"))""")
    assert done.returncode == 1
    assert not (tmp_path / "elsewhere").exists()
    assert os.listdir(tmp_path) == ["log"]
