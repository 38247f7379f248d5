"""The few error families; each has an exit code for scripts and a next step for people."""

import errno

FULL = (errno.ENOSPC, errno.EDQUOT)
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
SYSTEM = (*FULL, *REFUSED, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENAMETOOLONG)


class ExposerError(Exception):
    """Something went wrong that a person can understand: what is wrong, where, and what to do about it.

    `code` is the stable word for `--json`, `exit_code` the process's exit status.
    """

    exit_code = 1
    code = "failed"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ExposerError):
    """The command line does not make sense."""

    exit_code, code = 2, "usage"


class ConfigError(ExposerError):
    """`exposer.toml` is missing or wrong. `problems` holds one sentence for each mistake."""

    exit_code, code, fatal = 3, "config", True

    def __init__(self, message: str, hint: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.problems = problems


class MissingError(ExposerError):
    """Something that is needed is not there: a program, an engine, an image, a token."""

    exit_code, code = 4, "missing"


class NotRunningError(ExposerError):
    """There is no running exposure of that name."""

    exit_code, code = 5, "not-running"


class LockedError(ExposerError):
    """A panic holds the lock; only `exposer unlock` lifts it."""

    exit_code, code = 6, "locked"


class TimeoutExceededError(ExposerError):
    """It did not happen in the time allowed."""

    exit_code, code = 7, "timeout"


class UnverifiedError(ExposerError):
    """After a panic something still answers."""

    exit_code, code = 8, "unverified"


class SelfTestError(ExposerError):
    """The self-test before opening has found something; nothing was opened."""

    exit_code, code, fatal = 8, "self-test", True


def of_system(error: OSError) -> ExposerError:
    """What the operating system refuses, in a person's words."""
    where = str(error.filename or "a file of this exposure")
    if error.errno in FULL:
        full = ExposerError(
            f"there is no room left on the disk for {where}",
            "make room, then try again; `exposer down` works without",
        )
        full.code = "disk-full"
        return full
    hint = f"is it yours, and may you write there? See: ls -ld {where}" if error.errno in REFUSED else ""
    refused = ExposerError(f"{where}: {error.strerror or error}", hint)
    refused.code = "system"
    return refused
