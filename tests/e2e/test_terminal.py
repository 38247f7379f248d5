"""What a person sees and types on a real terminal."""

import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from exposer.procs import started_at
from tests.support.eventually import eventually
from tests.support.exposure import EXPOSER, Exposure, get
from tests.support.ports import free_port
from tests.support.unlucky import left, moody

pytestmark = pytest.mark.nginx
STEP = r"^ +\d+\.\d s  "


class Terminal:
    """A command on a pseudo-terminal of its own: it can be read, typed to, and pulled away."""

    def __init__(self, exposure: Exposure, *words: str, **env: str) -> None:
        self.seen, self._bytes = "", b""
        self._fd, child = pty.openpty()
        self.process = subprocess.Popen(
            [*EXPOSER, "--file", str(exposure.file), *words],
            env=exposure.env | {"TERM": "xterm"} | env,
            cwd=exposure.folder,
            stdin=child,
            stdout=child,
            stderr=child,
            start_new_session=True,
            preexec_fn=lambda: _make_controlling(child),
        )
        os.close(child)

    def sees(self, text: str, within: float = 60) -> str:
        """Reads until the text stands on the terminal."""
        deadline = time.monotonic() + within
        while text not in self.seen:
            left_over = deadline - time.monotonic()
            assert left_over > 0, f"{text!r} was not shown; this was:\n{self.seen}"
            if not self._read(left_over):
                raise AssertionError(f"{text!r} was not shown before the end; this was:\n{self.seen}")
        return self.seen

    def types(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def ends(self, within: float = 60) -> int:
        """Reads to the end and returns the exit code."""
        deadline = time.monotonic() + within
        while self._read(max(0.0, deadline - time.monotonic())):
            pass
        return self.process.wait(max(1.0, deadline - time.monotonic()))

    def interrupted(self) -> int:
        """Ctrl-C, again when the first came a moment too early for the line editor, until the end."""
        deadline = time.monotonic() + 60
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end; this was shown:\n{self.seen}"
            self.types("\x03")
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(3)
        return self.process.returncode

    def hang_up(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def close(self) -> None:
        self.hang_up()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def _read(self, within: float) -> bool:
        if not select.select([self._fd], [], [], within)[0]:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # the other side is closed
            return False
        self._bytes += data  # a line end, or a letter, may come in two pieces
        self.seen = self._bytes.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)


def _make_controlling(fd: int) -> None:
    """As a shell's terminal: Ctrl-C and hanging up reach the command."""
    import fcntl
    import termios

    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(exposure: Exposure, *words: str, **env: str) -> Terminal:
        opened.append(Terminal(exposure, *words, **env))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


Open = Callable[..., Terminal]


def test_up_shows_its_steps_with_times_then_a_summary_and_ctrl_c_takes_it_down(
    sample: Exposure, terminal: Open
) -> None:
    screen = terminal(sample, "up")
    said = screen.sees("exposer panic (at once, and locked)")
    for step in ("backend: up", "schema: 2 of 3 operations to publish", "gateway: up", "tunnel: up"):
        assert re.search(STEP + step, said, re.MULTILINE), step
    key = re.search(r"^  key +(exp_\S+)$", said, re.MULTILINE)
    url = re.search(r"^  address +(http\S+)$", said, re.MULTILINE)
    assert key is not None
    assert url is not None
    assert f"curl -H 'X-API-Key: {key[1]}' {url[1]}/api/notes" in said
    assert get(f"{url[1]}/api/notes", key[1]).status == 200
    screen.types("\x03")
    assert screen.ends() == 0
    assert "is offline; nothing is left running" in screen.seen
    assert get(url[1]).status == 0
    assert left(sample) == []


def test_ctrl_c_in_the_midst_of_a_start_takes_it_back(make_exposure: Callable[..., Exposure], terminal: Open) -> None:
    for words in (("up",), ("up", "-d")):
        exposure = make_exposure(moody(free_port(), "slow=30"))
        screen = terminal(exposure, *words)
        eventually(lambda exposure=exposure: exposure.pid("backend"), within=15)
        screen.types("\x03")
        assert screen.ends() == 130, screen.seen
        assert "Traceback" not in screen.seen
        assert left(exposure) == []


def test_a_terminal_that_is_closed_takes_its_exposure_with_it(sample: Exposure, terminal: Open) -> None:
    screen = terminal(sample, "up")
    screen.sees("exposer panic (at once, and locked)")
    pids = [entry["pid"] for entry in sample.ledger() if "pid" in entry]
    eventually(lambda: not (sample.state / sample.name / "first-key-unseen").exists())
    screen.hang_up()
    screen.process.wait(60)
    assert [pid for pid in pids if started_at(pid)] == []
    assert left(sample) == []


@pytest.mark.parametrize("words", [("up",), ("up", "-d")])
def test_a_terminal_that_is_closed_in_the_midst_of_a_start_takes_it_back(
    make_exposure: Callable[..., Exposure], terminal: Open, words: tuple[str, ...]
) -> None:
    exposure = make_exposure(moody(free_port(), "slow=30"))
    screen = terminal(exposure, *words)
    eventually(lambda: exposure.pid("backend"), within=15)
    screen.hang_up()
    screen.process.wait(60)
    assert left(exposure) == []


def test_up_detached_outlives_its_terminal(sample: Exposure, terminal: Open) -> None:
    screen = terminal(sample, "up", "-d")
    screen.sees("exposer panic (at once, and locked)")
    assert screen.ends() == 0
    screen.hang_up()
    assert sample.phase() == "online"


def test_unlock_asks_for_the_name_and_a_wrong_one_keeps_the_lock(sample: Exposure, terminal: Open) -> None:
    assert sample.run("panic", "--reason", "just trying").returncode == 0
    wrong = terminal(sample, "unlock")
    assert "just trying" in wrong.sees("type the exposure's name")
    wrong.types("something-else\n")
    assert wrong.ends() == 2
    assert "that is not its name" in wrong.seen
    assert "the lock stays" in wrong.seen
    assert sample.phase() == "panicked"
    left_alone = terminal(sample, "unlock")
    left_alone.sees("type the exposure's name")
    assert left_alone.interrupted() == 130
    assert sample.phase() == "panicked"
    right = terminal(sample, "unlock")
    right.sees("type the exposure's name")
    right.types(f"{sample.name}\n")
    assert right.ends() == 0
    assert "is unlocked" in right.seen
    assert sample.phase() == "offline"


def test_purge_asks_before_it_removes_anything(sample: Exposure, terminal: Open) -> None:
    sample.up()
    no = terminal(sample, "down", "--purge")
    no.sees("Remove all keys and the whole journal")
    no.types("n\n")
    assert no.ends() == 130
    assert sample.get("/api/notes").status == 200, "nothing was done before the answer"
    yes = terminal(sample, "down", "--purge")
    yes.sees("Remove all keys and the whole journal")
    yes.types("y\n")
    assert yes.ends() == 0
    assert not (sample.state / sample.name).exists()
    assert left(sample) == []


def test_a_document_that_is_none_is_asked_about(make_exposure: Callable[..., Exposure], terminal: Open) -> None:
    more = '[schema]\ninclude = ["GET /api/notes"]'
    exposure = make_exposure(moody(free_port(), "document=html", more=more))
    no = terminal(exposure, "up", "-d")
    no.sees("Go on without a document?")
    no.types("n\n")
    assert no.ends() == 1
    assert no.seen.count("this is a web page") == 1
    assert left(exposure) == []
    yes = terminal(exposure, "up", "-d")
    yes.sees("Go on without a document?")
    yes.types("y\n")
    yes.sees("is online after")
    assert yes.ends() == 0
    assert exposure.phase() == "online"


@pytest.mark.parametrize(("words", "env"), [((), {"NO_COLOR": "1"}), (("--no-color",), {})])
def test_no_colour_where_none_is_wanted(sample: Exposure, terminal: Open, words: tuple[str, ...], env: dict) -> None:
    for command in (("status",), ("up", "--dry-run"), ("keys", "list"), ("url",)):
        screen = terminal(sample, *words, *command, **env)
        screen.ends()
        assert screen.seen
        assert "\x1b" not in screen.seen


def test_output_that_nobody_reads_to_its_end_is_no_error(sample: Exposure) -> None:
    sample.up()
    argv = [*EXPOSER, "--file", str(sample.file), "status"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(argv, env=sample.env, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120)
    os.close(writer)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_second_ctrl_c_does_not_leave_anything_half_done(
    make_exposure: Callable[..., Exposure], terminal: Open
) -> None:
    exposure = make_exposure(moody(free_port(), "slow=30"))
    screen = terminal(exposure, "up")
    eventually(lambda: exposure.pid("backend"), within=15)
    screen.process.send_signal(signal.SIGINT)
    screen.types("\x03")
    assert screen.ends() == 130
    assert left(exposure) == []
