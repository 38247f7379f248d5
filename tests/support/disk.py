"""File systems that are tiny, full or read-only."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def mounted(place: Path, options: str) -> Iterator[Path]:
    """A file system in memory with these options at `place`; skips the test where nothing can be mounted."""
    place.mkdir(0o700, exist_ok=True)
    argv = ["mount", "-t", "tmpfs", "-o", f"mode=0700,{options}", "exposer-test", str(place)]
    if os.geteuid() != 0 or subprocess.run(argv, capture_output=True).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> None:
    """Leaves not a single free block, nor one that others give back within a second: files that were just being put in
    the place of others."""
    with open(place / "filler", "wb", buffering=0) as filler:
        for _ in range(20):
            with suppress(OSError):
                while True:
                    filler.write(b"x" * 4096)
            time.sleep(0.05)
