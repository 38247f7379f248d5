"""Gateways that the tests have in common."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway import Gate


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
