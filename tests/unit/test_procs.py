"""A process is known by more than its pid, starts only once it is on record, and ends with its whole group."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exposer import procs
from exposer.procs import Entry, Ledger, ProcessId
from tests.support.eventually import eventually
from tests.support.families import family

Spawn = Callable[..., ProcessId]
AT_ONCE = ((signal.SIGTERM, 60.0), (signal.SIGKILL, 60.0))


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """`procs.spawn`, with a log and a record by default; whatever was started is gone afterwards."""
    started: list[ProcessId] = []

    def start(*argv: str, **more: object) -> ProcessId:
        settings = {"log": str(tmp_path / "log"), "record": lambda identity: None, **more}
        started.append(procs.spawn(argv, **settings))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for process in started:
        procs.stop(process, ((signal.SIGKILL, 5.0),))


def recycled(process: ProcessId) -> ProcessId:
    """Who had this pid before."""
    return ProcessId(process.pid, str(int(process.started) - 1), process.boot)


def says(path: Path, text: str) -> bool:
    return path.exists() and text in path.read_text()


# Starting


def test_the_program_does_not_begin_before_it_is_on_record(spawn: Spawn, tmp_path: Path) -> None:
    seen = []

    def record(identity: ProcessId) -> None:
        threading.Event().wait(0.3)  # the time a slow disk takes
        seen.append((identity.alive(), (tmp_path / "ran").exists()))

    process = spawn("touch", str(tmp_path / "ran"), record=record)
    assert seen == [(True, False)]
    eventually((tmp_path / "ran").exists)
    eventually(lambda: procs.exit_code(process.pid) == 0)


def test_the_identity_on_record_is_that_of_the_program(spawn: Spawn) -> None:
    recorded: list[ProcessId] = []
    process = spawn("sleep", "300", record=recorded.append)
    assert recorded == [process]
    eventually(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n")
    assert process.alive()


class DiskFullError(Exception):
    """What a ledger raises."""


def test_what_cannot_be_recorded_is_never_executed(spawn: Spawn, tmp_path: Path) -> None:
    pids = []

    def record(identity: ProcessId) -> None:
        pids.append(identity)
        raise DiskFullError

    with pytest.raises(DiskFullError):
        spawn("touch", str(tmp_path / "ran"), record=record)
    assert not pids[0].alive()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("how", ["os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_a_parent_that_dies_before_the_go_leaves_nothing_behind(tmp_path: Path, how: str) -> None:
    code = (
        "import os, sys\nfrom exposer import procs\n"
        "def record(identity):\n"
        "    open(sys.argv[2], 'w').write(str(identity.pid))\n"
        f"    {how}\n"
        "procs.spawn(['touch', sys.argv[1]], log=sys.argv[3], record=record)\n"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "ran", tmp_path / "pid", tmp_path / "log"])
    child = int((tmp_path / "pid").read_text())
    eventually(lambda: procs.started_at(child) is None)
    assert not (tmp_path / "ran").exists()


def test_a_parent_that_dies_does_not_wait_for_what_others_have_started_meanwhile(tmp_path: Path) -> None:
    """Another child must not inherit the writing end of the gate's pipe and hold it open."""
    code = (
        "import os, sys, subprocess\nfrom exposer import procs\n"
        "def record(identity):\n"
        "    open(sys.argv[2], 'w').write(str(identity.pid))\n"
        "    subprocess.Popen(['sleep', '60'])\n"
        "    os._exit(0)\n"
        "procs.spawn(['touch', sys.argv[1]], log=sys.argv[3], record=record)\n"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "ran", tmp_path / "pid", tmp_path / "log"])
    child = int((tmp_path / "pid").read_text())
    eventually(lambda: procs.started_at(child) is None)
    assert not (tmp_path / "ran").exists()


def test_a_program_runs_in_a_session_of_its_own_with_nothing_to_read(spawn: Spawn, tmp_path: Path) -> None:
    process = spawn("sh", "-c", "cat; echo end of input; sleep 300")
    eventually(lambda: says(tmp_path / "log", "end of input"))
    assert os.getsid(process.pid) == os.getpgid(process.pid) == process.pid != os.getsid(0)


