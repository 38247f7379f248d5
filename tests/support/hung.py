"""A disk that answers nothing: a FUSE file system whose server never says a word."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def hung(place: Path) -> Iterator[Path]:
    """Whoever looks into `place` waits until this is over; skips the test where nothing can be mounted."""
    try:
        fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        pytest.skip("no FUSE here")
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0".encode()
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if libc.mount(b"exposer-test", os.fsencode(place), b"fuse", 0, options):
            pytest.skip("no FUSE file system can be mounted here")
        yield place
    finally:
        os.close(fd)  # everybody who waits gets an error now
        subprocess.run(["umount", "-l", str(place)], capture_output=True)
