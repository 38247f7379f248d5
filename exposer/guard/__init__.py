"""The guard: a small process that cuts the exposure when nobody looks after it any more.

The supervisor renews a lease from its own loop. When it has been silent for longer than the lease, when the time box
is over, or when the panic lock appears, the guard runs the same cut as `exposer panic` (without a lock of its own in
the first two cases). It imports nothing but the standard library, `files`, `procs` and `panic`.

Three processes keep each other alive. No two of them can be killed or stopped without the third closing everything,
and killed or stopped all three at once they take tunnel and gateway along:

- the supervisor starts the guard anew when it has ended, and opens no tunnel before one is ready;
- the guard starts a detached supervisor anew (a few times, with growing waits) when it died without a `down`. One in
  the foreground belongs to a terminal: it is not started again, and what it left is cut when its lease runs out;
- the leash, a copy of the guard in a session of its own, watches the lease too: with supervisor and guard both stopped
  it cuts. When the guard is gone it holds the lease, and when the supervisor is gone as well it cuts: tunnel, gateway
  and keys, within a second or two. Tunnel and gateway are tethered to it (see `tether`): the kernel kills them when it
  is killed, and it is killed when it stands still for longer than the lease (see `deadline`). The leash of a new guard
  ties them anew, so supervisor and guard may both be replaced freely.

Tunnels are not children of the guard. A parent-death signal is tied to the thread that forked and is lost when the
child changes its user, nginx's workers would not get it, and every new guard would cost the public address.
Where there are no pidfds (macOS) deaths are seen by looking twice a second, and nothing is tethered.
"""

import json
import os
import signal
import sys

from exposer import procs
from exposer.files import FileLock, Places, swap
from exposer.guard.cut import cut
from exposer.guard.lease import Lease, Terms, now, running_supervisor
from exposer.guard.leash import fork_leash
from exposer.guard.verdict import Verdict, decide
from exposer.guard.waiting import wait
from exposer.procs import Entry, Ledger, ProcessId

EVERY = 0.5
# The waits before a supervisor that died is started anew, and how long it must live to be forgiven.
AGAIN = (3.0, 10.0, 30.0)
STEADY = 120.0


class Guard:
    """Holds the lease of one exposure."""

    def __init__(self, name: str) -> None:
        self.places = Places(name)
        self.lease = Lease(self.places)
        self.terms: Terms | None = None
        self.leash: ProcessId | None = None
        self._died = 0.0
        self._lived = 0.0
        self._tries = 0

    def run(self) -> int:
        """Until there is nothing to guard any more, or it has been cut."""
        while True:
            self.terms = self.lease.terms() or self.terms
            verdict = self.judge()
            if verdict is not None:
                cut(self.places.name, lock=verdict.lock, reason=verdict.reason)
                return 0
            if self.terms is None or not os.path.isdir(self.places.runtime):
                return 0
            self._keep_leash()
            self._keep_supervisor(now())
            procs.reap()
            wait([self.terms.supervisor, self.leash], EVERY)

    def end(self) -> None:
        """Asked to, as at the end of a `down`. The leash goes along when there is nothing left for it to hold."""
        entries = [e for e in Ledger(self.places.ledger).entries() if e.role not in ("guard", "supervisor")]
        if self.leash is not None and not any(e.process is not None and e.process.alive() for e in entries):
            self.leash.signal(signal.SIGKILL)
        os._exit(0)

    def judge(self) -> Verdict | None:
        return decide(self.terms, self.lease.renewed(), self.places.locked())

    def _keep_leash(self) -> None:
        if self.leash is not None and self.leash.alive():
            return
        me = ProcessId.of(os.getpid())
        if me is None:
            return
        try:
            self.leash = fork_leash(self.places, me)
        except OSError:
            return  # there is no process to be had just now
        said = {"guard": me.pid, **({} if self.leash is None else {"leash": self.leash.pid})}
        try:
            swap(self.lease.ready, json.dumps(said).encode())
        except OSError:
            return  # the supervisor opens nothing before it has read this

    def _keep_supervisor(self, at: float) -> None:
        """Starts one anew that died without a `down`, in the background only, and not again and again."""
        terms = self.terms
        assert terms is not None  # noqa: S101
        if running_supervisor(self.places, terms) is not None:
            self._lived = self._lived or at
            self._died = 0.0
            if at - self._lived > STEADY:
                self._tries = 0
            return
        self._lived = 0.0
        self._died = self._died or at
        if not terms.argv or self._tries >= len(AGAIN) or at < self._died + AGAIN[self._tries]:
            return
        lock = FileLock(os.path.join(self.places.state, "supervisor.lock"))
        try:
            if self._nobody_else(lock):
                self._tries += 1
                self._died = at
                self._start(terms)
        finally:
            lock.release()

    def _nobody_else(self, lock: FileLock) -> bool:
        """Whether no other `up` or `down` is at it, nor comes in between while `lock`, the supervisor's, is held."""
        try:
            return lock.acquire(wait=False) and running_supervisor(self.places, self.terms) is None
        except OSError:
            return False

    def _start(self, terms: Terms) -> None:
        def record(identity: ProcessId) -> None:
            Ledger(self.places.ledger).append(Entry("supervisor", identity))
            if self.places.locked():
                raise OSError("a panic holds the lock")

        log = os.path.join(self.places.logs, "supervisor.log")
        try:
            procs.spawn([sys.executable, "-m", "exposer", *terms.argv], log=log, record=record, env=dict(os.environ))
        except OSError as error:
            print(f"the supervisor could not be started anew: {error}", file=sys.stderr, flush=True)


def main(argv: list[str] | None = None) -> int:
    """`python -m exposer.guard NAME`."""
    words = sys.argv[1:] if argv is None else argv
    if len(words) != 1 or not words[0] or "/" in words[0] or words[0].startswith("."):
        print("usage: python -m exposer.guard NAME", file=sys.stderr)
        return 2
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    guard = Guard(words[0])
    signal.signal(signal.SIGTERM, lambda *_: guard.end())
    return guard.run()
