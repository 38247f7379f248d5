"""A second tunnel that waits for the first to fail, by one config: its part, its terms, and the doors of both."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from exposer import files
from exposer.config.model import Config
from exposer.config.secrets import resolve
from exposer.files import Places
from exposer.gateway import doors
from exposer.gateway.folder import STANDBY_DOOR
from exposer.state.model import STANDBY, TUNNEL

if TYPE_CHECKING:
    from exposer.supervisor.ports import Part

# How often a public address is asked from outside (seconds): within each provider's free quota.
CHECK_EVERY = {"ngrok": 900.0, "cloudflared": 60.0, "ssh": 30.0, "server": 30.0, "local": 15.0}
ELSE = 60.0
CHOICE = "chosen-tunnel"  # in the state folder: the second one, when a person has asked for it


class Spare:
    """`after`, `back` as in the config; `every` says how often the address of each of the two may be asked."""

    def __init__(self, config: Config, places: Places) -> None:
        assert config.second is not None  # noqa: S101
        self._config = config
        self._second = config.second
        self._places = places
        self._gateway = Path(places.runtime, "gateway")
        self._part: tuple[str, Part] | None = None
        self.provider = self._second.provider
        self.after, self.back = config.standby.after, config.standby.back
        self.every: Mapping[str, float] = {
            TUNNEL: CHECK_EVERY.get(config.tunnel.provider, ELSE),
            STANDBY: CHECK_EVERY.get(self.provider, ELSE),
        }

    def part(self, listen: str) -> "Part":
        """The tunnel to the gateway's second address. Raises ConfigError, NotPrivateError."""
        if self._part is None or self._part[0] != listen:
            self._part = (listen, self._make(listen))
        return self._part[1]

    def opened(self) -> str:
        """The role of the tunnel that is open; "" when none is."""
        return doors.opened(self._gateway)

    def open(self, role: str) -> None:
        """Closes the other first. Raises OSError."""
        doors.open_only(self._gateway, role)

    def shut(self) -> None:
        """Closes both. Raises OSError."""
        doors.shut(self._gateway)

    def chosen(self) -> str:
        """STANDBY when a person has asked for it; "" for no choice, and for one that makes no sense."""
        try:
            said = files.read_private(str(Path(self._places.state, CHOICE)), 64)
        except OSError:
            return ""
        return STANDBY if said == STANDBY.encode() else ""

    def choose(self, role: str) -> None:
        """Keeps a choice, or with "" drops it. Raises OSError; then what was before may still stand."""
        if role:
            files.swap(str(Path(self._places.state, CHOICE)), role.encode())
        else:
            forget_choice(self._places)

    def _make(self, listen: str) -> "Part":
        from exposer import tunnels

        config, places = self._config, self._places
        folder = files.private_dir(str(Path(places.runtime, STANDBY)))
        door, alone = str(self._gateway / STANDBY_DOOR), bool(config.limits.allow_from)
        part = tunnels.make(self._second, config.name, listen, folder, places.state, resolve, door, alone)
        part.role = STANDBY
        return part


def forget_choice(places: Places) -> None:
    """A later second tunnel must not find what was asked for of this one. Raises OSError."""
    Path(places.state, CHOICE).unlink(missing_ok=True)
