"""Certificates for tests, signed by themselves."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from exposer.secret import Secret
from exposer.tls.authority import Pair
from exposer.tls.served import pem_of


def self_signed(host: str, begins: datetime, days: int, serial: int = 0) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Pair(made.public_bytes(serialization.Encoding.PEM).decode(), Secret(pem_of(key).decode()))


class Authority:
    """Signs certificates, and says by OCSP at `responder` (a base URL) that they hold."""

    def __init__(self, responder: str) -> None:
        self.responder = responder
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority")])
        made = _builder(name, name, self._key.public_key())
        self.certificate = made.add_extension(x509.BasicConstraints(True, None), critical=True).sign(
            self._key, hashes.SHA256()
        )

    def pair(self, host: str, *, whole: bool = True) -> Pair:
        """For a host; with its issuer behind it when `whole`."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        place = x509.AccessDescription(
            AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(self.responder)
        )
        made = (
            _builder(name, self.certificate.subject, key.public_key())
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.AuthorityInformationAccess([place]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        chain = [made, self.certificate] if whole else [made]
        text = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain).decode()
        return Pair(text, Secret(pem_of(key).decode()))

    def answer(self, leaf: x509.Certificate) -> bytes:
        """The OCSP response for one of them: good."""
        now = datetime.now(UTC)
        made = ocsp.OCSPResponseBuilder().add_response(
            leaf,
            self.certificate,
            hashes.SHA1(),  # as nginx asks
            ocsp.OCSPCertStatus.GOOD,
            now - timedelta(hours=1),
            now + timedelta(days=1),
            None,
            None,
        )
        signed = made.responder_id(ocsp.OCSPResponderEncoding.HASH, self.certificate).sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.DER)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=90))
    )
