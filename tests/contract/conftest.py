"""What the tests of real parts have in common: gateways, and ports that nobody else is about to take."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway import Gate
from tests.support.ports import free_port


@pytest.fixture(scope="package", autouse=True)
def _ports_of_our_own() -> Iterator[None]:
    """A part draws a port long before it listens there, and another worker's may draw the same meanwhile: here each
    gets one that nobody else is given."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("exposer.ports.free", free_port)
        yield


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """One that runs, for all tests of a file that change nothing."""
    gate = Gate(tmp_path_factory.mktemp("gate"))
    try:
        yield gate.start()
    finally:
        gate.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Gate]:
    """One for this test alone, not started yet."""
    gate = Gate(tmp_path)
    try:
        yield gate
    finally:
        gate.close()
