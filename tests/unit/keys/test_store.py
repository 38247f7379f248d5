"""The ring's file: nobody loses a change, and a broken one is an error, never an empty ring."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exposer.keys import ring as keys
from exposer.keys.model import Ring
from exposer.keys.store import RingBrokenError, RingStore
from exposer.secret import Secret
from tests.support.disk import fill, mounted

NOW = 1_700_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> RingStore:
    return RingStore(tmp_path)


def add(store: RingStore, label: str) -> str:
    return store.change(lambda ring: keys.mint(ring, label, NOW)).reveal()


def labels(ring: Ring) -> list[str]:
    return [key.label for key in ring.keys]


def test_what_was_changed_is_read_again(store: RingStore) -> None:
    add(store, "one")
    add(store, "two")
    store.change(lambda ring: keys.revoke(ring, "one", NOW))
    ring = RingStore(store.path.parent).read()
    assert labels(ring) == ["one", "two"]
    assert labels(Ring(ring.salt, ring.passing(NOW))) == ["two"]
    assert ring.generation == 3


def test_before_the_first_key_nothing_passes_and_nothing_is_written(store: RingStore) -> None:
    assert store.read().keys == ()
    assert not store.exists()
    assert set(store.stamp()) == {0}
    assert os.listdir(store.path.parent) == []


def test_the_file_tells_neither_key_nor_label_nor_check(store: RingStore) -> None:
    clear = add(store, "my-label")
    key = store.read().keys[0]
    for path in store.path.parent.iterdir():
        content = path.read_bytes()
        for text in (clear, clear.split("_")[2], "my-label", key.check, key.htpasswd):
            assert text.encode() not in content


def test_every_file_is_private_whatever_the_umask(store: RingStore) -> None:
    before = os.umask(0)
    try:
        add(store, "one")
        add(store, "two")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in store.path.parent.iterdir()}
    assert modes == dict.fromkeys(("keyring", "keyring.key", "keyring.last", "keyring.lock"), 0o600)


def test_the_stamp_changes_with_every_change_and_only_then(store: RingStore) -> None:
    add(store, "one")
    before = store.stamp()
    store.read()
    store.change(lambda ring: (ring, None))
    assert store.stamp() == before
    add(store, "two")
    assert store.stamp() != before


def test_the_last_good_one_is_kept(store: RingStore) -> None:
    add(store, "one")
    add(store, "two")
    store.path.write_bytes(b"scribbled over")
    with pytest.raises(RingBrokenError) as caught:
        store.read()
    assert str(store.backup) in caught.value.hint
    store.backup.rename(store.path)
    assert labels(store.read()) == ["one"]


class WrongError(Exception):
    """What a change may raise."""


def test_a_change_that_fails_changes_nothing_and_frees_the_lock(store: RingStore) -> None:
    add(store, "one")
    before = store.path.read_bytes()

    def fail(ring: Ring) -> tuple[Ring, None]:
        raise WrongError

    with pytest.raises(WrongError):
        store.change(fail)
    assert store.path.read_bytes() == before
    add(store, "two")


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: len(path.read_bytes()) // 2])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def header_only(path: Path) -> None:
    path.write_bytes(b"exposer-keyring-1\n")


def link(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


def dangle(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def another_key(path: Path) -> None:
    from cryptography.fernet import Fernet

    path.with_name("keyring.key").write_bytes(Fernet.generate_key())


def no_key(path: Path) -> None:
    path.with_name("keyring.key").unlink()


def garbage_key(path: Path) -> None:
    path.with_name("keyring.key").write_bytes(b"not a key")


def linked_key(path: Path) -> None:
    link(path.with_name("keyring.key"))


def sealed(text: bytes) -> Callable[[Path], None]:
    def put(path: Path) -> None:
        from cryptography.fernet import Fernet

        fernet = Fernet(path.with_name("keyring.key").read_bytes())
        path.write_bytes(b"exposer-keyring-1\n" + fernet.encrypt(text))

    return put


@pytest.mark.parametrize(
    "harm",
    [tear, truncate, flip, empty, header_only, link, dangle, folder, pipe, another_key, no_key, garbage_key, linked_key]
    + [
        sealed(text)
        for text in (
            b"",
            b"[]",
            b"{}",
            b"null",
            b'{"salt": "s", "generation": 1}',
            b'{"salt": "s", "generation": 1, "keys": [{}]}',
            b'{"salt": "s", "generation": 1, "keys": [5]}',
            b'{"salt": "s", "generation": "x", "keys": []}',
            b"\xff\xfe",
        )
    ],
)
def test_a_broken_ring_is_an_error_for_who_reads_and_for_who_changes_it(
    store: RingStore, harm: Callable[[Path], None]
) -> None:
    clear = add(store, "one")
    harm(store.path)
    for attempt in (store.read, lambda: add(store, "two")):
        with pytest.raises(RingBrokenError) as caught:
            attempt()
        assert "nothing passes" in caught.value.message
        assert clear not in str(caught.value)


@pytest.mark.parametrize("harm", [tear, flip, another_key, garbage_key, no_key])
def test_doing_what_the_error_says_helps(store: RingStore, harm: Callable[[Path], None]) -> None:
    add(store, "one")
    harm(store.path)
    with pytest.raises(RingBrokenError, match="nothing passes") as caught:
        store.read()
    said = caught.value.hint.partition("(rm ")[2].partition(",")[0].split()
    for name in said:
        Path(name).unlink(missing_ok=True)
    add(store, "new")
    assert labels(store.read()) == ["new"]


def test_a_damaged_key_beside_no_ring_is_an_error_with_a_way_out(store: RingStore) -> None:
    store.key_path.write_bytes(b"not a key")
    with pytest.raises(RingBrokenError, match=r"keyring\.key"):
        add(store, "one")
    assert not store.exists()


ADDER = """
import sys
from pathlib import Path
from exposer.keys.ring import mint
from exposer.keys.store import RingStore
store = RingStore(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for n in range(8):
    store.change(lambda ring: mint(ring, f"{sys.argv[2]}-{n}", 1.0))
"""


def test_processes_that_add_keys_at_once_lose_none(store: RingStore, tmp_path: Path) -> None:
    adders = [
        subprocess.Popen([sys.executable, "-c", ADDER, tmp_path, str(n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for n in range(3)
    ]
    for adder in adders:
        assert adder.stdout is not None
        adder.stdout.readline()
    for adder in adders:
        adder.communicate(b"go\n", timeout=60) if adder is adders[-1] else _go(adder)
    for adder in adders[:-1]:
        adder.communicate(timeout=60)
    assert [adder.returncode for adder in adders] == [0, 0, 0]
    ring = store.read()
    assert sorted(labels(ring)) == sorted(f"{who}-{n}" for who in range(3) for n in range(8))
    assert ring.generation == 24


def _go(adder: "subprocess.Popen[bytes]") -> None:
    assert adder.stdin is not None
    adder.stdin.write(b"go\n")
    adder.stdin.flush()


def test_a_reader_never_sees_a_half_written_ring(store: RingStore) -> None:
    add(store, "k0")
    done = threading.Event()

    def write() -> None:
        for n in range(1, 30):
            add(store, f"k{n}")
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    before = 0
    while not done.is_set():
        now = len(store.read().keys)
        assert now >= before
        before = now
    writer.join()
    assert len(store.read().keys) == 30


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "tiny", "size=32k") as place:
        yield place


def test_a_full_disk_leaves_the_ring_as_it_was(tiny_disk: Path) -> None:
    store = RingStore(tiny_disk)
    add(store, "one")
    fill(tiny_disk)
    with pytest.raises(OSError, match="No space"):
        add(store, "two")
    assert labels(store.read()) == ["one"]
    assert sorted(os.listdir(tiny_disk)) == ["filler", "keyring", "keyring.key", "keyring.lock"]


@pytest.mark.parametrize("master", [None, Secret("a master key that is long enough")])
def test_something_else_is_sealed_with_the_rings_key(tmp_path: Path, master: Secret | None) -> None:
    store = RingStore(tmp_path, None if master is None else lambda: master)
    add(store, "one")
    sealed = store.seal("for nobody")
    assert "nobody" not in sealed
    assert RingStore(tmp_path, None if master is None else lambda: master).unseal(sealed) == "for nobody"
    other = RingStore(tmp_path / "other")
    other.path.parent.mkdir(mode=0o700)
    add(other, "one")
    for text in (sealed[:-9], "", "x"):
        with pytest.raises(ValueError, match="no key fits"):
            store.unseal(text)
    with pytest.raises(ValueError, match="no key fits"):
        other.unseal(sealed)


def test_nothing_is_sealed_before_there_is_a_ring(store: RingStore) -> None:
    with pytest.raises((RingBrokenError, OSError, ValueError)):
        store.seal("for nobody")
