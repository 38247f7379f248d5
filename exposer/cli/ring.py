"""The key ring of an exposure, for commands: opened with the key that the config names."""

from pathlib import Path
from typing import TYPE_CHECKING

from exposer.cli.show import settings
from exposer.errors import ExposerError
from exposer.files import Places

if TYPE_CHECKING:
    from exposer.keys.store import RingStore


def ring_store(found: Places) -> "RingStore":
    """A config that cannot be read just now names no key: then only a ring with a key of our own can be opened."""
    from functools import partial

    from exposer.config.load import find_config, load
    from exposer.config.secrets import resolve
    from exposer.keys.store import RingStore

    try:
        master = load(find_config(settings().file)).auth.master
    except (ExposerError, OSError):
        master = None
    return RingStore(Path(found.state), None if master is None else partial(resolve, master))
