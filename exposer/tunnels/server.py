"""This machine is the public server: the gateway itself listens for the world, with a certificate for its name."""

import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from exposer.config.model import Tunnel
from exposer.errors import ExposerError
from exposer.procs import Entry
from exposer.secret import Secret
from exposer.state.model import Look, Tell
from exposer.tls.acme import advice, obtain
from exposer.tls.dns import DnsHook
from exposer.tls.served import Served, check_served
from exposer.tunnels.provider import Direct, digest_of

# The waits after failures in a row (seconds) before the authority is asked again.
AGAIN = (60.0, 600.0, 3600.0, 6 * 3600.0)

# When it is asked for the first time whether it wants a certificate renewed sooner, and how often after that.
FIRST_ASKED, SHORTEST_ASKED, LONGEST_ASKED = 600.0, 600.0, 86400.0
ONCE = timedelta(days=1)

HEARD_WITHIN = 2.0  # how long the gateway of this machine may take to show its certificate

DNS = "dns-records.json"  # beside the certificate: what the DNS hook has put in place and not yet removed


class Server(Direct):
    """There is no process: the gateway takes a new certificate over by a reload. This part sees to it that one is
    there, and asks for the next in time; when none is given the old one stays in force."""

    provider = "server"

    def __init__(self, *made: Any, **more: Any) -> None:
        super().__init__(*made, **more)
        self._served = served_by(self.tunnel, str(self.state))
        self._renewing: threading.Thread | None = None
        self._trouble = ""
        self._heard = False
        self._ask_at = time.time() + FIRST_ASKED
        self._wanted_at: float | None = None
        port = "" if self.tunnel.https_port == 443 else f":{self.tunnel.https_port}"
        self._url = f"https://{self.tunnel.hostname}{port}"

    def wish(self) -> str:
        return digest_of(self.tunnel, "")

    def ready(self, tell: Tell) -> None:
        if self._served.is_own:
            self._served.pair()
            check_served(self._served, self.tunnel.hostname)
        elif not self._served.covers(self.tunnel.hostname) or self._over():
            self._refuse_to_hurry()
            tell(f"asking {self.tunnel.acme} for a certificate for {self.tunnel.hostname}")
            self._obtain()

    def look(self, entry: Entry) -> Look:
        ends = self._served.ends()
        now = datetime.now(UTC)
        if not self._served.is_own:
            self._follow(now)
        detail = {
            "certificate_ends": f"{ends:%Y-%m-%dT%H:%M:%SZ}" if ends else None,
            "warning": self._served.refused or self._trouble,
        }
        if ends is None or ends <= now:
            return Look(True, False, self._url, f"the certificate has ended; {self._trouble}", detail=detail)
        return Look(True, True, self._address(), detail=detail)

    def fit(self) -> bool:
        return self._served.covers(self.tunnel.hostname) and not self._over()

    def facts(self) -> dict[str, str]:
        return {"url": self._address(), "listen": f"127.0.0.1:{self.tunnel.https_port}"}

    def _address(self) -> str:
        """The public address; "" until the gateway has once shown its certificate there, for it takes a first one over
        a moment after it has come."""
        self._heard = self._heard or shows(self.tunnel.https_port, self._served.certificate(), self.tunnel.hostname)
        return self._url if self._heard else ""

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
                self.tunnel.acme,
                self.tunnel.hostname,
                self._served.account(),
                ca_file=self.tunnel.acme_ca,
                binding=self._binding(),
                dns=self._dns(),
            )
        except ExposerError as error:
            failures = self._served.failures()
            wait = max(AGAIN[min(failures, len(AGAIN) - 1)], float(getattr(error, "retry_after", 0.0)))
            self._served.try_again_at(time.time() + wait, failures + 1, error.message)
            error.retry_after = wait  # type: ignore[attr-defined]
            raise
        self._served.keep(pair)
        self._wanted_at = None  # that was said of the one before
        self._served.succeeded()
        self._trouble = ""

    def _dns(self) -> DnsHook | None:
        tunnel = self.tunnel
        return DnsHook(tunnel.dns_hook, tunnel.dns_wait, self._served.folder / DNS) if tunnel.dns_hook else None

    def _binding(self) -> tuple[str, Secret] | None:
        """What an authority that asks for it knows its customer by."""
        tunnel = self.tunnel
        return (tunnel.acme_kid, self.resolve(tunnel.acme_key)) if tunnel.acme_key else None

    def _follow(self, now: datetime) -> None:
        """Renews in time, or sooner when the authority wants it; in a thread of its own, as a look has to be short."""
        if self._renewing is not None and self._renewing.is_alive():
            return
        at = now.timestamp()
        if self._served.due(now) or self._wanted(now):
            work = self._renew if at >= self._served.next_try() else None
        else:
            work = self._ask if at >= self._ask_at else None
        if work is not None:
            self._renewing = threading.Thread(target=work, name="certificate", daemon=True)
            self._renewing.start()

    def _wanted(self, now: datetime) -> bool:
        """Whether the authority would have it renewed. One that always says so is not followed more than once a day."""
        certificate = self._served.certificate()
        return (
            self._wanted_at is not None
            and now.timestamp() >= self._wanted_at
            and certificate is not None
            and now >= certificate.not_valid_before_utc + ONCE
        )

    def _ask(self) -> None:
        """What the authority says of the certificate that is served; one that does not answer is asked again later."""
        now, pair = time.time(), self._served.pair()
        self._ask_at = now + LONGEST_ASKED
        if pair is None:
            return
        try:
            ca = self.tunnel.acme_ca
            self._wanted_at, again = advice(self.tunnel.acme, pair.certificate, self._served.account(), ca)
        except (ExposerError, OSError):
            return
        self._ask_at = min(max(again, now + SHORTEST_ASKED), now + LONGEST_ASKED)

    def _renew(self) -> None:
        try:
            self._obtain()
        except (ExposerError, OSError) as error:
            self._trouble = f"the certificate could not be renewed: {error}"


def shows(port: int, certificate: x509.Certificate | None, hostname: str) -> bool:
    """Whether TLS is spoken on this machine's port, with this certificate. It is compared, so nothing else is looked
    at: an authority of one's own need not be trusted here."""
    if certificate is None:
        return False
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(("127.0.0.1", port), HEARD_WITHIN) as plain,
            context.wrap_socket(plain, server_hostname=hostname) as spoken,
        ):
            return spoken.getpeercert(binary_form=True) == certificate.public_bytes(serialization.Encoding.DER)
    except OSError:
        return False


def served_by(tunnel: Tunnel, state_dir: str) -> Served:
    """The certificate that this config means."""
    return _served(state_dir, (tunnel.certificate, tunnel.key) if tunnel.certificate else None, tunnel.hostname)


@cache
def _served(state_dir: str, own: tuple[str, str] | None, hostname: str) -> Served:
    """One for all who ask: a new config with the same files must not forget the last good pair."""
    return Served(Path(state_dir), own, hostname)
