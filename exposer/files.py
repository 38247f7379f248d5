"""Private folders, check-then-swap writes and an advisory lock. Standard library only: the panic path uses it."""

import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType


class NotPrivateError(Exception):
    """A folder that must be ours alone is not: wrong owner, open to others, or a symlink."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} {why}")
        self.path = path
        self.why = why


def state_root() -> str:
    """Where the state of all exposures lives (survives a reboot), by the contract's section 5."""
    if explicit := os.environ.get("EXPOSER_STATE_DIR"):
        return os.path.abspath(explicit)
    base = _absolute("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(base, "exposer")


def runtime_root() -> str:
    """Where sockets, the ledger and the rendered gateway live (gone at boot).

    Without XDG_RUNTIME_DIR an ordinary user cannot write to /run: then a folder named after the user in
    the temporary directory is used; `Places.prepare` refuses it when somebody else made it.
    """
    if explicit := os.environ.get("EXPOSER_RUNTIME_DIR"):
        return os.path.abspath(explicit)
    if base := _absolute("XDG_RUNTIME_DIR"):
        return os.path.join(base, "exposer")
    if os.geteuid() == 0 and os.path.isdir("/run"):
        return "/run/exposer"
    return os.path.join(_absolute("TMPDIR") or "/tmp", f"exposer-{os.geteuid()}")  # noqa: S108


def _absolute(name: str) -> str:
    """A folder from the environment; a relative one is passed over, as the XDG specification demands: `panic` from
    another folder must find the same place."""
    value = os.environ.get(name, "")
    return value if os.path.isabs(value) else ""


def check_private(path: str) -> None:
    """Raises NotPrivateError unless `path` is a real folder, owned by us, closed to group and others."""
    info = os.lstat(path)
    if not stat.S_ISDIR(info.st_mode):
        raise NotPrivateError(path, "is not a folder")
    if info.st_uid != os.geteuid():
        raise NotPrivateError(path, f"belongs to user {info.st_uid}, not to you")
    if info.st_mode & 0o077:
        raise NotPrivateError(path, f"can be read by others (mode {stat.S_IMODE(info.st_mode):04o})")


def check_root(path: str) -> None:
    """Raises NotPrivateError when somebody else could put a folder of his own in the place of ours in there."""
    for info in (os.lstat(path), os.stat(path)):
        if info.st_uid not in (0, os.geteuid()):
            raise NotPrivateError(path, f"belongs to user {info.st_uid}, not to you")
    if info.st_mode & 0o022 and not info.st_mode & stat.S_ISVTX:
        raise NotPrivateError(path, f"can be written by others (mode {stat.S_IMODE(info.st_mode):04o})")


def private_dir(path: str) -> str:
    """Makes `path` a folder of mode 0700 of our own, or raises NotPrivateError. Parents are made 0700 too."""
    parent = os.path.dirname(path)
    if parent and not os.path.isdir(parent):
        private_dir(parent)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        check_private(path)
    return path


def swap(
    path: str,
    data: bytes,
    mode: int = 0o600,
    check: "Callable[[str], None] | None" = None,
    *,
    lasting: bool = True,
) -> None:
    """Puts `data` at `path` whole or not at all: written beside it, checked, flushed, renamed.

    `check` gets the path of the new file before it takes the place and may raise to refuse it. What need not be
    `lasting` is not flushed: below the runtime folder, which a loss of power empties, there is nothing to save.
    A reader never sees half a file; after an error the old file is untouched and nothing is left beside it.
    """
    temp = f"{path}.{os.getpid()}.{os.urandom(4).hex()}.new"
    try:
        fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            os.fchmod(fd, mode)
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            if lasting:
                os.fsync(fd)
        finally:
            os.close(fd)
        if check is not None:
            check(temp)
        os.rename(temp, path)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:
            error.filename = path  # a write that finds the disk full does not say where
        try:
            os.unlink(temp)
        except OSError:
            pass
        raise
    if lasting:
        sync_dir(os.path.dirname(path))


def sync_dir(path: str) -> None:
    """Flushes a folder's entries, where the file system can."""
    try:
        fd = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        os.fsync(fd)
    except OSError:
        pass
    finally:
        os.close(fd)


def keep_short(path: str, limit: int) -> None:
    """Begins a log anew that has grown longer than that. Whoever appends to it goes on at the new end."""
    try:
        if os.stat(path).st_size > limit:
            os.truncate(path, 0)
    except OSError:
        return


def read_private(path: str, limit: int = 16 * 1024 * 1024) -> bytes:
    """The bytes of a regular file, never following a symlink. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        return file.read(limit)


def stamp(path: str) -> tuple[int, ...]:
    """Tells whether what is at a path is still the same, unchanged; it goes along when it is renamed."""
    try:
        info = os.lstat(path)
    except OSError:
        return (0, 0)
    return (info.st_ino, info.st_mtime_ns)


def names_in(path: str) -> list[str]:
    """The names in a folder, sorted; an absent folder has none."""
    try:
        return sorted(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return []


class FileLock:
    """An advisory lock (flock) that ends with the process. `held` tells whether we got it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = -1

    @property
    def held(self) -> bool:
        return self._fd >= 0

    def acquire(self, wait: bool = True) -> bool:
        """Takes the lock; with `wait=False` returns False at once when somebody else has it."""
        import fcntl

        while True:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
                if self._is(fd):
                    self._fd = fd
                    return True
            except BlockingIOError:
                os.close(fd)
                return False
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)

    def _is(self, fd: int) -> bool:
        """Whether that is still the file at the path: a lock on one that was removed meanwhile keeps nobody out."""
        try:
            return os.path.samestat(os.fstat(fd), os.lstat(self.path))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> "FileLock":
        self.acquire()
        return self

    def __exit__(
        self, kind: "type[BaseException] | None", error: "BaseException | None", trace: "TracebackType | None"
    ) -> None:
        self.release()


