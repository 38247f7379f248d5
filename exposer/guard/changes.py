"""Notices at once that a file was written or replaced, where the kernel tells (inotify)."""

import os
import sys

MODIFY, ATTRIB, DELETE_SELF, MOVE_SELF = 0x2, 0x4, 0x400, 0x800  # inotify(7); replacing a file ends its last name
CHUNK = 65536


class Changes:
    """`fd` becomes readable when the file at `path` has changed since `begin`; -1 where nobody tells."""

    def __init__(self, path: str) -> None:
        self.fd = -1
        self._path = os.fsencode(path)
        if not sys.platform.startswith("linux"):
            return
        try:
            import ctypes

            libc = ctypes.CDLL(None)
            self.fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            self._watch = libc.inotify_add_watch
        except (ImportError, OSError, AttributeError):
            self.fd = -1

    def begin(self) -> None:
        """From now on: what comes after this is told, so look at the file after it, not before."""
        if self.fd < 0:
            return
        try:
            while len(os.read(self.fd, CHUNK)) == CHUNK:
                pass
        except OSError:
            pass  # there was nothing
        self._watch(self.fd, self._path, MODIFY | ATTRIB | DELETE_SELF | MOVE_SELF)
