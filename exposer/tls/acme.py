"""Gets a certificate from an ACME authority, through the library of certbot, which is an extra.

The challenge is HTTP-01, and nginx answers it without us: what it has to say is the token and the account's thumbprint.
With an own program for the DNS it is DNS-01. The library has no TLS-ALPN-01 any more.
"""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from exposer import __version__
from exposer.errors import ExposerError, MissingError
from exposer.secret import Secret
from exposer.tls.authority import Pair
from exposer.tls.dns import DnsHook
from exposer.tls.served import pem_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

INSTALL = 'pip install "exposer[server]"'
PATIENCE = timedelta(seconds=90)
LIMITED = 6 * 3600.0  # an authority that says "too many" and not for how long is not asked again before
LONGEST = 7 * 86400.0  # no limit of an authority lasts longer
TRIES = 5  # of an order whose messages the authority wants numbered anew (RFC 8555, 6.5); the library repeats one once


class AcmeError(ExposerError):
    """No certificate was given. `retry_after`: not before so many seconds."""

    code = "acme"

    def __init__(self, message: str, hint: str = "", retry_after: float = 0.0) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after


def obtain(
    directory: str,
    hostname: str,
    account: "RSAPrivateKey",
    ca_file: str = "",
    binding: tuple[str, Secret] | None = None,
    dns: DnsHook | None = None,
) -> Pair:
    """A new certificate with a new key. `ca_file` is for a directory whose own authority is private, `binding` the key
    id and the key of an account with the authority's owner, `dns` puts a record into the DNS. Blocks for up to
    two minutes, and as long as the DNS takes. Raises ExposerError."""
    try:
        import requests
        from acme import errors, messages
        from josepy.errors import Error as NonsenseError
    except ImportError:
        raise MissingError("a certificate from an ACME authority needs the Python package acme", INSTALL) from None
    key, waits = ec.generate_private_key(ec.SECP256R1()), _Waits()
    try:
        chain = _insisted(_client(directory, account, ca_file, waits), _request(hostname, key), binding, dns)
    except messages.Error as error:
        raise _refusal(error, waits.seconds, bound=binding is not None) from None
    except errors.ValidationError as error:
        hint = f"port 80 of {hostname} has to reach this machine from everywhere, and its DNS entry to lead here"
        if dns is not None:
            hint = f"is the record _acme-challenge.{hostname} there after tunnel.dns_wait, on all name servers?"
        raise AcmeError(
            f"the authority could not {'check' if dns else 'reach'} {hostname}: {_why(error)}", hint
        ) from None
    except errors.Error as error:
        said = f"the authority gave no certificate: {type(error).__name__} {error}"[:400]
        raise AcmeError(said, retry_after=waits.seconds) from None
    except (requests.RequestException, NonsenseError, ValueError) as error:
        raise AcmeError(f"the authority at {directory} could not be asked ({type(error).__name__})") from None
    return Pair(chain, Secret(pem_of(key).decode()))


def advice(directory: str, certificate: str, account: "RSAPrivateKey", ca_file: str = "") -> tuple[float | None, float]:
    """When the authority would have this certificate (PEM) renewed (ARI, RFC 9773), None for no word of it, and when it
    is to be asked again; both in seconds since 1970. Raises ExposerError."""
    try:
        import acme  # noqa: F401
    except ImportError:
        raise MissingError("asking an ACME authority needs the Python package acme", INSTALL) from None
    try:
        at, again = _client(directory, account, ca_file, _Waits()).renewal_time(certificate.encode())
    except Exception as error:  # whatever the library makes of what it is told: it is advice, and no more
        raise AcmeError(f"the authority gave no advice on renewal ({type(error).__name__})") from None
    return at and at.timestamp(), again.timestamp()


def _client(directory: str, account: "RSAPrivateKey", ca_file: str, waits: "_Waits") -> Any:
    import josepy.jwk
    from acme import client

    net = client.ClientNetwork(
        josepy.jwk.JWKRSA(key=account),
        user_agent=f"exposer/{__version__}",
        verify_ssl=ca_file or True,  # type: ignore[arg-type]  # requests takes a file as well
    )
    net.session.hooks["response"].append(waits.hear)
    return client.ClientV2(client.ClientV2.get_directory(directory, net), net)


