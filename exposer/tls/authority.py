"""An authority of this exposure's own, good for this machine's loopback names and for nothing else."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from exposer import files
from exposer.errors import ExposerError
from exposer.secret import Secret

FOLDER, CA, CA_KEY, LEAF, LEAF_KEY = "tls", "ca.pem", "ca.key", "leaf.pem", "leaf.key"
CA_FILE = f"{FOLDER}/{CA}"  # below the state folder: what a client has to trust
CA_DAYS, LEAF_DAYS = 3650, 30
RENEW_DAYS = 10  # so long before its end a certificate is replaced
BACKDATED = timedelta(minutes=5)  # clocks differ a little
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
HERE = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))


class Pair(NamedTuple):
    """A certificate with its key, as PEM."""

    certificate: str
    key: Secret


class LocalAuthority:
    """Its key never leaves the state folder (0600 in 0700). Whoever trusts the authority trusts loopback names only."""

    def __init__(self, state: Path, name: str) -> None:
        self.folder = state / FOLDER
        self._name = name
        self._pair: Pair | None = None
        self._renew = datetime.min.replace(tzinfo=UTC)

    @property
    def ca_file(self) -> Path:
        """What a client has to trust."""
        return self.folder / CA

    def certificate(self, now: datetime) -> Pair:
        """The certificate of this machine's loopback names; a new one in time. Raises ExposerError, OSError."""
        if self._pair is None or now >= self._renew:
            files.private_dir(str(self.folder))
            ca, ca_key = self._authority(now)
            self._pair, self._renew = self._leaf(ca, ca_key, now)
        return self._pair

    def _authority(self, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        found = self._read(CA, CA_KEY)
        if found is not None and now < found[0].not_valid_after_utc - timedelta(days=LEAF_DAYS):
            return found
        key = ec.generate_private_key(ec.SECP256R1())
        made = _authority(self._name, key, now)
        # The key first: a certificate without its key would be taken for ours after a crash in between.
        self._write(CA_KEY, _pem_of(key))
        self._write(CA, made.public_bytes(serialization.Encoding.PEM))
        return made, key

    def _leaf(self, ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey, now: datetime) -> tuple[Pair, datetime]:
        found = self._read(LEAF, LEAF_KEY)
        if found is None or not _serves(found[0], ca, now):
            key = ec.generate_private_key(ec.SECP256R1())
            found = _leaf(ca, ca_key, key, now), key
            self._write(LEAF_KEY, _pem_of(key))
            self._write(LEAF, found[0].public_bytes(serialization.Encoding.PEM))
        certificate, key = found
        text = certificate.public_bytes(serialization.Encoding.PEM).decode()
        return Pair(text, Secret(_pem_of(key).decode())), certificate.not_valid_after_utc - timedelta(days=RENEW_DAYS)

    def _read(self, name: str, key_name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
        """A certificate that goes with its key; None when one is missing, torn, or another's."""
        try:
            certificate = x509.load_pem_x509_certificate(files.read_private(str(self.folder / name)))
            key = serialization.load_pem_private_key(files.read_private(str(self.folder / key_name)), None)
        except (FileNotFoundError, ValueError):
            return None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            return None
        return certificate, key

    def _write(self, name: str, data: bytes) -> None:
        files.swap(str(self.folder / name), data, 0o600)


def trusted(ca_file: Path) -> str:
    """The authority as PEM, for a client of ours. Raises ExposerError."""
    try:
        return files.read_private(str(ca_file)).decode("ascii")
    except (OSError, ValueError) as error:
        raise ExposerError(f"{ca_file}: the local authority cannot be read") from error


def _authority(name: str, key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    subject = _called(f"exposer {name}: this machine only")
    permitted = [x509.DNSName("localhost"), *(x509.IPAddress(network) for network in LOOPBACK)]
    return (
        _begun(subject, subject, key, now, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _leaf(
    ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.Certificate:
    names = [x509.DNSName("localhost"), *(x509.IPAddress(address) for address in HERE)]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    return (
        _begun(_called("localhost"), ca.subject, key, now, LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
    )


def _serves(leaf: x509.Certificate, ca: x509.Certificate, now: datetime) -> bool:
    try:
        leaf.verify_directly_issued_by(ca)
    except Exception:  # of several kinds; whatever it is, another certificate is made
        return False
    return leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc - timedelta(days=RENEW_DAYS)


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
