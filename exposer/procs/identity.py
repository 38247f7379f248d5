"""Who a process is: its pid, when it was started, and in which boot."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # the half of it in C: the other costs a panic 4 ms for its enum


def boot_id() -> str:
    """Tells one boot of this machine from another; the boot time where the kernel has no id (macOS)."""
    if not _BOOT:  # it stays the same as long as we live, and a ledger may have ten thousand lines
        try:
            with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:  # a codec that is there already
                _BOOT.append(file.read().strip())
        except OSError:
            _BOOT.append(_ask("sysctl", "-n", "kern.bootsessionuuid"))
    return _BOOT[0]


_BOOT: list[str] = []


def started_at(pid: int) -> str | None:
    """When `pid` started, as the kernel counts it; None when there is no such process or it is a zombie."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)  # asked in each cycle: a file object is dear
        try:
            fields = os.read(fd, 4096).rpartition(b")")[2].split()
        finally:
            os.close(fd)
    except OSError:
        if os.path.isdir("/proc/self"):
            return None
        return _ask("ps", "-o", "lstart=", "-p", str(pid)) or None
    return None if fields[0] in (b"Z", b"X") else fields[19].decode()


def _ask(*argv: str) -> str:
    import subprocess

    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=2, check=False).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


class ProcessId:
    """One process for good: pid, start time and boot id together. A recycled pid is another process."""

    __slots__ = ("boot", "pid", "started")

    def __init__(self, pid: int, started: str, boot: str) -> None:
        self.pid = pid
        self.started = started
        self.boot = boot

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        """The identity of a running process, or None when it is gone."""
        started = started_at(pid)
        return None if started is None else cls(pid, started, boot_id())

    def alive(self) -> bool:
        return self.pid > 1 and started_at(self.pid) == self.started and boot_id() == self.boot

    def signal(self, number: int) -> bool:
        """Sends a signal to this process and no other; True when it was there to get it.

        A pidfd is opened before the identity is checked, so that the pid cannot change hands in between.
        """
        if self.pid <= 1:
            return False
        try:
            fd = os.pidfd_open(self.pid)
        except (AttributeError, OSError, OverflowError):
            fd = -1
        try:
            if not self.alive():
                return False
            if fd >= 0:
                signal.pidfd_send_signal(fd, number)
            else:
                os.kill(self.pid, number)
            return True
        except ProcessLookupError:
            return False
        finally:
            if fd >= 0:
                os.close(fd)

    def signal_group(self, number: int) -> bool:
        """Signals the process and its whole group; only when it leads a group, and is still itself."""
        if not self.alive():
            return _signal_leaderless(self.pid, self.boot, number)
        try:
            if os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, number)
                return True
        except ProcessLookupError:
            return False
        return self.signal(number)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ProcessId):
            return NotImplemented
        return (self.pid, self.started, self.boot) == (other.pid, other.started, other.boot)

    def __hash__(self) -> int:
        return hash((self.pid, self.started, self.boot))

    def __repr__(self) -> str:
        return f"ProcessId({self.pid}, started={self.started!r})"


def group_exists(number: int) -> bool:
    """Whether there is a process, or a group, of that number: when a leader has died the others may go on."""
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return started_at(number) is not None
    except OSError:
        pass
    return True


def _signal_leaderless(group: int, boot: str, number: int) -> bool:
    """A group whose leader has died still belongs to us while the leader's pid is free: a pid is not given out
    again as long as a process group of that number exists."""
    if group <= 1 or boot != boot_id() or started_at(group) is not None:
        return False
    try:
        os.killpg(group, 0)  # most groups are long gone: then there is no need to look at every process
        if not _group_of_ours(group):
            return False
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError, OverflowError):
        return False
    return True


def _group_of_ours(group: int) -> bool:
    """Whether a process of our own user that exposer has started, in a session that the dead leader opened, is in that
    group. Somebody else's may have its number by now.

    Root's may be of any user: workers that root has started are somebody else."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return False
    for pid in pids:
        try:
            if (
                os.getpgid(pid) == group
                and os.getsid(pid) == group
                and os.geteuid() in (0, os.stat(f"/proc/{pid}").st_uid)
                and _is_ours(pid)
            ):
                return True
        except OSError:
            continue
    return False


def _is_ours(pid: int) -> bool:
    """Whether a process bears our mark. One that has lost its environment is known by where it is: nginx, which writes
    its title over it, by the gateway's folder, others by the log that they write to. Raises OSError."""
    from exposer import files
    from exposer.procs.children import marked

    if marked(_read(f"/proc/{pid}/environ")):
        return True
    if _read(f"/proc/{pid}/comm") == b"nginx\n":
        folder = os.path.basename(os.readlink(f"/proc/{pid}/cwd").removesuffix(" (deleted)"))
        return folder.partition(".")[0] == "gateway"
    roots = (f"{files.runtime_root()}/", f"{files.state_root()}/")
    return os.readlink(f"/proc/{pid}/fd/2").startswith(roots)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(1024 * 1024)
