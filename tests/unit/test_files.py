"""Files are whole or not there, folders are ours alone, and a lock ends with its holder."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from exposer import files
from exposer.files import FileLock, NotPrivateError, Places
from tests.support.disk import mounted
from tests.support.eventually import eventually

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: gives a folder to another user")


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXPOSER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("EXPOSER_RUNTIME_DIR", str(tmp_path / "run"))
    return tmp_path


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB."""
    with mounted(tmp_path / "tiny", "size=64k") as place:
        yield place


def beside(path: Path) -> list[str]:
    return [name for name in os.listdir(path.parent) if name != path.name]


class Refused(Exception):
    """What a check raises."""


def refuse(path: str) -> None:
    raise Refused(path)


def test_a_swapped_file_is_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.swap(str(path), b"x" * 100_000)
    assert path.read_bytes() == b"x" * 100_000
    assert path.stat().st_mode & 0o777 == 0o600
    assert beside(path) == []


def test_a_swapped_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files.swap(str(tmp_path / "file"), b"x")
        files.private_dir(str(tmp_path / "new" / "folder"))
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new" / "folder").stat().st_mode & 0o777 == 0o700


def test_a_refused_file_leaves_the_old_one_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.swap(str(path), b"old")
    with pytest.raises(Refused):
        files.swap(str(path), b"new", check=refuse)
    assert path.read_bytes() == b"old"
    assert beside(path) == []


def test_the_check_sees_the_whole_new_file_before_it_takes_the_place(tmp_path: Path) -> None:
    path, seen = tmp_path / "file", []
    files.swap(str(path), b"old")
    files.swap(str(path), b"new", check=lambda temp: seen.append((Path(temp).read_bytes(), path.read_bytes())))
    assert seen == [(b"new", b"old")]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    versions = [bytes([65 + n]) * 300_000 for n in range(3)]
    files.swap(str(path), versions[0])
    done = threading.Event()

    def write() -> None:
        for n in range(60):
            files.swap(str(path), versions[n % 3])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    reads = 0
    while not done.is_set() or not reads:
        assert path.read_bytes() in versions
        reads += 1
    writer.join()


def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(tiny_disk: Path) -> None:
    path = tiny_disk / "file"
    files.swap(str(path), b"old")
    with pytest.raises(OSError, match="No space left"):
        files.swap(str(path), b"x" * 200_000)
    assert path.read_bytes() == b"old"
    assert beside(path) == []


def test_a_file_that_may_not_grow_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.swap(str(path), b"old")
    code = (
        "import resource, signal, sys\nfrom exposer import files\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n    files.swap(sys.argv[1], b'x' * 5000)\nexcept OSError:\n    sys.exit(7)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, path]).returncode == 7
    assert path.read_bytes() == b"old"
    assert beside(path) == []


def test_a_symlink_is_replaced_and_what_it_points_to_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_bytes(b"keep")
    (tmp_path / "file").symlink_to(target)
    files.swap(str(tmp_path / "file"), b"new")
    assert target.read_bytes() == b"keep"
    assert not (tmp_path / "file").is_symlink()


def test_a_symlink_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(OSError, match="symbolic links"):
        files.read_private(str(tmp_path / "link"))


def test_a_pipe_in_a_files_place_does_not_hang_the_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        files.read_private(str(tmp_path / "pipe"))


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o701, 0o710, 0o777])
def test_a_folder_that_others_can_enter_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(mode)
    with pytest.raises(NotPrivateError, match="can be read by others"):
        files.private_dir(str(tmp_path / "open"))


def test_a_symlink_to_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(NotPrivateError, match="not a folder"):
        files.private_dir(str(tmp_path / "link"))


def test_a_file_in_a_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotPrivateError, match="not a folder"):
        files.private_dir(str(tmp_path / "file"))


@AS_ROOT
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(0o700)
    os.chown(tmp_path / "theirs", 12345, 12345)
    with pytest.raises(NotPrivateError, match="belongs to user 12345"):
        files.private_dir(str(tmp_path / "theirs"))


@AS_ROOT
def test_a_root_that_another_user_made_first_is_refused_though_our_folder_in_it_is_private(roots: Path) -> None:
    (roots / "run").mkdir(0o777)
    os.chown(roots / "run", 12345, 12345)
    with pytest.raises(NotPrivateError, match="belongs to user 12345"):
        Places("one").prepare()
    assert not (roots / "run" / "one").exists()


def test_a_root_that_others_can_write_to_is_refused(roots: Path) -> None:
    (roots / "state").mkdir()
    (roots / "state").chmod(0o777)
    with pytest.raises(NotPrivateError, match="can be written by others"):
        Places("one").prepare()


