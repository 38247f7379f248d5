"""A POST with JSON, signed as Standard Webhooks has it, tried again for a while."""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from exposer import __version__
from exposer.config.model import SecretRef
from exposer.errors import ExposerError, MissingError
from exposer.notify.notice import Notice
from exposer.secret import Secret

if TYPE_CHECKING:
    import requests

# Tried so often again, after 0, 1, 2, 4 and 8 seconds, or when the far side says, if that is soon.
TRIES, BACKOFF, LONGEST = 5, 0.5, 30
TIMEOUT = (5.0, 10.0)  # to connect, and for an answer
PASSING = (408, 425, 429, 500, 502, 503, 504)
OWN_PREFIX = "whsec_"  # how secrets for webhooks are usually handed out: the rest is base64


class Webhook:
    """One address that gets a POST for each notice. Without a secret there is no signature."""

    def __init__(self, url: str | SecretRef, secret: SecretRef | None, resolve: Callable[[SecretRef], Secret]) -> None:
        self._url = url
        self._secret = secret
        self._resolve = resolve

    @property
    def label(self) -> str:
        """Never more than the host: whoever knows the path may post there."""
        return f"webhook {self._url if isinstance(self._url, SecretRef) else urlsplit(self._url).netloc}"

    def send(self, notice: Notice) -> None:
        import requests

        body = notice.as_json()
        headers = {"Content-Type": "application/json", "User-Agent": f"exposer/{__version__}"}
        headers |= {"Webhook-Id": notice.id, "Webhook-Timestamp": str(int(time.time()))}
        if self._secret is not None:  # one that cannot be had raises: nothing goes out unsigned
            headers["Webhook-Signature"] = signature(
                self._resolve(self._secret), notice.id, headers["Webhook-Timestamp"], body
            )
        url = self._address()
        try:
            with _session() as session:
                proxies = requests.utils.get_environ_proxies(url)
                with session.post(
                    url,
                    data=body,
                    headers=headers,
                    timeout=TIMEOUT,
                    allow_redirects=False,
                    stream=True,
                    proxies=proxies,
                ) as answer:
                    status = answer.status_code
        except (requests.RequestException, ValueError) as error:  # their texts hold the whole address
            raise ExposerError(f"{self.label} could not be reached ({_reason(error)})") from None
        if status >= 300:
            raise ExposerError(f"{self.label} answered {status}")

    def _address(self) -> str:
        if isinstance(self._url, str):
            return self._url
        url = self._resolve(self._url).reveal()
        if urlsplit(url).scheme not in ("http", "https"):
            raise MissingError(
                f"{self._url} holds no address that begins with https://", "give it the webhook's address"
            )
        return url


def signature(secret: Secret, id_: str, timestamp: str, body: bytes) -> str:
    """What the receiver can compute too: it proves who has sent this, and that nobody has changed it."""
    signed = hmac.new(_key(secret), f"{id_}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def _key(secret: Secret) -> bytes:
    clear = secret.reveal()
    try:
        if clear.startswith(OWN_PREFIX):
            return base64.b64decode(clear.removeprefix(OWN_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        pass
    return clear.encode()


def _session() -> "requests.Session":
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3 import Retry

    class Patience(Retry):
        def get_retry_after(self, response: Any) -> float | None:
            """A far side that wants an hour does not hold up what else is to be told."""
            asked = super().get_retry_after(response)
            return None if asked is None else min(asked, LONGEST)

    retries = Patience(
        total=TRIES, backoff_factor=BACKOFF, status_forcelist=PASSING, allowed_methods=None, raise_on_status=False
    )
    session = requests.Session()
    session.trust_env = False  # a .netrc is not for webhooks
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=retries))
    return session


def _reason(error: Exception) -> str:
    import requests

    known = {
        requests.exceptions.SSLError: "its certificate cannot be trusted",
        requests.Timeout: "no answer in time",
        requests.exceptions.ProxyError: "the proxy refuses",
        requests.ConnectionError: "no connection",
    }
    return next((text for kind, text in known.items() if isinstance(error, kind)), type(error).__name__)
