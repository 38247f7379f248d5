"""What the loop knows of one exposure, all of it."""

from dataclasses import dataclass, field

from exposer.openapi.model import Operation
from exposer.state.facts import Checked, Documented, Failed, Published, SelfTested
from exposer.state.model import STANDBY, TUNNEL, UP_ORDER, Unit


@dataclass
class Exposure:
    """What the loop knows. `wanted` goes False once; `failure` is why the exposure could not come online.

    `carrier` is the tunnel that is open; with a `spare` one there are two. `held` when a person wants it to stay that
    one; `waiting` is the last look from outside at the other.
    """

    units: dict[str, Unit] = field(default_factory=lambda: {role: Unit(role) for role in UP_ORDER})
    wanted: bool = True
    locked: bool = False
    was_online: bool = False
    documented: Documented | None = None
    published: Published | None = None
    url: str = ""
    url_since: float = 0.0
    checked: Checked | None = None
    checked_at: float = 0.0
    tested: SelfTested | None = None
    tested_at: float = 0.0
    phase: str = "offline"
    since: float = 0.0
    failure: Failed | None = None
    config_error: str = ""
    trouble: str = ""
    networks: str = ""
    expires: float = 0.0
    carrier: str = TUNNEL
    spare: bool = False
    held: bool = False
    waiting: Checked | None = None
    took_over_at: float = 0.0
    unwritten: dict[str, str] = field(default_factory=dict)

    @property
    def open_tunnel(self) -> Unit:
        return self.units[self.carrier]

    @property
    def other(self) -> str:
        """The tunnel that is not open."""
        return STANDBY if self.carrier == TUNNEL else TUNNEL

    @property
    def operations(self) -> tuple[Operation, ...]:
        return self.documented.operations if self.documented else ()
