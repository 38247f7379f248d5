"""What every provider is made of, and the ones that have no program of their own."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from exposer import procs
from exposer.config.model import SecretRef, Tunnel
from exposer.procs import Entry
from exposer.secret import Secret
from exposer.state.model import TUNNEL, Record, Tell


def digest_of(tunnel: Tunnel, listen: str, door: str = "") -> str:
    """Names a wish: another config or another gateway address is another wish. Secrets count by name only. Which other
    tunnel there is makes no difference to this one."""
    wish = {"tunnel": {**asdict(tunnel), "standby": ""}, "listen": listen, **({"door": door} if door else {})}
    return hashlib.sha256(json.dumps(wish, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Provider:
    """`door` is the gateway's unix socket, "" for none: what comes by it was sent by the tunnel, for nobody else can
    reach it. A provider that can use it does; `alone` says that the address will not do instead.
    """

    role = TUNNEL
    provider = ""

    def __init__(
        self,
        tunnel: Tunnel,
        name: str,
        listen: str,
        runtime_dir: str,
        state_dir: str,
        resolve: Callable[[SecretRef], Secret],
        door: str = "",
        alone: bool = False,
    ) -> None:
        self.tunnel = tunnel
        self.name = name
        self.listen = listen
        self.runtime = Path(runtime_dir)
        self.state = Path(state_dir)
        self.resolve = resolve
        self.door = door
        self.alone = alone
        self.digest = self.wish()

    def wish(self) -> str:
        """The name of what is wanted."""
        return digest_of(self.tunnel, self.listen, self.door)


class Direct(Provider):
    """There is no process: the gateway's own address is what callers reach. They add `facts` and `look`."""

    def start(self, record: Record, tell: Tell) -> Entry:
        self.ready(tell)
        entry = self._entry()
        record(entry)
        return entry

    def stop(self, entry: Entry) -> None:
        """The gateway's end is the end of this; what an entry of another provider left running is ended."""
        if entry.process is not None:
            procs.stop(entry.process)

    def adopt(self, entries: list[Entry]) -> Entry | None:
        mine = any(e.digest == self.digest and e.detail.get("provider") == self.provider for e in entries)
        return self._entry() if mine and self.fit() else None

    def ready(self, tell: Tell) -> None:
        """What has to be there before callers come. Raises ExposerError."""

    def fit(self) -> bool:
        """Whether what an earlier supervisor has begun can go on."""
        return True

    def facts(self) -> dict[str, str]:
        """What is on record of it: `url`, `listen` and whatever else."""
        raise NotImplementedError

    def _entry(self) -> Entry:
        return Entry(self.role, digest=self.digest, detail={"provider": self.provider, **self.facts()})
