"""Exposures for the end-to-end tests: each with a folder, a name and ports of its own."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import sshd
from tests.support.exposure import Exposure, sample_config
from tests.support.ports import free_port


@pytest.fixture(autouse=True)
def nobody_is_not_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pid of a part that is not there is 0: a signal to that goes to the tests themselves."""

    def careful(send: Callable[[int, int], None]) -> Callable[[int, int], None]:
        def to(pid: int, number: int) -> None:
            assert pid > 0, "there is no such process"
            send(pid, number)

        return to

    monkeypatch.setattr(os, "kill", careful(os.kill))
    monkeypatch.setattr(os, "killpg", careful(os.killpg))


@pytest.fixture
def make_exposure(tmp_path: Path) -> Iterator[Callable[..., Exposure]]:
    """Makes exposures; everything they started is ended after the test."""
    made: list[Exposure] = []

    def make(config: str = "", **kwargs: str) -> Exposure:
        name = f"t{uuid.uuid4().hex[:8]}"
        folder = tmp_path / name
        folder.mkdir()
        exposure = Exposure(folder, name, config or sample_config(free_port(), **kwargs))
        made.append(exposure)
        return exposure

    yield make
    for exposure in made:
        exposure.close()
        assert exposure.ledger() == [], "something was left behind"


@pytest.fixture
def sample(make_exposure: Callable[..., Exposure]) -> Exposure:
    """The sample backend, not started yet."""
    return make_exposure()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[sshd.Sshd]:
    """An OpenSSH server of the test's own."""
    if not sshd.AVAILABLE:
        pytest.skip("there is no OpenSSH server")
    folder = tmp_path / "sshd"
    folder.mkdir()
    with sshd.Sshd(folder) as running:
        yield running
