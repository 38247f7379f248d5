"""A supervisor's code is loaded by one thread at a time: of two, each can wait for the other for ever, and Python then
ends one of them with an error."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import pytest

from tests.e2e.test_docker import DOCUMENT, config
from tests.support.backends import engine_runs
from tests.support.exposure import Exposure, sample_config
from tests.support.ports import free_port
from tests.support.unlucky import left

with_docker = [
    pytest.mark.docker,
    pytest.mark.skipif(not engine_runs(), reason="no Docker engine runs"),
]

# Writes down what is loaded, in which process and thread. Opened anew each time: a copied process closes what it has.
NOTING = """
import os, sys, _thread

def note(event, args):
    if event == "import":
        file = os.open({log!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(file, f"{{os.getpid()}} {{_thread.get_native_id()}} {{args[0]}}\\n".encode())
        os.close(file)

sys.addaudithook(note)
"""


# A signal comes while a module is loaded. What breaks that off may leave Python's own lock of it behind.
BREAKING = """
import os, sys

def strike(event, args):
    if event == "import" and args[0] == {module!r} and not os.path.exists({struck!r}):
        open({struck!r}, "w").close()
        os.kill(os.getpid(), {number})
        for _ in range(1000):
            pass
        open({struck!r} + "-in-peace", "w").close()

sys.addaudithook(strike)
"""


def hook(exposure: Exposure, text: str) -> None:
    (exposure.folder / "hook").mkdir()
    (exposure.folder / "hook" / "sitecustomize.py").write_text(text)
    exposure.env["PYTHONPATH"] = str(exposure.folder / "hook")


def noting(exposure: Exposure) -> Path:
    log = exposure.folder / "loaded"
    hook(exposure, NOTING.format(log=str(log)))
    return log


def loaded(log: Path, pid: int) -> list[tuple[int, str]]:
    """Thread and module, in order; what comes with Python is loaded one module at a time and does no harm."""
    lines = [line.split() for line in log.read_text().splitlines()]
    own = [(int(thread), name) for at, thread, name in lines if int(at) == pid]
    return [(thread, name) for thread, name in own if name.partition(".")[0] not in sys.stdlib_module_names]


def check(exposure: Exposure, log: Path) -> None:
    main = exposure.pid("supervisor")
    everything = loaded(log, main)
    assert len(everything) > 100
    beside: dict[int, list[str]] = {}
    for thread, name in everything:
        if thread != main:
            beside.setdefault(thread, []).append(name)
    assert len(beside) == 1, beside  # that which loads ahead, while the backend starts
    turns = [thread for thread, _ in groupby(thread for thread, _ in everything)]
    assert len(turns) <= 3, turns


@contextmanager
def detached(exposure: Exposure) -> Iterator[None]:
    exposure.up()
    yield


@contextmanager
def in_the_foreground(exposure: Exposure) -> Iterator[None]:
    with exposure.begin("up") as process:
        try:
            exposure.wait_for("online")
            yield
        finally:
            process.terminate()
            process.communicate(timeout=60)


def plain() -> str:
    return sample_config(free_port())


def image() -> str:
    from tests.support.images import server_image

    return config(server_image())


KINDS = {
    "command": (plain, detached),
    "command, in the foreground": (plain, in_the_foreground),
    "command, with TLS": (lambda: plain().replace('provider = "local"', 'provider = "local"\ntls = true'), detached),
    "command, gateway in a container": (lambda: plain().replace('"process"', '"docker"'), detached),
    "image": (image, detached),
    "image, in the foreground": (image, in_the_foreground),
}


@pytest.mark.nginx
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=with_docker if "image" in kind or "container" in kind else []) for kind in KINDS]
)
def test_a_supervisor_loads_in_one_thread_at_a_time(make_exposure: Callable[..., Exposure], kind: str) -> None:
    text, begin = KINDS[kind]
    exposure = make_exposure(text())
    (exposure.folder / "doc.json").write_text(json.dumps(DOCUMENT))
    exposure.env["THE_TOKEN"] = "x"
    log = noting(exposure)
    with begin(exposure):
        check(exposure, log)


@pytest.mark.nginx
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["exposer.cli.assemble", "exposer.app", "exposer.supervisor.daemon"])
def test_a_signal_breaks_no_loading_off(sample: Exposure, module: str, number: int) -> None:
    struck = sample.folder / "struck"
    hook(sample, BREAKING.format(module=module, struck=str(struck), number=int(number)))
    done = sample.run("up")
    assert struck.exists()
    assert Path(f"{struck}-in-peace").exists()
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    assert not (remains := left(sample)), remains


def test_a_thread_that_never_ends_keeps_no_command_from_its_end() -> None:
    told = (
        "import sys, threading, exposer.__main__ as exposer; exposer.LAST = 0.2; "
        "exposer.main = lambda: threading.Thread(target=threading.Event().wait).start() or 7; sys.exit(exposer.entry())"
    )
    assert subprocess.run([sys.executable, "-c", told], timeout=60).returncode == 7