def exposures(roots: "Sequence[str]" = ()) -> "Iterator[str]":
    """The names of all exposures that have left a state or a runtime folder; one root that cannot be read does not
    hide what is in the other."""
    seen = set()
    for root in roots or (state_root(), runtime_root()):
        try:
            names = names_in(root)
        except OSError:
            continue
        for name in names:
            if name not in seen and not name.startswith(".") and os.path.isdir(os.path.join(root, name)):
                seen.add(name)
                yield name


class Places:
    """Where the files of one exposure are, by the contract's section 5."""

    __slots__ = (
        "control",
        "failure",
        "ledger",
        "lock",
        "logs",
        "name",
        "runtime",
        "schema",
        "snapshot",
        "state",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = os.path.join(state_root(), name)
        self.runtime = os.path.join(runtime_root(), name)
        self.lock = os.path.join(self.state, "PANIC")
        self.schema = os.path.join(self.state, "schema")
        self.logs = os.path.join(self.state, "logs")
        self.ledger = os.path.join(self.runtime, "ledger")
        self.snapshot = os.path.join(self.runtime, "snapshot.json")
        self.failure = os.path.join(self.runtime, "failure.json")
        self.control = os.path.join(self.runtime, "control.sock")

    def prepare(self) -> None:
        """Makes the folders, all 0700. Raises NotPrivateError when one is open to others, OSError on a full disk."""
        for root in (state_root(), runtime_root()):
            if not os.path.isdir(root):
                private_dir(root)
            check_root(root)
        for folder in (self.state, self.runtime, self.schema, self.logs):
            private_dir(folder)

    def locked(self) -> bool:
        """Whether a panic holds this exposure. Anything at that path counts, and so does not being able to look."""
        try:
            os.lstat(self.lock)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return True

    def lock_stamp(self) -> tuple[int, ...]:
        """Another one after each panic, also after one that finds the lock there; zeros for no lock."""
        return stamp(self.lock)

    def lift(self, seen: tuple[int, ...]) -> bool:
        """Takes the lock away; False, and it stays, when somebody has panicked since it was `seen`. Raises OSError."""
        aside = f"{self.lock}.{os.getpid()}.lifted"
        if self.lock_stamp() != seen:
            return False
        os.rename(self.lock, aside)  # whoever panics from now on makes a new one
        if stamp(aside) != seen:
            os.rename(aside, self.lock)
            return False
        if stat.S_ISDIR(os.lstat(aside).st_mode):
            import shutil

            shutil.rmtree(aside)
        else:
            os.unlink(aside)
        return True