def _insisted(acme: Any, request: bytes, binding: tuple[str, Secret] | None, dns: DnsHook | None) -> str:
    """An order is begun afresh when the authority did not like the number of a message: that is no refusal."""
    from acme import messages

    for _ in range(TRIES - 1):
        try:
            return _ordered(acme, request, binding, dns)
        except messages.Error as error:
            if error.code != "badNonce":
                raise
    return _ordered(acme, request, binding, dns)


def _ordered(acme: Any, request: bytes, binding: tuple[str, Secret] | None, dns: DnsHook | None) -> str:
    """The certificate with its chain. An order that was left half done is the authority's to forget:
    the next one begins afresh."""
    from acme import errors, messages

    _register(acme, messages, errors, binding)
    order = acme.new_order(request)
    with ExitStack() as records:
        for authorization in order.authorizations:
            if authorization.body.status != messages.STATUS_VALID:
                _answer(acme, authorization, dns, records)
        done = acme.poll_and_finalize(order, datetime.now() + PATIENCE)  # the library compares it so
    return str(done.fullchain_pem)


class _Waits:
    """Hears for how long the authority wants to be left alone: the library's errors do not tell."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def hear(self, response: Any, **_: Any) -> None:
        if response.status_code in (429, 503):
            self.seconds = wait_of(str(response.headers.get("Retry-After", "")), datetime.now(UTC))


def wait_of(said: str, now: datetime) -> float:
    """The seconds that a Retry-After header means, a number or a date; `LIMITED` for none that can be read."""
    try:
        wait = float(said) if said.isdigit() else (parsedate_to_datetime(said) - now).total_seconds()
    except (ValueError, TypeError):
        return LIMITED
    return min(max(wait, 1.0), LONGEST)


def _refusal(error: Any, wait: float, *, bound: bool) -> AcmeError:
    limited = "rateLimited" in str(error.typ)
    hint = "it is asked again later; a certificate that is there stays in force" if limited or wait else ""
    if "externalAccountRequired" in str(error.typ) or "externalAccountBinding" in str(error.detail):
        given = "are they the ones of your account there?" if bound else "your account there shows both"
        hint = f"this authority wants tunnel.acme_kid and tunnel.acme_key: {given}"
    said = f"{error.typ}: {error.detail}"[:400]
    return AcmeError(f"the authority refuses: {said}", hint, wait or (LIMITED if limited else 0.0))


def _register(acme: Any, messages: Any, errors: Any, binding: tuple[str, Secret] | None) -> None:
    bound = None
    if binding is not None:
        kid, secret = binding
        public = acme.net.key.public_key()
        try:
            bound = messages.ExternalAccountBinding.from_data(public, kid, secret.reveal().strip(), acme.directory)
        except ValueError:
            raise AcmeError("tunnel.acme_key is no key in base64url, as authorities give them") from None
    acme.net.account = None  # one that is known is asked for by its key too, never by its address (RFC 8555, 6.2)
    try:
        acme.new_account(
            messages.NewRegistration.from_data(terms_of_service_agreed=True, external_account_binding=bound)
        )
    except errors.ConflictError as error:  # the account is there already
        acme.net.account = messages.RegistrationResource(body=messages.Registration(), uri=error.location)


def _answer(acme: Any, authorization: Any, dns: DnsHook | None, records: ExitStack) -> None:
    from acme import challenges

    kind, said = (challenges.HTTP01, "http (HTTP-01)") if dns is None else (challenges.DNS01, "DNS (DNS-01)")
    found = next((each for each in authorization.body.challenges if isinstance(each.chall, kind)), None)
    if found is None:
        raise AcmeError(f"the authority offers no check over {said}", "use tunnel.certificate and tunnel.key")
    if dns is not None:
        name = found.chall.validation_domain_name(authorization.body.identifier.value)
        records.enter_context(dns.record(name, found.chall.validation(acme.net.key)))
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
