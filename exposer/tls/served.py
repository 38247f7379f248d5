"""The certificate of a public server: where it is read from, and the account at the authority that gives it."""

import base64
import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from exposer import files
from exposer.errors import ConfigError, ExposerError
from exposer.secret import Secret
from exposer.tls.authority import FOLDER, Pair

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

KEPT = "server.json"  # certificate and key in one file: they are replaced together or not at all
ACCOUNT, NEXT_TRY = "account.key", "next-try.json"
LARGEST = 1024 * 1024


class Served:
    """`own` names the user's own files, a certificate with its chain and its key; else it is the one from ACME."""

    def __init__(self, state: Path, own: tuple[str, str] | None = None) -> None:
        self.folder = state / FOLDER
        self.paths = own or (str(self.folder / KEPT),)
        self.is_own = own is not None
        self._known: tuple[object, Pair | None] = (None, None)

    def pair(self) -> Pair | None:
        """What is served now; read anew when a file has changed. An own pair that does not fit raises ConfigError, and
        one of ours that does not counts as none."""
        stamp = tuple(_stamp(path) for path in self.paths)
        if self._known[0] != stamp:
            self._known = (stamp, self._read())
        return self._known[1]

    def ends(self) -> datetime | None:
        """When the certificate ends."""
        pair = self.pair()
        return x509.load_pem_x509_certificate(pair.certificate.encode()).not_valid_after_utc if pair else None

    def due(self, now: datetime) -> bool:
        """Whether it is time for another: a third of its life is left, or less."""
        pair = self.pair()
        if pair is None:
            return True
        found = x509.load_pem_x509_certificate(pair.certificate.encode())
        life = found.not_valid_after_utc - found.not_valid_before_utc
        return now >= found.not_valid_after_utc - life / 3

    def covers(self, hostname: str) -> bool:
        pair = self.pair()
        if pair is None:
            return False
        names = x509.load_pem_x509_certificate(pair.certificate.encode()).extensions
        try:
            found = names.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
        except x509.ExtensionNotFound:
            return False
        return hostname in found or f"*.{hostname.partition('.')[2]}" in found

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
        try:
            return float(json.loads(files.read_private(str(self.folder / NEXT_TRY)))["at"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0.0

    def try_again_at(self, at: float) -> None:
        files.private_dir(str(self.folder))
        files.swap(str(self.folder / NEXT_TRY), json.dumps({"at": at}).encode())

    def _texts(self) -> tuple[str, str]:
        if self.is_own:
            chain, key = (_text(path) for path in self.paths)
            return chain, key
        kept = json.loads(files.read_private(self.paths[0]))
        return str(kept["certificate"]), str(kept["key"])

    def _read(self) -> Pair | None:
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
        return Pair(chain, Secret(key_text))


def pem_of(key: "PrivateKeyTypes") -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def check_served(served: Served, hostname: str) -> None:
    """Raises ExposerError when the user's own certificate is not for this name, or has ended."""
    ends = served.ends()
    if ends is not None and ends <= datetime.now(UTC):
        raise ExposerError(
            f"the certificate has ended on {ends:%Y-%m-%d}", "renew it; new files are taken over at once"
        )
    if not served.covers(hostname):
        raise ConfigError(f"the certificate is not for {hostname}", "look at tunnel.certificate and tunnel.hostname")


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
