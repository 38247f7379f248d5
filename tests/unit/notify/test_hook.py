"""Own programs: told on standard input, on record, bounded, and without our environment."""

import json
import os
import stat
from pathlib import Path

import pytest

from exposer.errors import ExposerError, LockedError, MissingError
from exposer.notify.hook import LOG_LIMIT, run_hook
from exposer.procs import Entry
from tests.support.eventually import eventually


class Hooks:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recorded: list[Entry] = []

    def run(self, script: str, patience: float = 30.0) -> None:
        run_hook(
            ("/bin/sh", "-c", script),
            {"public_url": "https://b.example"},
            runtime=str(self.folder),
            logs=str(self.folder),
            cwd=str(self.folder),
            record=self.recorded.append,
            patience=patience,
        )

    def left(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("hook.*.json"))


@pytest.fixture
def hooks(tmp_path: Path) -> Hooks:
    return Hooks(tmp_path)


def test_a_hook_reads_what_it_is_told_and_what_it_says_is_in_a_private_log(hooks: Hooks) -> None:
    hooks.run("cat > told; echo done; echo trouble >&2")
    assert json.loads((hooks.folder / "told").read_text()) == {"public_url": "https://b.example"}
    log = hooks.folder / "hooks.log"
    assert log.read_text() == "done\ntrouble\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert [entry.role for entry in hooks.recorded] == ["hook"]
    assert hooks.left() == []


def test_a_hook_sees_no_secret_of_our_environment_and_has_a_session_of_its_own(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "T0KEN")
    hooks.run("env; ps -o sid= -p $$; echo $$")
    said = (hooks.folder / "hooks.log").read_text()
    assert "T0KEN" not in said
    session, own = said.split()[-2:]
    assert session == own


def test_a_hook_that_takes_too_long_is_ended_with_all_its_children(hooks: Hooks) -> None:
    with pytest.raises(ExposerError, match=r"did not end within 5 s"):
        hooks.run("trap '' TERM; sleep 300 & echo $! > child; wait; sleep 300", patience=5.0)
    child = int((hooks.folder / "child").read_text())
    eventually(lambda: not alive(child))
    assert not hooks.recorded[0].process.alive()  # type: ignore[union-attr]
    assert hooks.left() == []


def test_a_hook_that_fails_or_is_not_there_is_told(hooks: Hooks) -> None:
    with pytest.raises(ExposerError, match="ended with code 3"):
        hooks.run("exit 3")
    with pytest.raises(MissingError, match="there is no such program"):
        run_hook(("no-such-program-here",), {}, runtime=str(hooks.folder), logs=str(hooks.folder), cwd="", record=print)
    assert hooks.left() == []


def test_a_hook_that_cannot_be_put_on_record_never_begins(hooks: Hooks) -> None:
    def refuse(entry: Entry) -> None:
        raise LockedError("a panic holds the lock")

    with pytest.raises(LockedError):
        run_hook(
            ("/bin/sh", "-c", "echo ran > ran"),
            {},
            runtime=str(hooks.folder),
            logs=str(hooks.folder),
            cwd=str(hooks.folder),
            record=refuse,
        )
    assert not (hooks.folder / "ran").exists()
    assert hooks.left() == []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def test_the_log_of_hooks_does_not_grow_without_end(hooks: Hooks) -> None:
    log = hooks.folder / "hooks.log"
    log.write_bytes(b"x" * 2_000_000)
    hooks.run("echo again")
    assert log.read_text() == "again\n"
    assert os.path.getsize(log) < 100


def test_a_hook_that_prints_without_an_end_does_not_fill_the_disk(hooks: Hooks) -> None:
    with pytest.raises(ExposerError, match="did not end"):
        hooks.run("exec yes 'much of the same, again and again and again and again'", patience=1.0)
    assert (hooks.folder / "hooks.log").stat().st_size <= LOG_LIMIT
