"""A backend that runs already, somewhere else: nothing is started, only asked."""

from exposer.backends import health, listening, setting
from exposer.config.model import Backend
from exposer.errors import TimeoutExceededError
from exposer.procs import Entry
from exposer.state.model import BACKEND, Look, Record, Tell


class UrlBackend:
    """The address that the config names. To stop it is to forget it."""

    role = BACKEND

    def __init__(self, config: Backend, at: setting.Setting) -> None:
        self._config = config
        self._at = at
        self.digest = setting.digest_of(config, at.name)
        self.upstream = config.url.rstrip("/")

    def start(self, record: Record, tell: Tell) -> Entry:
        """Waits until it is healthy. Raises TimeoutExceededError."""
        tell(f"asking {self.upstream} until it is healthy")
        complaint = health.await_healthy(self._complaint, lambda: False, self._config.start_timeout)
        if complaint:
            raise TimeoutExceededError(*health.never_healthy(self._config, complaint))
        entry = Entry(BACKEND, None, {}, self.digest, {"kind": "url", "upstream": self.upstream})
        record(entry)
        return entry

    def look(self, entry: Entry) -> Look:
        """There is no process to look at: it counts as alive, and healthy is what it answers."""
        error = self._complaint()
        return Look(True, not error, error=error, detail={"kind": "url"})

    def beside(self, entry: Entry) -> list[str]:
        """At which addresses of this machine it answers past the gateway."""
        return [] if self._config.also_open else listening.beside(self.upstream)

    def stop(self, entry: Entry) -> None:
        """Nothing was started."""

    def adopt(self, entries: list[Entry]) -> Entry | None:
        """The newest entry with our digest: an address is always there to be taken over."""
        ours = [entry for entry in entries if entry.role == BACKEND and entry.digest == self.digest]
        return ours[-1] if ours else None

    def _complaint(self) -> str:
        return health.complaint(self._config, self.upstream, self._at.resolve)
