"""Where the gateway runs: as a process of this machine where nginx is there, else in a container."""

from exposer.config.model import Config
from exposer.errors import MissingError
from exposer.gateway.host import HostNginx


def choose_engine(config: Config) -> str:
    """`process` or `docker`. With `auto` the machine's own nginx is preferred: it starts quicker."""
    if config.engine != "auto":
        return config.engine
    try:
        HostNginx(config.gateway.binary).binary()
    except MissingError:
        return "docker"
    return "process"
