"""The certificate of a public server: where it is read from, and the account at the authority that gives it."""

import base64
import hashlib
import json
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from exposer import files
from exposer.errors import ConfigError, ExposerError
from exposer.secret import Secret
from exposer.tls.authority import FOLDER, Pair
from exposer.tls.stapling import can_be_stapled

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

KEPT = "server.json"  # certificate and key in one file: they are replaced together or not at all
ACCOUNT, NEXT_TRY = "account.key", "next-try.json"
LARGEST = 1024 * 1024
SETTLED = timedelta(seconds=10)  # certificate and key are two files: in between they do not belong together
SOON, SOON_OWN = 6, 5  # with so small a part of its life left, an end is told; ours should be renewed long before


class Served:
    """`own` names the user's own files, a certificate with its chain and its key; else it is the one from ACME. With a
    `hostname`, own files that cannot serve that name now are refused: the last good pair, if there is one, stays in
    force, and `refused` says why. Several threads ask."""

    def __init__(self, state: Path, own: tuple[str, str] | None = None, hostname: str = "") -> None:
        self.folder = state / FOLDER
        self.paths = own or (str(self.folder / KEPT),)
        self.is_own = own is not None
        self.refused = ""
        self.stapled = False  # what `pair` gave last
        self._refused_at = datetime.min.replace(tzinfo=UTC)
        self._reading = threading.Lock()
        self._hostname = hostname
        self._stamp: object = None
        self._pair: Pair | None = None
        self._certificate: x509.Certificate | None = None

    def pair(self) -> Pair | None:
        """What is served now; read anew when a file has changed. Own files that do not fit raise ConfigError when there
        is no good pair of before, and one of ours that does not fit counts as none."""
        with self._reading:
            self._refresh()
            return self._pair

    def certificate(self) -> x509.Certificate | None:
        """The served certificate itself."""
        return self._certificate if self.pair() is not None else None

    def ends(self) -> datetime | None:
        """When the certificate ends."""
        found = self.certificate()
        return found.not_valid_after_utc if found else None

    def advice(self, now: datetime) -> tuple[str, ...]:
        """What a person should know: files that were refused, a renewal that fails, an end that is near."""
        try:
            found = self.certificate()
        except ExposerError:
            return ()  # there is nothing that serves, and that is said as the part's trouble
        said = [self.refused] if self.refused and now >= self._refused_at + SETTLED else []
        if found is None:
            return tuple(said)
        if not self.is_own and (why := self._memory().why):
            said.append(f"the certificate could not be renewed, the old one stays in force: {why}")
        life, end = found.not_valid_after_utc - found.not_valid_before_utc, found.not_valid_after_utc
        if now >= end:
            said.append(f"the certificate has ended on {end:%Y-%m-%d}: no client trusts it any more")
        elif now >= end - life / (SOON_OWN if self.is_own else SOON):
            said.append(f"the certificate ends on {end:%Y-%m-%d %H:%M} UTC")
        return tuple(said)

    def due(self, now: datetime) -> bool:
        """Whether it is time for another: a third of its life is left, and up to a thirtieth more. Each certificate has
        a moment of its own, so that those made at the same time do not all come back to the authority at once."""
        found = self.certificate()
        if found is None:
            return True
        life = found.not_valid_after_utc - found.not_valid_before_utc
        early = life / 30 * (found.serial_number % 1024 / 1024)
        return now >= found.not_valid_after_utc - life / 3 - early

    def covers(self, hostname: str) -> bool:
        found = self.certificate()
        return found is not None and _is_for(found, hostname)

    def keep(self, pair: Pair) -> None:
        """Puts a new certificate in the place of the old one."""
        files.private_dir(str(self.folder))
        files.swap(self.paths[0], json.dumps({"certificate": pair.certificate, "key": pair.key.reveal()}).encode())

    def account(self) -> rsa.RSAPrivateKey:
        """The account's key at the authority; made when there is none."""
        files.private_dir(str(self.folder))
        place = str(self.folder / ACCOUNT)
        try:
            key = serialization.load_pem_private_key(files.read_private(place), None)
            if isinstance(key, rsa.RSAPrivateKey):
                return key
        except (FileNotFoundError, ValueError):
            pass
        key = rsa.generate_private_key(65537, 2048)
        files.swap(place, pem_of(key))
        return key

    def thumbprint(self) -> str:
        """Of the account's public key (RFC 7638): with it a challenge's token can be answered by whoever knows it."""
        numbers = self.account().public_key().public_numbers()
        jwk = {"e": _b64(numbers.e), "kty": "RSA", "n": _b64(numbers.n)}
        text = json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()

    def next_try(self) -> float:
        """Not before this moment (seconds since 1970) the authority is asked again, by a next supervisor neither."""
        return self._memory().at

    def failures(self) -> int:
        """How often in a row the authority gave no certificate, over restarts too."""
        return self._memory().failures

    def try_again_at(self, at: float, failures: int = 0, why: str = "") -> None:
        files.private_dir(str(self.folder))
        text = json.dumps({"at": at, "failures": failures, "why": why})
        files.swap(str(self.folder / NEXT_TRY), text.encode())

    def succeeded(self) -> None:
        """Forgets the failures."""
        (self.folder / NEXT_TRY).unlink(missing_ok=True)

    def _memory(self) -> "_Memory":
        try:
            kept = json.loads(files.read_private(str(self.folder / NEXT_TRY)))
            return _Memory(float(kept["at"]), int(kept.get("failures", 0)), str(kept.get("why", "")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return _Memory()

    def _refresh(self) -> None:
        stamp = tuple(_stamp(path) for path in self.paths)
        if self._stamp == stamp:
            return
        try:
            found = self._read()
            if self.is_own and found is not None and self._hostname:
                _check(found[1], self._hostname, datetime.now(UTC))
            self._pair, self._certificate = found or (None, None)
            self.stapled = found is not None and can_be_stapled(found[0].certificate)
            self.refused = ""
        except ExposerError as error:
            if self._pair is None:
                raise
            self.refused = f"the new certificate is not taken, the last good one stays in force: {error.message}"
            self._refused_at = datetime.now(UTC)
        self._stamp = stamp

    def _texts(self) -> tuple[str, str]:
        if self.is_own:
            chain, key = (_text(path) for path in self.paths)
            return chain, key
        kept = json.loads(files.read_private(self.paths[0]))
        return str(kept["certificate"]), str(kept["key"])

    def _read(self) -> tuple[Pair, x509.Certificate] | None:
        try:
            chain, key_text = self._texts()
            certificate = x509.load_pem_x509_certificate(chain.encode())
            key = serialization.load_pem_private_key(key_text.encode(), None)
            if key.public_key() != certificate.public_key():
                raise ValueError("the key belongs to another certificate")
        except (OSError, ValueError, TypeError, KeyError) as error:
            if not self.is_own:
                return None
            why = error.strerror if isinstance(error, OSError) else "they are no PEM files that belong together"
            raise ConfigError(
                f"tunnel.certificate and tunnel.key cannot be used: {why}", f"look at {' and '.join(self.paths)}"
            ) from None
        return Pair(chain, Secret(key_text)), certificate


class _Memory(NamedTuple):
    """Of failures: when to ask again, how many in a row, the last reason."""

    at: float = 0.0
    failures: int = 0
    why: str = ""


def pem_of(key: "PrivateKeyTypes") -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def check_served(served: Served, hostname: str) -> None:
    """Raises ExposerError when the user's own certificate is not for this name, or is not valid now."""
    if (found := served.certificate()) is not None:
        _check(found, hostname, datetime.now(UTC))


def _check(found: x509.Certificate, hostname: str, now: datetime) -> None:
    begins, ends = found.not_valid_before_utc, found.not_valid_after_utc
    if ends <= now:
        raise ExposerError(
            f"the certificate has ended on {ends:%Y-%m-%d}", "renew it; new files are taken over at once"
        )
    if begins > now:
        raise ExposerError(
            f"the certificate is not valid before {begins:%Y-%m-%d %H:%M} UTC, and this machine's clock says "
            f"{now:%Y-%m-%d %H:%M}",
            "is the date right (see: date)?",
        )
    if not _is_for(found, hostname):
        raise ConfigError(f"the certificate is not for {hostname}", "look at tunnel.certificate and tunnel.hostname")


def _is_for(found: x509.Certificate, hostname: str) -> bool:
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    known = names.get_values_for_type(x509.DNSName)
    return hostname in known or f"*.{hostname.partition('.')[2]}" in known


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        info = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return (info.st_ino, info.st_mtime_ns, info.st_size)


def _text(path: str) -> str:
    """Certificates are often links to the newest ones, so links are followed."""
    return files.read_private(os.path.realpath(path), LARGEST).decode("ascii")


def _b64(number: int) -> str:
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
