"""The cut itself: everything that passes data stands still, its connections are destroyed, then it ends."""

import os

from exposer import procs
from exposer.panic import find, sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Collection
else:
    import _signal as signal


OUTWARD = ("tunnel", "standby")  # the way out of this machine, where the gateway is not the public server itself
INWARD = ("gateway", "link")
CUT_FIRST = (*OUTWARD, *INWARD)
LISTENS = ("listen", "second")
WATCHERS = ("supervisor", "guard")
SETTLE = 0.03  # how long nginx gets to write down the calls whose connections were destroyed
FLUSH = 0.2  # how long it gets to write out its log
NAMES = {getattr(signal, name): name for name in ("SIGSTOP", "SIGCONT", "SIGTERM", "SIGKILL")}


class DataPath:
    """What passes data for one exposure. `step` notes what was done, `trouble` takes sentences about what was not,
    `notes` what a person should know."""

    def __init__(self, step: "Callable[..., None]", trouble: list[str], notes: list[str]) -> None:
        self._step = step
        self._trouble = trouble
        self._notes = notes
        self._failed = False

    @property
    def destroyed(self) -> bool:
        """Whether nothing can leave any more by what was connected, though its process should go on."""
        return not self._failed

    def cut(self, entries: "list[procs.Entry]") -> None:
        """Stop, destroy, kill; the tunnels before all else, as looking at each of the gateway's connections takes its
        time. The gateway is left standing still, so that its log can still be saved."""
        out, inside, watchers = (_of(entries, roles) for roles in (OUTWARD, INWARD, WATCHERS))
        self._stop(out)
        first = self._destroy(out)
        self._stop([*inside, *watchers])
        rest = self._destroy(inside)
        if out or inside:
            self._tell(first, rest)
        for entry in (*out, *inside):
            if entry.role != "gateway":
                self.signal(entry, signal.SIGKILL)

    def _stop(self, entries: "list[procs.Entry]") -> None:
        for entry in entries:
            self.signal(entry, signal.SIGSTOP)

    def end_gateway(self, entries: "list[procs.Entry]", shut: bool) -> None:
        """nginx keeps the last lines of its log in memory. With its callers gone, and `shut` to new ones, it may go on
        for a moment to write them out; then it ends in any case. Killed at once it would lose them."""
        gateways = [entry for entry in entries if entry.role == "gateway" and entry.process is not None]
        alive = [entry for entry in gateways if entry.process is not None and entry.process.alive()]
        if alive and shut:
            for number in (signal.SIGCONT, signal.SIGTERM) if self.destroyed else (signal.SIGTERM, signal.SIGCONT):
                for entry in alive:
                    self.signal(entry, number, quiet=number == signal.SIGCONT)
                if number == signal.SIGCONT and self.destroyed:
                    procs.pause(SETTLE)
            procs.wait_until(lambda: not any(e.process is not None and e.process.alive() for e in alive), FLUSH, 0.002)
        for entry in gateways:
            self.signal(entry, signal.SIGKILL)

    def signal(self, entry: procs.Entry, number: int, *, quiet: bool = False) -> None:
        """To the process, its group, and what it has started in other groups (a container's own processes)."""
        if entry.process is None or entry.process.pid == os.getpid():
            return
        try:
            others = find.family(entry.process.pid)[1:] if self._with_family(entry, number) else []
            if entry.process.signal_group(number) and not quiet:
                name = NAMES.get(number, str(number))
                self._step("signalled", role=entry.role, pid=entry.process.pid, signal=name)
            for pid in others:
                if (member := procs.ProcessId.of(pid)) is not None and pid != os.getpid():
                    member.signal(number)
        except OSError as error:
            self._trouble.append(f"{entry.role} (pid {entry.process.pid}): {error.strerror}")

    @staticmethod
    def _with_family(entry: procs.Entry, number: int) -> bool:
        """What a watcher has started has an entry, and an end, of its own: a backend may have to be kept, a gateway to
        write out its log. nginx passes on to its workers what asks it to end."""
        if entry.process is None or number == signal.SIGTERM or (number == signal.SIGKILL and entry.role in WATCHERS):
            return False
        return entry.process.alive()

    def _destroy(self, passing: "list[procs.Entry]") -> sockets.Outcome:
        """What the kernel still holds of answers would go on leaving after its process is dead."""
        done = sockets.Outcome()
        try:
            alive = [entry for entry in passing if entry.process is not None and entry.process.alive()]
            pids = [pid for entry in alive if entry.process is not None for pid in find.family(entry.process.pid)]
            ports = {port for entry in alive if entry.role == "gateway" for port in ports_of(entry)}
            if pids:
                done = sockets.destroy(sockets.of_processes(pids), ports)
        except Exception as error:  # whatever it is: the others still have to stop, and to end
            self._complain(f"connections could not be destroyed, what waits in them may still leave: {error}")
            self._failed = True
        self._failed = self._failed or bool(done.left)
        return done

    def _complain(self, sentence: str) -> None:
        if sentence not in self._trouble:
            self._trouble.append(sentence)

    def _tell(self, *outcomes: sockets.Outcome) -> None:
        """What became of all connections together."""
        destroyed, left, queued = (sum(getattr(done, what) for done in outcomes) for what in sockets.COUNTED)
        if queued:
            why = next(done.why for done in outcomes if done.why)
            self._notes.append(
                f"{left} connections could not be destroyed ({why}): up to {queued} bytes that already waited in them "
                "may still leave"
            )
        self._step("connections destroyed", count=destroyed, left=left, bytes_that_may_leave=queued)


def _of(entries: "list[procs.Entry]", roles: "Collection[str]") -> "list[procs.Entry]":
    """Those that are processes here and have such a part."""
    return [entry for entry in entries if entry.role in roles and entry.process is not None]


def ports_of(entry: procs.Entry) -> set[int]:
    """The ports of this machine's loopback that a gateway listens on, for one tunnel or two."""
    return {port for name in LISTENS if (port := _port_of(str(entry.detail.get(name, ""))))}


def _port_of(address: str) -> int:
    host, _, port = address.rpartition(":")
    return int(port) if host == "127.0.0.1" and port.isascii() and port.isdigit() and int(port) < 65536 else 0
