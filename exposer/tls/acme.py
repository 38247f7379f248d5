"""Gets a certificate from an ACME authority, through the library of certbot, which is an extra.

The challenge is HTTP-01, and nginx answers it without us: what it has to say is the token and the account's thumbprint.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from exposer import __version__
from exposer.errors import ExposerError, MissingError
from exposer.secret import Secret
from exposer.tls.authority import Pair
from exposer.tls.served import pem_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

INSTALL = 'pip install "exposer[server]"'
PATIENCE = timedelta(seconds=90)
LIMITED = 6 * 3600.0  # an authority that says "too many" is not asked again before


class AcmeError(ExposerError):
    """No certificate was given. `retry_after`: not before so many seconds."""

    code = "acme"

    def __init__(self, message: str, hint: str = "", retry_after: float = 0.0) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after


def obtain(directory: str, hostname: str, account: "RSAPrivateKey", ca_file: str = "") -> Pair:
    """A new certificate with a new key. `ca_file` is for a directory whose own authority is private. Blocks for up to
    two minutes. Raises AcmeError, MissingError."""
    try:
        import josepy.jwk
        import requests
        from acme import challenges, client, errors, messages
    except ImportError:
        raise MissingError("a certificate from an ACME authority needs the Python package acme", INSTALL) from None
    key = ec.generate_private_key(ec.SECP256R1())
    try:
        net = client.ClientNetwork(
            josepy.jwk.JWKRSA(key=account),
            user_agent=f"exposer/{__version__}",
            verify_ssl=ca_file or True,  # type: ignore[arg-type]  # requests takes a file as well
        )
        acme = client.ClientV2(client.ClientV2.get_directory(directory, net), net)
        _register(acme, messages, errors)
        order = acme.new_order(_request(hostname, key))
        for authorization in order.authorizations:
            _answer(acme, authorization, challenges, messages)
        done = acme.poll_and_finalize(order, datetime.now() + PATIENCE)  # the library compares it so
    except messages.Error as error:
        limited = "rateLimited" in str(error.typ)
        said = f"{error.typ}: {error.detail}"[:400]
        hint = "it is asked again later; a certificate that is there stays in force" if limited else ""
        raise AcmeError(f"the authority refuses: {said}", hint, LIMITED if limited else 0.0) from None
    except errors.ValidationError as error:
        hint = f"port 80 of {hostname} has to reach this machine from everywhere, and its DNS entry to lead here"
        raise AcmeError(f"the authority could not reach {hostname}: {_why(error)}", hint) from None
    except errors.Error as error:
        raise AcmeError(f"the authority gave no certificate: {type(error).__name__} {error}"[:400]) from None
    except (requests.RequestException, ValueError) as error:
        raise AcmeError(f"the authority at {directory} could not be asked ({type(error).__name__})") from None
    return Pair(done.fullchain_pem, Secret(pem_of(key).decode()))


def _register(acme: Any, messages: Any, errors: Any) -> None:
    try:
        acme.new_account(messages.NewRegistration.from_data(terms_of_service_agreed=True))
    except errors.ConflictError as error:  # the account is there already
        acme.net.account = messages.RegistrationResource(body=messages.Registration(), uri=error.location)


def _answer(acme: Any, authorization: Any, challenges: Any, messages: Any) -> None:
    if authorization.body.status == messages.STATUS_VALID:
        return
    found = next((each for each in authorization.body.challenges if isinstance(each.chall, challenges.HTTP01)), None)
    if found is None:
        raise AcmeError("the authority offers no check over http (HTTP-01)", "use tunnel.certificate and tunnel.key")
    acme.answer_challenge(found, found.response(acme.net.key))


def _request(hostname: str, key: ec.EllipticCurvePrivateKey) -> bytes:
    names = x509.SubjectAlternativeName([x509.DNSName(hostname)])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname)] if len(hostname) <= 64 else [])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(names, critical=False)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _why(error: Any) -> str:
    said = [
        str(challenge.error.detail)
        for authorization in error.failed_authzrs
        for challenge in authorization.body.challenges
        if challenge.error is not None
    ]
    return "; ".join(said)[:400] or "it does not say why"
