"""The lease and its terms: two small files in the runtime folder that the supervisor writes and the guard reads."""

import json
import math
import os
import time

from exposer import files
from exposer.files import Places
from exposer.procs import Ledger, ProcessId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH = 24


def now() -> float:
    """Seconds that never run backwards and also count while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Terms:
    """What the guard goes by. `ends` is on the clock of `now`, `until` on that of the calendar; 0 is never.

    `argv` starts the supervisor anew; it is empty for one in the foreground.
    """

    __slots__ = ("argv", "ends", "lease", "supervisor", "until")

    def __init__(
        self, supervisor: ProcessId, lease: float, ends: float = 0.0, until: float = 0.0, argv: "Sequence[str]" = ()
    ) -> None:
        self.supervisor = supervisor
        self.lease = lease
        self.ends = ends
        self.until = until
        self.argv = tuple(argv)

    def to_bytes(self) -> bytes:
        who = {"pid": self.supervisor.pid, "started": self.supervisor.started, "boot": self.supervisor.boot}
        said = {"lease": self.lease, "ends": self.ends, "until": self.until, "argv": self.argv, "supervisor": who}
        return json.dumps(said).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Terms":
        """Raises ValueError, KeyError, TypeError, OverflowError or RecursionError for anything else."""
        said = json.loads(data)
        who = said["supervisor"]
        process = ProcessId(int(who["pid"]), str(who["started"]), str(who["boot"]))
        argv = tuple(str(word) for word in said["argv"])
        lease, ends, until = (float(said[name]) for name in ("lease", "ends", "until"))
        if not all(map(math.isfinite, (lease, ends, until))):  # a lease that is no number would never be over
            raise ValueError("terms without sense")
        return cls(process, lease, ends, until, argv)


class Lease:
    """Where the lease of one exposure is. Renewing needs no room on the disk: the same bytes are written again."""

    def __init__(self, places: Places) -> None:
        self.path = os.path.join(places.runtime, "lease")
        self.ready = os.path.join(places.runtime, "guard.ready")
        self._terms = os.path.join(places.runtime, "lease.terms")
        self._fd = -1
        self._last = 0.0

    def renew(self) -> None:
        """From now on it is valid for another while. Raises OSError."""
        if self._fd < 0:
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._fd = os.open(self.path, flags, 0o600)
        os.pwrite(self._fd, f"{now():<{WIDTH - 1}.3f}\n".encode(), 0)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def renewed(self) -> float:
        """When it was renewed last; what cannot be read was not renewed since."""
        try:
            data = files.read_private(self.path, 64)
            if len(data) == WIDTH and math.isfinite(at := float(data)):
                self._last = at
        except (OSError, ValueError):
            pass
        return self._last

    def set_terms(self, terms: Terms) -> None:
        """Raises OSError."""
        files.swap(self._terms, terms.to_bytes())

    def terms(self) -> Terms | None:
        """The terms as they are now; None when there are none, or they make no sense."""
        try:
            return Terms.from_bytes(files.read_private(self._terms, 256 * 1024))
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return None


def running_supervisor(places: Places, terms: Terms | None) -> ProcessId | None:
    """The supervisor: the one that wrote the terms, or one that is on record and has not come so far yet."""
    if terms is not None and terms.supervisor.alive():
        return terms.supervisor
    for entry in reversed(Ledger(places.ledger).entries()):
        if entry.role == "supervisor" and entry.process is not None and entry.process.alive():
            return entry.process
    return None
