"""Which certificate the gateway shows, and where, by one config."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from exposer.config.model import Tunnel
from exposer.errors import ExposerError
from exposer.files import Places
from exposer.gateway.front import Front, Public, has_ipv6, secure_address

if TYPE_CHECKING:  # what only some exposures need is loaded by those
    import ssl

    from exposer.tls.authority import LocalAuthority
    from exposer.tls.served import Served


class Fronts:
    """`local` with TLS, and `server`; all other providers speak TLS themselves."""

    def __init__(self, tunnel: Tunnel, places: Places) -> None:
        self._tunnel = tunnel
        self._gateway = Path(places.runtime, "gateway")
        self._authority = _authority(places) if tunnel.local_tls else None
        self._served = _served(tunnel, places) if tunnel.provider == "server" else None
        self._thumbprint = ""
        self._ipv6 = has_ipv6()
        self._resolvers = _resolvers() if self._served else ()

    def front(self, now: float) -> Front | None:
        """As it should be now; cheap enough for every cycle. Raises ExposerError, OSError."""
        if self._authority is not None:
            return Front(*self._authority.certificate(datetime.fromtimestamp(now, UTC)))
        if self._served is None:
            return None
        if not self._served.is_own and not self._thumbprint:
            self._thumbprint = self._served.thumbprint()
        tunnel = self._tunnel
        public = Public(tunnel.hostname, tunnel.https_port, tunnel.http_port, self._thumbprint, self._ipv6)
        pair = self._served.pair()
        if self._served.stapled:
            public = replace(public, stapled=True, resolvers=self._resolvers)
        return Front(public=public) if pair is None else Front(pair.certificate, pair.key, public)

    def listen(self, listen: str) -> str:
        """The address that a local tunnel leads to. Raises ExposerError while the gateway is not there yet."""
        if self._authority is None:
            return listen
        secure = secure_address(self._gateway)
        if not secure:
            raise ExposerError("the gateway does not speak TLS yet")
        return secure

    def trust(self) -> "ssl.SSLContext | None":
        """What our own look from outside trusts, when it is more than the system's authorities (`server`) or another
        in place of them (`local`). Raises ExposerError."""
        import ssl

        if self._authority is not None:
            from exposer.tls.authority import trusted

            return ssl.create_default_context(cadata=trusted(self._authority.ca_file))
        if self._tunnel.provider != "server" or not self._tunnel.ca:
            return None
        context = ssl.create_default_context()
        try:
            context.load_verify_locations(self._tunnel.ca)
        except OSError as error:  # ssl's own too
            raise ExposerError(f"tunnel.ca: {self._tunnel.ca} is no certificate of an authority: {error}") from error
        return context

    def advice(self, now: float) -> tuple[str, ...]:
        """What a person should know about the certificate."""
        return () if self._served is None else self._served.advice(datetime.fromtimestamp(now, UTC))

    def watched(self) -> list[Path]:
        """Own certificate files: their change counts at once."""
        return [Path(path) for path in self._served.paths] if self._served is not None and self._served.is_own else []


def _resolvers() -> tuple[str, ...]:
    from exposer.tls.stapling import resolvers

    return resolvers()


def _authority(places: Places) -> "LocalAuthority":
    from exposer.tls.authority import LocalAuthority

    return LocalAuthority(Path(places.state), places.name)


def _served(tunnel: Tunnel, places: Places) -> "Served":
    from exposer.tunnels.server import served_by

    return served_by(tunnel, places.state)
