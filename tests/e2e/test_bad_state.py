"""An unlucky user's folders: open to others, symlinks, torn keys, a full disk. Closed is the only way to fail."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.disk import fill, mounted
from tests.support.eventually import eventually
from tests.support.exposure import Exposure, get
from tests.support.unlucky import left, passing, processes, refused

Make = Callable[..., Exposure]
ROOM = {"state": ("4k", "8k", "32k", "56k", "72k", "88k"), "runtime": ("4k", "8k", "16k", "40k", "64k")}


def kept(exposure: Exposure) -> Path:
    return exposure.state / exposure.name


@pytest.mark.nginx
def test_a_state_folder_that_others_can_read_is_refused_but_never_keeps_it_online(sample: Exposure) -> None:
    sample.up()
    kept(sample).chmod(0o755)
    for words in (("up", "-d"), ("keys", "list"), ("rotate-key",), ("unlock",)):
        done = sample.run(*words)
        assert done.returncode == 1
        assert f"{kept(sample)} can be read by others (mode 0755)" in done.stderr
        assert f"chmod 700 {kept(sample)}" in done.stderr
    status = sample.run("status")
    assert status.returncode == 0
    assert "can be read by others" in status.stderr
    assert sample.run("down").returncode == 0
    assert left(sample) == []
    refused(sample, "up", "-d", code=1, says=["chmod 700"])
    kept(sample).chmod(0o700)
    sample.up()
    assert sample.get("/api/notes").status == 200


def test_a_runtime_folder_that_others_can_write_is_not_trusted_for_anything(sample: Exposure) -> None:
    folder = sample.runtime / sample.name
    folder.mkdir(parents=True, mode=0o700)
    folder.chmod(0o777)
    for words in (("up", "-d"), ("down",), ("status",)):
        done = sample.run(*words)
        assert done.returncode == 1, words
        assert f"chmod 700 {folder}" in done.stderr
    folder.chmod(0o700)


@pytest.mark.parametrize("which", ["state", "runtime"])
def test_a_folder_that_is_a_symlink_is_refused_with_the_right_advice(sample: Exposure, which: str) -> None:
    root: Path = getattr(sample, which)
    elsewhere = sample.folder / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    root.mkdir(mode=0o700)
    link = root / sample.name
    link.symlink_to(elsewhere)
    done = sample.run("up", "-d")
    assert done.returncode == 1
    assert f"{link} is a symlink, not a folder" in done.stderr
    assert "move it away" in done.stderr
    assert "chmod" not in done.stderr
    assert list(elsewhere.iterdir()) == []
    assert processes(sample) == {}
    link.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_a_folder_of_somebody_else_is_refused(sample: Exposure) -> None:
    kept(sample).mkdir(parents=True, mode=0o700)
    os.chown(kept(sample), 65534, 65534)
    done = sample.run("up", "-d")
    assert done.returncode == 1
    assert "belongs to user 65534" in done.stderr
    assert "EXPOSER_STATE_DIR" in done.stderr
    os.chown(kept(sample), 0, 0)


def tear(exposure: Exposure, how: str) -> None:
    ring = kept(exposure) / "keyring"
    data = ring.read_bytes()
    match how:
        case "torn":
            ring.write_bytes(data[: len(data) // 2])
        case "empty":
            ring.write_bytes(b"")
        case "foreign":
            ring.write_bytes(b"something else")
        case "keyless":
            (kept(exposure) / "keyring.key").unlink()


@pytest.mark.nginx
@pytest.mark.parametrize("how", ["torn", "empty", "foreign", "keyless"])
def test_with_a_torn_key_ring_nothing_passes_and_nothing_looks_well(sample: Exposure, how: str) -> None:
    sample.up()
    assert sample.get("/api/notes").status == 200
    tear(sample, how)
    eventually(lambda: sample.get("/api/notes").status == 401)
    assert sample.get("/api/notes", key="").status == 401
    eventually(lambda: sample.phase() == "degraded")
    assert "nothing passes" in sample.run("status").stdout
    assert "exposer up" in sample.status()["trouble"]
    for words in (("keys", "list"), ("rotate-key",), ("keys", "add", "more")):
        done = sample.run(*words)
        assert done.returncode == 1
        assert "nothing passes" in done.stderr
        assert "start afresh" in done.stderr
    assert sample.run("down").returncode == 0
    for words in (("up", "-d"), ("up",)):
        refused(sample, *words, code=1, says=["nothing passes", "start afresh with new keys", "rm "])
    for name in ("keyring", "keyring.key"):
        (kept(sample) / name).unlink(missing_ok=True)
    old = sample.key
    sample.up()
    assert sample.get("/api/notes", key=old).status == 401
    assert sample.get("/api/notes").status == 200


@pytest.mark.nginx
def test_the_last_good_ring_put_back_while_it_runs_lets_its_keys_in_again(sample: Exposure) -> None:
    sample.up()
    good = (kept(sample) / "keyring").read_bytes()
    tear(sample, "torn")
    eventually(lambda: sample.get("/api/notes").status == 401)
    (kept(sample) / "keyring").write_bytes(good)
    eventually(lambda: sample.get("/api/notes").status == 200, within=10)
    eventually(lambda: sample.phase() == "online")


@pytest.mark.nginx
@pytest.mark.slow
@pytest.mark.parametrize(("which", "size"), [(which, size) for which, sizes in ROOM.items() for size in sizes])
def test_a_start_on_a_disk_without_room_says_so_and_leaves_nothing_open(
    sample: Exposure, which: str, size: str
) -> None:
    with mounted(getattr(sample, which), f"size={size}"):
        done = refused(sample, "up", "-d", code=1, says=["disk"])
        assert "no room left" in done.stderr or "the disk is full" in done.stderr, done.stderr
        assert "make room" in done.stderr
        assert processes(sample) == {}
        assert sample.run("down").returncode == 0


@pytest.mark.nginx
@pytest.mark.slow
@pytest.mark.parametrize("which", ["state", "runtime"])
def test_in_the_foreground_a_full_disk_ends_the_start_as_well(sample: Exposure, which: str) -> None:
    with mounted(getattr(sample, which), "size=64k"):
        refused(sample, "up", code=1, says=["disk", "make room"])


@pytest.mark.nginx
@pytest.mark.slow
def test_after_a_start_without_room_there_is_a_new_key_once_there_is_room(sample: Exposure) -> None:
    with mounted(sample.state, "size=80k") as disk:
        refused(sample, "up", "-d", code=1, says=["disk"])
        subprocess.run(["mount", "-o", "remount,size=10m", str(disk)], check=True)
        sample.up()
        assert sample.get("/api/notes").status == 200
        assert passing(sample) == ["default"]
        assert sample.run("down").returncode == 0


@pytest.mark.nginx
@pytest.mark.slow
@pytest.mark.parametrize("which", ["state", "runtime"])
def test_a_disk_that_fills_up_opens_nothing_and_down_still_works(sample: Exposure, which: str) -> None:
    with mounted(getattr(sample, which), "size=2m") as disk:
        sample.up()
        fill(disk)
        assert sample.get("/api/notes").status == 200
        assert sample.get("/api/notes", key="").status == 401
        changed = sample.run("keys", "add", "more")
        if which == "state":
            assert changed.returncode == 1
            assert "no room left on the disk" in changed.stderr
            assert "Traceback" not in changed.stderr
            revoked = sample.run("keys", "revoke", "default")
            assert (revoked.returncode, "no room left" in revoked.stderr) == (1, True)
        assert sample.get("/api/notes", key="").status == 401
        assert sample.get("/api/private").status == 404
        pid = sample.pid("backend")
        os.kill(pid, 9)
        eventually(lambda: sample.phase() != "online" or sample.pid("backend") != pid, within=15)
        assert sample.get("/api/notes", key="").status in (401, 502, 503, 504)
        done = sample.run("down")
        assert done.returncode == 0, done.stderr
        assert get(sample.url).status == 0
        eventually(lambda: not processes(sample))


@pytest.mark.nginx
@pytest.mark.slow
def test_on_a_full_disk_the_status_says_what_cannot_be_written(sample: Exposure) -> None:
    with mounted(sample.state, "size=2m") as disk:
        sample.up()
        fill(disk)
        sample.kill("gateway")
        eventually(lambda: sample.status()["gateway"]["restarts"] == 1, within=20)
        eventually(lambda: "full" in (sample.status().get("trouble") or ""), within=20)
        assert sample.get("/api/notes").status == 200
        assert json.loads(sample.run("status", "--json").stdout)["phase"] in ("online", "degraded")
        assert sample.run("down").returncode == 0
