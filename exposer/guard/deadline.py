"""A deadline that the kernel keeps: once it has passed this process is killed, though it should stand still.

A process that is stopped gets no signal but SIGKILL, so its own alarms wait with it. A timer may send any signal, and
this one sends that. Where there is no such timer (macOS, a system of 32 bits) nothing is kept.
"""

import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BOOTTIME = 7  # goes on while the machine sleeps


class Deadline:
    """None at first. It is this very process's: a copy of it has none."""

    def __init__(self) -> None:
        self._set: Any = None
        self._spec: Any = None
        if sys.platform.startswith("linux") and sys.maxsize > 2**32:
            try:
                self._make()
            except (ImportError, OSError, AttributeError):
                self._set = None

    @property
    def kept(self) -> bool:
        return self._set is not None

    def put(self, seconds: float) -> None:
        """So many seconds from now, in place of the one before; not at all for 0."""
        if self._set is None:
            return
        whole = int(seconds)
        self._spec[2], self._spec[3] = whole, int((seconds - whole) * 1e9)
        if self._set(self._spec):
            self._set = None

    def _make(self) -> None:
        import ctypes

        libc = _library(ctypes)
        timer = ctypes.c_void_p()
        event = (ctypes.c_int * 16)(0, 0, signal.SIGKILL)  # a value, the signal, and 0: send it to the process
        if libc.timer_create(BOOTTIME, event, ctypes.byref(timer)):
            raise OSError("there is no timer")
        self._spec = (ctypes.c_long * 4)()
        self._set = lambda spec: libc.timer_settime(timer, 0, spec, None)


def _library(loader: "Any") -> "Any":
    """Where timers are: before version 2.34 the GNU library had them in another file."""
    libc = loader.CDLL(None)
    return libc if hasattr(libc, "timer_create") else loader.CDLL("librt.so.1")