def test_output_of_both_kinds_is_appended_to_a_private_file(spawn: Spawn, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        spawn("sh", "-c", "echo out; echo err >&2")
        eventually(lambda: says(tmp_path / "log", "err"))
        spawn("sh", "-c", "echo again")
    finally:
        os.umask(before)
    eventually(lambda: (tmp_path / "log").read_text() == "out\nerr\nagain\n")
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_a_log_that_is_a_symlink_is_refused(spawn: Spawn, tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"):
        spawn("echo", "hello")
    assert not (tmp_path / "victim").exists()


def test_a_program_inherits_no_secret_from_the_environment(
    spawn: Spawn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NGROK_AUTHTOKEN", "AWS_SECRET_ACCESS_KEY", "LD_PRELOAD_NOT", "HTTPS_PROXY", "PYTHONPATH", "BASH_ENV"):
        monkeypatch.setenv(name, "geheim")
    spawn("env", env=procs.child_environment({"PORT": "8080"}))
    eventually(lambda: says(tmp_path / "log", "PORT=8080"))
    names = {line.partition("=")[0] for line in (tmp_path / "log").read_text().splitlines()}
    assert names <= {*procs.INHERITED, "PORT", "PWD", "OLDPWD", "SHLVL", "_"}  # the last ones are the shell's
    assert "PATH" in names
    assert "geheim" not in (tmp_path / "log").read_text()


def test_arguments_reach_the_program_as_they_are(spawn: Spawn, tmp_path: Path) -> None:
    words = ["$(touch pwned)", "`id`", "a b", "", "-n", "*", "';", '"\\', "new\nline"]
    spawn(
        sys.executable, "-c", "import sys, json; print(json.dumps(sys.argv[1:]), flush=True)", *words, cwd=str(tmp_path)
    )
    eventually(lambda: says(tmp_path / "log", "]\n"))
    assert json.loads((tmp_path / "log").read_text()) == words
    assert not (tmp_path / "pwned").exists()


def test_a_program_that_is_not_there_is_said_before_anything_is_recorded(spawn: Spawn) -> None:
    recorded: list[ProcessId] = []
    with pytest.raises(FileNotFoundError, match="not found on PATH"):
        spawn("no-such-program-here", record=recorded.append)
    assert recorded == []


# Who is who


def test_a_recycled_pid_is_another_process_and_is_never_signalled(spawn: Spawn) -> None:
    innocent = spawn("sleep", "300")
    old = recycled(innocent)
    assert old != innocent
    assert not old.alive()
    assert not old.signal(signal.SIGKILL)
    assert not old.signal_group(signal.SIGKILL)
    assert procs.stop(old, AT_ONCE)
    assert innocent.alive()


def test_a_process_of_another_boot_is_never_signalled(spawn: Spawn) -> None:
    innocent = spawn("sleep", "300")
    old = ProcessId(innocent.pid, innocent.started, "00000000-0000-0000-0000-000000000000")
    assert not old.alive()
    assert not old.signal_group(signal.SIGKILL)
    assert procs.stop(old, AT_ONCE)
    assert innocent.alive()


@pytest.mark.parametrize("pid", [-1, 0, 1])
def test_init_and_everybody_at_once_are_never_signalled(pid: int) -> None:
    started = procs.started_at(1) or "0"
    process = ProcessId(pid, started, procs.boot_id())
    assert not process.signal(0)
    assert not process.signal_group(0)


@pytest.mark.parametrize("pid", [2**22 + 5, 2**31, 2**40, 10**30])
def test_a_pid_out_of_range_is_nobody(pid: int) -> None:
    process = ProcessId(pid, "1", procs.boot_id())
    assert not process.alive()
    assert not process.signal(0)
    assert not process.signal_group(0)


def test_a_zombie_counts_as_dead() -> None:
    with subprocess.Popen(["sleep", "300"]) as child:
        process = ProcessId.of(child.pid)
        assert process is not None
        os.kill(child.pid, signal.SIGKILL)
        eventually(lambda: Path(f"/proc/{child.pid}/stat").read_text().split()[2] == "Z")
        assert not process.alive()
        assert ProcessId.of(child.pid) is None


def test_a_name_made_to_confuse_does_not_change_the_start_time(tmp_path: Path) -> None:
    program = tmp_path / "x) S 1 (y"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "300"]) as child:
        process = ProcessId.of(child.pid)
        assert process is not None
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        assert process.started == fields[19]
        child.kill()


def test_a_process_that_leads_no_group_is_signalled_alone() -> None:
    with family(1) as (leader, (member,)):
        assert member.signal_group(signal.SIGKILL)
        eventually(lambda: not member.alive())
        assert leader.alive() or procs.started_at(leader.pid) is None  # `wait` may have ended the shell by itself


# Ending


def test_a_polite_program_is_asked_only(spawn: Spawn, tmp_path: Path) -> None:
    process = spawn("sh", "-c", f"trap 'touch {tmp_path}/asked; exit 3' TERM; echo ready; while :; do sleep 0.05; done")
    eventually(lambda: says(tmp_path / "log", "ready"))
    assert procs.stop(process, AT_ONCE)
    assert (tmp_path / "asked").exists()
    assert procs.exit_code(process.pid) == 3


def test_a_process_that_ignores_sigterm_is_killed_after_its_patience(spawn: Spawn, tmp_path: Path) -> None:
    process = spawn("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done")
    eventually(lambda: says(tmp_path / "log", "ready"))
    begun = time.monotonic()
    assert procs.stop(process, ((signal.SIGTERM, 0.4), (signal.SIGKILL, 60.0)))
    assert time.monotonic() - begun >= 0.4
    assert procs.exit_code(process.pid) == -signal.SIGKILL


def test_a_stopped_process_can_be_ended(spawn: Spawn) -> None:
    process = spawn("sleep", "300")
    process.signal(signal.SIGSTOP)
    assert procs.stop(process, ((signal.SIGTERM, 0.2), (signal.SIGKILL, 60.0)))
    assert not process.alive()


def test_the_whole_group_ends_with_its_leader() -> None:
    with family(3) as (leader, members):
        assert len(members) == 3
        assert procs.stop(leader, AT_ONCE)
        eventually(lambda: not any(member.alive() for member in members))


def test_a_group_ends_though_its_leader_died_first() -> None:
    with family(2, leader="exit") as (leader, members):
        assert not leader.alive()
        assert all(member.alive() for member in members)
        assert procs.stop(leader, AT_ONCE)
        eventually(lambda: not any(member.alive() for member in members))


@pytest.mark.parametrize("program", ["sleep 300", "env -i sleep 300"])
def test_a_strangers_session_that_has_the_number_of_one_of_ours_by_now_is_left_alone(program: str) -> None:
    with family(1, leader="exit", member=program, mark={}) as (leader, (member,)):
        assert not leader.signal_group(signal.SIGKILL)
        assert procs.stop(leader, AT_ONCE)
        assert member.alive()


@pytest.fixture
def own_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log in an exposure's folder: what writes to it bears a mark."""
    monkeypatch.setenv("EXPOSER_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "demo").mkdir()
    return tmp_path / "demo" / "backend.log"


@pytest.mark.parametrize("program", ["sleep 300", "env -i sleep 300"], ids=["with-its-mark", "without-an-environment"])
def test_what_a_part_has_started_ends_though_the_part_died_first(spawn: Spawn, own_log: Path, program: str) -> None:
    """One that has lost its environment, as with sudo or a title that it has written over it, is known by its log."""
    process = spawn("sh", "-c", f"{program} & echo $!; exit", log=str(own_log))
    member = ProcessId.of(int(eventually(lambda: own_log.exists() and own_log.read_text().strip())))
    assert member is not None
    eventually(lambda: (procs.reap(), not process.alive())[1])
    eventually(lambda: Path(f"/proc/{member.pid}/comm").read_text() == "sleep\n")
    assert procs.stop(process, AT_ONCE)
    eventually(lambda: not member.alive())


def test_a_member_that_ignores_sigterm_ends_when_its_leader_has(spawn: Spawn, own_log: Path) -> None:
    process = spawn("sh", "-c", "(trap '' TERM; echo $$ ready; while :; do sleep 0.05; done) & wait", log=str(own_log))
    eventually(lambda: says(own_log, "ready"))
    assert procs.stop(process, AT_ONCE)
    with pytest.raises(ProcessLookupError):
        eventually(lambda: os.killpg(process.pid, 0))


def test_a_leaderless_group_of_another_boot_is_left_alone() -> None:
    with family(1, leader="exit") as (leader, (member,)):
        old = ProcessId(leader.pid, leader.started, "another boot")
        assert procs.stop(old, AT_ONCE)
        assert member.alive()


def test_a_leaderless_group_inside_somebody_elses_session_is_left_alone() -> None:
    """A pipeline of the user's shell is a group, too; its session is the shell's."""
    script = "set -m; (sh -c 'sleep 300 & echo $$ $!'); read x"
    pipe = subprocess.PIPE
    with subprocess.Popen(["bash", "-c", script], stdin=pipe, stdout=pipe, text=True, start_new_session=True) as shell:
        assert shell.stdout is not None
        group, sleeper = (int(word) for word in shell.stdout.readline().split())
        member = ProcessId.of(sleeper)
        try:
            assert member is not None
            leader = os.getpgid(sleeper)
            eventually(lambda: procs.started_at(leader) is None)
            assert os.getsid(sleeper) == shell.pid != leader
            assert procs.stop(ProcessId(leader, "1", procs.boot_id()), AT_ONCE)
            assert not ProcessId(group, "1", procs.boot_id()).signal_group(signal.SIGKILL)
            assert member.alive()
        finally:
            os.kill(sleeper, signal.SIGKILL)
            os.killpg(shell.pid, signal.SIGKILL)


def test_stopping_what_is_long_gone_does_nothing(spawn: Spawn) -> None:
    process = spawn("true")
    eventually(lambda: not process.alive())
    assert procs.stop(process, AT_ONCE)
    assert procs.stop(process, AT_ONCE)


def test_ten_thousand_dead_entries_are_passed_over_quickly() -> None:
    dead = [ProcessId(2**21 + n, "1", procs.boot_id()) for n in range(10_000)]
    begun = time.monotonic()
    assert not any(process.signal_group(signal.SIGKILL) for process in dead)
    assert time.monotonic() - begun < 60


def test_the_exit_code_of_a_child_is_kept(spawn: Spawn) -> None:
    process = spawn("sh", "-c", "exit 42")
    assert eventually(lambda: procs.exit_code(process.pid)) == 42


# Short commands


def test_a_short_command_gives_its_output_and_its_code() -> None:
    done = procs.run(["sh", "-c", "cat; echo err >&2; exit 3"], stdin=b"in")
    assert (done.code, done.out, done.err) == (3, "in", "err\n")


def test_a_command_that_takes_too_long_is_ended_though_its_child_holds_the_pipe() -> None:
    begun = time.monotonic()
    with pytest.raises(TimeoutError, match="did not end within"):
        procs.run(["sh", "-c", "sleep 200 & exec sleep 300"], timeout=0.3)
    assert time.monotonic() - begun < 60


def test_a_short_command_inherits_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NGROK_AUTHTOKEN", "geheim")
    assert "geheim" not in procs.run(["env"]).out


# The ledger


def entry(n: int, boot: str = "boot") -> Entry:
    return Entry(
        "gateway", ProcessId(n, str(n * 7), boot), {"container": f"c{n}"}, f"d{n}", {"listen": f"127.0.0.1:{n}"}
    )


def same(one: Entry, other: Entry) -> bool:
    return one.to_line() == other.to_line()


def test_what_was_put_on_record_is_found_again(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path / "ledger"))
    ledger.append(entry(2))
    ledger.append(Entry("network", None, {"network": "n"}))
    first, second = Ledger(str(tmp_path / "ledger")).entries()
    assert same(first, entry(2))
    assert (second.role, second.process, second.ids) == ("network", None, {"network": "n"})
    assert (tmp_path / "ledger").stat().st_mode & 0o777 == 0o600


def test_no_ledger_is_an_empty_ledger(tmp_path: Path) -> None:
    assert Ledger(str(tmp_path / "ledger")).entries() == []
    assert Ledger(str(tmp_path / "ledger")).read() == []


def test_a_torn_last_line_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    ledger = Ledger(str(path))
    ledger.append(entry(2))
    ledger.append(entry(3))
    whole = path.read_bytes()
    for cut in range(1, len(entry(3).to_line())):
        path.write_bytes(whole[:-cut])
        found = [e.digest for e in ledger.entries()]
        assert found in (["d2"], ["d2", "d3"])
        ledger.append(entry(4))
        assert [e.digest for e in ledger.entries()] == [*found, "d4"]


SCALARS = st.none() | st.booleans() | st.integers() | st.text()
SCALARS |= st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    "garbage",
    [
        b'{"role": "gateway"} {"role": "gateway"}',
        b"\x00\xff\xfe",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"role": "gateway", "pid": "x"}',
        b'{"role": "gateway", "pid": 5}',
        b'{"role": "gateway", "pid": Infinity, "started": "1", "boot": "b"}',
        b'{"role": "gateway", "pid": NaN, "started": "1", "boot": "b"}',
        b'{"role": "gateway", "pid": ' + b"9" * 5000 + b', "started": "1", "boot": "b"}',
        b'{"role": "gateway", "detail": 5}',
        b'{"role": "gateway", "detail": [[1]]}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"",
    ],
)
def test_garbage_is_passed_over(tmp_path: Path, garbage: bytes) -> None:
    path = tmp_path / "ledger"
    path.write_bytes(entry(2).to_line() + garbage + b"\n" + entry(3).to_line())
    assert [e.digest for e in Ledger(str(path)).entries()] == ["d2", "d3"]


