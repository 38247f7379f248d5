"""Where the config file is. Light: commands that only need to know which exposure is meant load no more than this."""

# ruff: noqa: PTH109, PTH113, PTH116, PTH120
# pathlib would cost every `exposer status` 4 ms

import os

from exposer.errors import ConfigError

FILE = "exposer.toml"
MAKE_ONE = "write one (the README has a short one, the sample exposer.toml all of it), or name it with -f PATH"


def locate(explicit: str | None = None) -> str:
    """The file named with -f, else by $EXPOSER_FILE, else the nearest exposer.toml going up from here."""
    for named, by in ((explicit, "-f"), (os.environ.get("EXPOSER_FILE"), "$EXPOSER_FILE")):
        if named:
            path = os.path.normpath(os.path.join(here(), named))
            if not _is_file(path):
                raise ConfigError(f"{named} (from {by}): there is no such file", MAKE_ONE)
            return path
    folder = start = here()
    while True:
        path = os.path.join(folder, FILE)
        if _is_file(path):
            _refuse_strangers(path)
            return path
        above = os.path.dirname(folder)
        if above == folder:
            raise ConfigError(f"there is no {FILE} in {start} or a folder above it", MAKE_ONE)
        folder = above


def here() -> str:
    """The current folder. Raises ConfigError when it has been removed."""
    try:
        return os.getcwd()
    except OSError:
        raise ConfigError("the current folder is gone", "change to a folder that exists") from None


def _is_file(path: str) -> bool:
    try:
        return os.path.isfile(path)
    except ValueError:
        return False


def _refuse_strangers(path: str) -> None:
    """A config names programs to run: one that was only come across must not be somebody else's."""
    try:
        info = os.stat(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be looked at: {error.strerror}", MAKE_ONE) from None
    trusted = {0, os.geteuid()}
    if os.geteuid() == 0 and os.environ.get("SUDO_UID", "").isdecimal():
        trusted.add(int(os.environ["SUDO_UID"]))
    why = "belongs to another user" if info.st_uid not in trusted else "can be changed by everybody"
    if info.st_uid not in trusted or info.st_mode & 0o002:
        raise ConfigError(f"{path} {why}, so it is not used unasked", f"if you trust it, name it: -f {path}")
