"""What an engine may see of the folder that an image is built of."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from exposer.errors import ExposerError

TRIES = 5


def context(folder: str, without: Sequence[str]) -> IO[bytes]:
    """A tar of it, as `docker build` sends it: less what its .dockerignore names, and less what is at or below the
    paths `without`. Raises ExposerError for what cannot be read."""
    from docker.utils.build import create_archive, exclude_paths

    root = Path(folder).resolve()
    ours = [Path(path).resolve() for path in without]
    private = [str(path.relative_to(root)) for path in ours if path.is_relative_to(root) and path != root]
    patterns = _patterns(root / ".dockerignore")
    left = TRIES
    while True:
        left -= 1
        file = tempfile.TemporaryFile()  # noqa: SIM115 (whoever asked closes it)
        try:
            names = [name for name in exclude_paths(str(root), patterns) if not _below(name, private)]
            create_archive(str(root), sorted(names), file)
            return file
        except OSError as error:
            file.close()
            if not left:  # what was gone, or shorter, when it was to be read is looked up anew
                why = error.__cause__ or error
                raise ExposerError(
                    f"{folder} cannot be read to build an image of it: {why}",
                    "name what changes all the time, or is not for it, in its .dockerignore",
                ) from error
        except BaseException:
            file.close()
            raise


def _patterns(file: Path) -> list[str]:
    try:
        lines = file.read_text().splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise ExposerError(f"{file} cannot be read: {error}") from error
    return [text for line in lines if (text := line.strip()) and not text.startswith("#")]


def _below(name: str, folders: Sequence[str]) -> bool:
    return any(name == folder or name.startswith(folder + "/") for folder in folders)