def test_a_root_that_others_may_only_look_into_is_fine(roots: Path) -> None:
    (roots / "state").mkdir(0o755)
    (roots / "run").mkdir()
    (roots / "run").chmod(0o1777)  # like /tmp: nobody can rename what is ours
    places = Places("one")
    places.prepare()
    assert Path(places.state).stat().st_mode & 0o777 == 0o700


def test_everything_that_is_prepared_is_private_and_preparing_twice_is_fine(roots: Path) -> None:
    places = Places("one")
    places.prepare()
    places.prepare()
    for folder in (places.state, places.runtime, places.schema, places.logs):
        files.check_private(folder)


def test_the_environment_names_the_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EXPOSER_STATE_DIR", "EXPOSER_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/somebody")
    assert files.state_root() == "/home/somebody/.local/state/exposer"
    monkeypatch.setenv("XDG_STATE_HOME", "/xdg/state")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/xdg/run")
    assert (files.state_root(), files.runtime_root()) == ("/xdg/state/exposer", "/xdg/run/exposer")
    monkeypatch.setenv("EXPOSER_STATE_DIR", "/own/state")
    monkeypatch.setenv("EXPOSER_RUNTIME_DIR", "/own/run/")
    assert (files.state_root(), files.runtime_root()) == ("/own/state", "/own/run")


def test_a_relative_folder_from_the_desktop_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else `panic`, called in another folder, would look for the exposure where it is not."""
    for name in ("EXPOSER_STATE_DIR", "EXPOSER_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_STATE_HOME", "XDG_RUNTIME_DIR", "TMPDIR"):
        monkeypatch.setenv(name, "somewhere")
    assert os.path.isabs(files.state_root())
    assert os.path.isabs(files.runtime_root())
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert files.runtime_root() == "/tmp/exposer-1000"


def test_every_exposure_that_left_a_folder_is_known_once(roots: Path) -> None:
    for folder in ("state/both", "run/both", "state/old", "run/new"):
        (roots / folder).mkdir(parents=True)
    (roots / "state" / "a-file").write_text("")
    assert sorted(files.exposures()) == ["both", "new", "old"]


def test_a_root_that_cannot_be_read_does_not_hide_the_other(roots: Path) -> None:
    (roots / "state").symlink_to(roots / "state")
    (roots / "run" / "one").mkdir(parents=True)
    assert list(files.exposures()) == ["one"]


@pytest.mark.parametrize("kind", ["file", "folder", "dangling symlink", "pipe"])
def test_anything_in_the_locks_place_is_a_lock(roots: Path, kind: str) -> None:
    places = Places("one")
    places.prepare()
    assert not places.locked()
    lock = Path(places.lock)
    {
        "file": lock.touch,
        "folder": lock.mkdir,
        "dangling symlink": lambda: lock.symlink_to("nowhere"),
        "pipe": lambda: os.mkfifo(lock),
    }[kind]()
    assert places.locked()


def test_not_being_able_to_look_for_the_lock_counts_as_locked(roots: Path) -> None:
    (roots / "state").mkdir()
    (roots / "state" / "one").symlink_to(roots / "state" / "one")  # lstat of what is below fails
    assert Places("one").locked()


def test_an_exposure_that_never_ran_is_not_locked(roots: Path) -> None:
    assert not Places("one").locked()


def test_a_lock_has_one_holder(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    first, second = FileLock(path), FileLock(path)
    with first:
        assert first.held
        assert not second.acquire(wait=False)
        assert not second.held
    assert not first.held
    assert second.acquire(wait=False)
    second.release()
    second.release()
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_a_lock_is_free_when_its_holder_was_killed(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    code = (
        "import sys\nfrom exposer.files import FileLock\n"
        "lock = FileLock(sys.argv[1])\nlock.acquire()\nprint('held', flush=True)\ninput()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        lock = FileLock(path)
        assert not lock.acquire(wait=False)
        holder.send_signal(signal.SIGKILL)
        assert eventually(lambda: lock.acquire(wait=False))
        lock.release()


def test_a_lock_is_not_inherited_by_what_its_holder_starts(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    lock = FileLock(path)
    lock.acquire()
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        lock.release()
        assert FileLock(path).acquire(wait=False)
        child.kill()


def test_a_symlink_in_the_locks_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"):
        FileLock(str(tmp_path / "lock")).acquire()
    assert not (tmp_path / "victim").exists()


def test_a_log_that_has_grown_long_is_begun_anew_for_whoever_appends(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("ab", buffering=0) as file:
        file.write(b"x" * 100)
        files.keep_short(str(log), 100)
        assert log.stat().st_size == 100
        file.write(b"x")
        files.keep_short(str(log), 100)
        file.write(b"new")
    assert log.read_bytes() == b"new"
    files.keep_short(str(tmp_path / "absent"), 100)
