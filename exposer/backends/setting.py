"""What a backend needs to know besides its own config, and the digest of what it is to run."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from exposer.config import show
from exposer.config.model import Backend, SecretRef
from exposer.secret import Secret


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a backend is at home. `resolve` turns a reference into a secret; nginx is for the link."""

    name: str
    state_dir: str
    runtime_dir: str
    resolve: Callable[[SecretRef], Secret]
    nginx_image: str = ""
    nginx_binary: str = ""


def digest_of(config: Backend, name: str) -> str:
    """A digest of what is to run, not of how it is asked: a new health path restarts nothing."""
    running = dataclasses.replace(config, health="", openapi="", auth=None, start_timeout=0.0)
    return show.digest((name, running))


def environment(config: Backend, resolve: Callable[[SecretRef], Secret]) -> tuple[dict[str, str], dict[str, Secret]]:
    """The backend's own variables: those written in the config, and those that are secret."""
    clear = {name: value for name, value in config.env.items() if isinstance(value, str)}
    secret = {name: resolve(value) for name, value in config.env.items() if isinstance(value, SecretRef)}
    return clear, secret
