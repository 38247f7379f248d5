"""What the ring is encrypted with: somebody's own secret, the system's keyring, or a file; in doubt nothing passes."""

import sys
import types
from pathlib import Path

import pytest

from exposer.errors import MissingError
from exposer.keys.model import Ring
from exposer.keys.ring import mint
from exposer.keys.store import RingBrokenError, RingStore
from exposer.secret import Secret

OWN = Secret("correct horse battery staple, and more")


def with_a_key(store: RingStore) -> Ring:
    store.change(lambda ring: (mint(ring, "one", 1.0)[0], None))
    return store.read()


class SystemKeyring(types.ModuleType):
    """A stand-in for the package `keyring` on a machine that has one."""

    def __init__(self, priority: float = 5) -> None:
        super().__init__("keyring")
        self.kept: dict[tuple[str, str], str] = {}
        self.priority = priority

    def get_keyring(self) -> object:
        return self

    def get_password(self, service: str, user: str) -> str | None:
        return self.kept.get((service, user))

    def set_password(self, service: str, user: str, value: str) -> None:
        self.kept[service, user] = value


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> SystemKeyring:
    module = SystemKeyring()
    monkeypatch.setitem(sys.modules, "keyring", module)
    return module


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)


def test_ones_own_master_opens_the_ring_and_leaves_no_key_beside_it(tmp_path: Path) -> None:
    store = RingStore(tmp_path, lambda: OWN)
    ring = with_a_key(store)
    assert RingStore(tmp_path, lambda: OWN).read() == ring
    assert not store.key_path.exists()


def test_another_master_opens_nothing_and_that_is_said(tmp_path: Path) -> None:
    with_a_key(RingStore(tmp_path, lambda: OWN))
    with pytest.raises(RingBrokenError, match=r"auth\.master does not belong to it; nothing passes"):
        RingStore(tmp_path, lambda: Secret("x" * 40)).read()
    with pytest.raises(RingBrokenError, match="nothing passes"):
        RingStore(tmp_path).read()


def test_a_master_that_is_not_there_is_said_with_its_place(tmp_path: Path) -> None:
    with_a_key(RingStore(tmp_path, lambda: OWN))

    def missing() -> Secret:
        raise MissingError("the environment variable MASTER is not set or empty", "set MASTER, then try again")

    with pytest.raises(RingBrokenError, match="MASTER is not set") as error:
        RingStore(tmp_path, missing).read()
    assert "set MASTER" in error.value.hint


def test_a_master_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RingBrokenError, match="32 random ones are the least"):
        with_a_key(RingStore(tmp_path, lambda: Secret("hunter2")))
    assert list(tmp_path.glob("keyring")) == []


def test_a_ring_with_a_key_of_its_own_is_taken_over_by_a_master_with_the_next_change(tmp_path: Path) -> None:
    ring = with_a_key(RingStore(tmp_path))
    store = RingStore(tmp_path, lambda: OWN)
    assert store.read() == ring
    assert store.key_path.exists()
    store.change(lambda known: (mint(known, "two", 2.0)[0], None))
    assert not store.key_path.exists()
    assert [key.label for key in store.read().keys] == ["one", "two"]
    store.backup.replace(store.path)  # the last good generation can be opened as well
    assert store.read() == ring


def test_where_the_system_has_a_keyring_the_key_is_kept_there(tmp_path: Path, system: SystemKeyring) -> None:
    store = RingStore(tmp_path)
    ring = with_a_key(store)
    assert store.key_path.read_text().startswith("system:")
    assert [len(value) for value in system.kept.values()] == [44]
    assert RingStore(tmp_path).read() == ring
    system.kept.clear()
    with pytest.raises(RingBrokenError, match="does not give the key") as error:
        RingStore(tmp_path).read()
    assert error.value.hint == "is it unlocked?"


def test_a_keyring_that_keeps_nothing_is_not_relied_on(tmp_path: Path, system: SystemKeyring) -> None:
    system.priority = 0
    store = RingStore(tmp_path)
    with_a_key(store)
    assert len(store.key_path.read_bytes()) == 44
    assert system.kept == {}


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    store = RingStore(tmp_path)
    with_a_key(store)
    store.key_path.chmod(0o644)
    with pytest.raises(RingBrokenError, match="open to other users") as error:
        store.read()
    assert error.value.hint == f"chmod 600 {store.key_path}"


def test_a_ring_of_a_newer_version_lets_nobody_in(tmp_path: Path) -> None:
    from exposer.keys import store as module

    store = RingStore(tmp_path)
    with_a_key(store)
    known = set(module.KNOWN)
    try:
        module.KNOWN.discard("egress")  # as if this version did not know of it
        with pytest.raises(RingBrokenError, match="newer version") as error:
            store.read()
        assert error.value.hint == "upgrade exposer"
    finally:
        module.KNOWN.update(known)