@given(st.recursive(SCALARS, lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_what_a_line_says_is_read_back_exactly(said: Any) -> None:
    line = Entry("gateway", ids={"container": "c"}, detail={"said": said}).to_line()
    found = Entry.from_line(line)
    assert found is not None
    assert (found.role, found.ids, found.detail) == ("gateway", {"container": "c"}, {"said": said})


def test_ten_thousand_entries_are_read_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_bytes(b"".join(entry(n).to_line() for n in range(10_000)))
    ledger = Ledger(str(path))
    assert len(ledger.entries()) == 10_000
    ledger.keep(lambda e: e.digest == "d9999")
    assert [e.digest for e in ledger.entries()] == ["d9999"]


def test_an_entry_of_another_boot_is_kept_and_known_to_be_dead(tmp_path: Path, spawn: Spawn) -> None:
    now = spawn("sleep", "300")
    ledger = Ledger(str(tmp_path / "ledger"))
    ledger.append(Entry("tunnel", ProcessId(now.pid, now.started, "before")))
    ledger.append(Entry("tunnel", now))
    assert [e.process is not None and e.process.alive() for e in ledger.entries()] == [False, True]


def test_a_ledger_that_cannot_be_read_is_not_emptied(tmp_path: Path) -> None:
    """Too many open files, a failing disk: forgetting everything would hide what runs from the kill switch."""
    path = tmp_path / "ledger"
    (tmp_path / "real").write_bytes(entry(2).to_line())
    path.symlink_to(tmp_path / "real")
    ledger = Ledger(str(path))
    with pytest.raises(OSError, match="symbolic links"):
        ledger.keep(lambda e: True)
    assert (tmp_path / "real").read_bytes() == entry(2).to_line()
    assert path.is_symlink()
    assert ledger.entries() == []


def test_a_pipe_in_the_ledgers_place_does_not_hang_its_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ledger")
    assert Ledger(str(tmp_path / "ledger")).entries() == []


def test_a_line_that_cannot_be_written_whole_is_an_error(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys\nfrom exposer.procs import Entry, Ledger\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try:\n    Ledger(sys.argv[1]).append(Entry('tunnel', detail={'x': 'y' * 200}))\n"
        "except OSError:\n    sys.exit(7)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path / "ledger"]).returncode == 7
    ledger = Ledger(str(tmp_path / "ledger"))
    assert ledger.entries() == []
    ledger.append(entry(2))
    assert [e.digest for e in ledger.entries()] == ["d2"]


def test_threads_that_add_and_forget_at_once_lose_nothing(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path / "ledger"))

    def add(start: int) -> None:
        for n in range(start, start + 40):
            ledger.append(entry(n))

    def forget() -> None:
        for _ in range(40):
            ledger.keep(lambda e: e.role == "gateway")

    threads = [threading.Thread(target=add, args=(start,)) for start in (100, 200, 300)]
    threads += [threading.Thread(target=forget) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = {f"d{n}" for start in (100, 200, 300) for n in range(start, start + 40)}
    assert {e.digest for e in ledger.entries()} == expected
    assert len(ledger.entries()) == 120


def test_long_work_gives_way_after_every_few_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    done: list[int] = []
    monkeypatch.setattr("exposer.procs.ending.time.sleep", lambda seconds: given.append(len(done)))
    for item in procs.giving_way(iter(range(175))):
        done.append(item)
    assert done == list(range(175)), "each of them, in order"
    assert given == [49, 99, 149]
    assert list(procs.giving_way([])) == []
