"""This machine is the public server: the gateway itself listens for the world, with a certificate for its name."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from exposer.config.model import SecretRef, Tunnel
from exposer.errors import ExposerError
from exposer.procs import Entry
from exposer.secret import Secret
from exposer.state.model import TUNNEL, Look, Record, Tell
from exposer.tls.acme import obtain
from exposer.tls.dns import DnsHook
from exposer.tls.served import Served, check_served
from exposer.tunnels.program import digest_of, end

# The waits after failures in a row (seconds) before the authority is asked again.
AGAIN = (60.0, 600.0, 3600.0, 6 * 3600.0)


class Server:
    """There is no process: the gateway takes a new certificate over by a reload. This part sees to it that one is
    there, and asks for the next in time; when none is given the old one stays in force."""

    role = TUNNEL
    provider = "server"

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
        self.digest = digest_of(tunnel, "")
        self._tunnel = tunnel
        self._resolve = resolve
        self._served = served_by(tunnel, state_dir)
        self._renewing: threading.Thread | None = None
        self._trouble = ""
        port = "" if tunnel.https_port == 443 else f":{tunnel.https_port}"
        self._url = f"https://{tunnel.hostname}{port}"

    def start(self, record: Record, tell: Tell) -> Entry:
        if self._served.is_own:
            self._served.pair()
            check_served(self._served, self._tunnel.hostname)
        elif not self._served.covers(self._tunnel.hostname) or self._over():
            self._refuse_to_hurry()
            tell(f"asking {self._tunnel.acme} for a certificate for {self._tunnel.hostname}")
            self._obtain()
        entry = self._entry()
        record(entry)
        return entry

    def look(self, entry: Entry) -> Look:
        ends = self._served.ends()
        now = datetime.now(UTC)
        if not self._served.is_own and self._served.due(now):
            self._renew_aside()
        detail = {
            "certificate_ends": f"{ends:%Y-%m-%dT%H:%M:%SZ}" if ends else None,
            "warning": self._served.refused or self._trouble,
        }
        if ends is None or ends <= now:
            return Look(True, False, self._url, f"the certificate has ended; {self._trouble}", detail=detail)
        return Look(True, True, self._url, detail=detail)

    def stop(self, entry: Entry) -> None:
        """The gateway's end is the end of this; what another provider left running is ended."""
        end(entry)

    def adopt(self, entries: list[Entry]) -> Entry | None:
        mine = any(e.digest == self.digest and e.detail.get("provider") == self.provider for e in entries)
        return self._entry() if mine and self._served.covers(self._tunnel.hostname) and not self._over() else None

    def _over(self) -> bool:
        ends = self._served.ends()
        return ends is None or ends <= datetime.now(UTC)

    def _refuse_to_hurry(self) -> None:
        """An authority's limits count over restarts too."""
        wait = self._served.next_try() - time.time()
        if wait > 0:
            error = ExposerError(f"the authority refused a short while ago; it is asked again in {wait:.0f} s")
            error.retry_after = wait  # type: ignore[attr-defined]
            raise error

    def _obtain(self) -> None:
        try:
            pair = obtain(
                self._tunnel.acme,
                self._tunnel.hostname,
                self._served.account(),
                ca_file=self._tunnel.acme_ca,
                binding=self._binding(),
                dns=DnsHook(self._tunnel.dns_hook, self._tunnel.dns_wait) if self._tunnel.dns_hook else None,
            )
        except ExposerError as error:
            failures = self._served.failures()
            wait = max(AGAIN[min(failures, len(AGAIN) - 1)], float(getattr(error, "retry_after", 0.0)))
            self._served.try_again_at(time.time() + wait, failures + 1, error.message)
            error.retry_after = wait  # type: ignore[attr-defined]
            raise
        self._served.keep(pair)
        self._served.succeeded()
        self._trouble = ""

    def _binding(self) -> tuple[str, Secret] | None:
        """What an authority that asks for it knows its customer by."""
        tunnel = self._tunnel
        return (tunnel.acme_kid, self._resolve(tunnel.acme_key)) if tunnel.acme_key else None

    def _renew_aside(self) -> None:
        """In a thread of its own: a look has to be short."""
        busy = self._renewing is not None and self._renewing.is_alive()
        if busy or time.time() < self._served.next_try():
            return
        self._renewing = threading.Thread(target=self._renew, name="certificate", daemon=True)
        self._renewing.start()

    def _renew(self) -> None:
        try:
            self._obtain()
        except (ExposerError, OSError) as error:
            self._trouble = f"the certificate could not be renewed: {error}"

    def _entry(self) -> Entry:
        listen = f"127.0.0.1:{self._tunnel.https_port}"
        detail = {"provider": self.provider, "url": self._url, "listen": listen}
        return Entry(self.role, digest=self.digest, detail=detail)


def served_by(tunnel: Tunnel, state_dir: str) -> Served:
    """The certificate that this config means."""
    return _served(state_dir, (tunnel.certificate, tunnel.key) if tunnel.certificate else None, tunnel.hostname)


@cache
def _served(state_dir: str, own: tuple[str, str] | None, hostname: str) -> Served:
    """One for all who ask: a new config with the same files must not forget the last good pair."""
    return Served(Path(state_dir), own, hostname)
