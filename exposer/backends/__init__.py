"""The private API, in each of its kinds: an image, a build, a container, a command, or just an address."""

from collections.abc import Callable

from exposer.backends import link
from exposer.backends.adopted import AdoptedBackend
from exposer.backends.docker import DockerBackend
from exposer.backends.process import ProcessBackend
from exposer.backends.setting import Setting
from exposer.backends.url import UrlBackend
from exposer.config.model import Backend, Config, SecretRef
from exposer.engine import client
from exposer.errors import ConfigError
from exposer.files import Places
from exposer.secret import Secret

Part = AdoptedBackend | DockerBackend | ProcessBackend | UrlBackend

KINDS: dict[str, Callable[[Backend, Setting], Part]] = {
    "image": DockerBackend,
    "build": DockerBackend,
    "container": AdoptedBackend,
    "command": ProcessBackend,
    "url": UrlBackend,
}


def make(
    config: Backend,
    *,
    name: str,
    state_dir: str,
    runtime_dir: str,
    resolve: Callable[[SecretRef], Secret],
    nginx_image: str = "",
    nginx_binary: str = "",
) -> Part:
    """The backend of an exposure; `nginx_…` are for the link to one in a container."""
    if config.kind not in KINDS:
        raise ConfigError(f"backend.kind is {config.kind!r}", f"it is one of {', '.join(KINDS)}")
    setting = Setting(name, state_dir, runtime_dir, resolve, nginx_image, nginx_binary)
    return KINDS[config.kind](config, setting)


def warm_up() -> None:
    """Loads what the start of one in a container takes. By one thread, before there are two: supervisor/workers.py."""
    client.warm_up()
    link.warm_up()


def of_exposure(config: Config, places: Places, resolve: Callable[[SecretRef], Secret]) -> Part:
    """The backend that a config means."""
    return make(
        config.backend,
        name=config.name,
        state_dir=places.state,
        runtime_dir=places.runtime,
        resolve=resolve,
        nginx_image=config.gateway.image,
        nginx_binary=config.gateway.binary,
    )
