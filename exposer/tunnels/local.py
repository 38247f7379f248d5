"""No tunnel at all: the exposure is reachable on this machine only, for trying things out."""

from collections.abc import Callable
from pathlib import Path

from exposer.config.model import SecretRef, Tunnel
from exposer.procs import Entry
from exposer.secret import Secret
from exposer.state.model import TUNNEL, Look, Record, Tell
from exposer.tunnels.program import digest_of, end


class Local:
    """The gateway's own address taken as the public one; there is no process."""

    role = TUNNEL
    provider = "local"

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
        self.digest = digest_of(tunnel, listen)
        self._url = f"{'https' if tunnel.tls else 'http'}://{listen}"
        self._detail = {"provider": self.provider, "url": self._url, "listen": listen}
        if tunnel.tls:
            from exposer.tls.authority import CA_FILE

            self._detail["ca"] = str(Path(state_dir, CA_FILE))

    def start(self, record: Record, tell: Tell) -> Entry:
        entry = self._entry()
        record(entry)
        return entry

    def look(self, entry: Entry) -> Look:
        return Look(alive=True, healthy=True, url=self._url)

    def stop(self, entry: Entry) -> None:
        """Ends what an entry of another provider left running; of this one there is nothing to end."""
        end(entry)

    def adopt(self, entries: list[Entry]) -> Entry | None:
        return next((self._entry() for entry in entries if self._mine(entry)), None)

    def _mine(self, entry: Entry) -> bool:
        return entry.digest == self.digest and entry.detail.get("provider") == self.provider

    def _entry(self) -> Entry:
        return Entry(self.role, digest=self.digest, detail=self._detail)
