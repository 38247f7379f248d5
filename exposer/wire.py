"""One plain HTTP request, over TCP, TLS or a unix socket, with a limit on time and size; no redirects, no proxies."""

import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from exposer.errors import ExposerError


class NoAnswerError(ExposerError):
    """Nothing answered, or not in HTTP, or not in time. `stage` is resolve, connect, answer or size."""

    code = "no-answer"

    def __init__(self, message: str, stage: str) -> None:
        super().__init__(message)
        self.stage = stage


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names are in lower case; the last of several wins."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("backend", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        with _short(self._path) as path:
            self.sock.connect(path)


class _short:  # noqa: N801
    """A way to a socket whose path is too long for the kernel (108 bytes): through its folder's descriptor."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = -1

    def __enter__(self) -> str:
        import os

        if len(self.path.encode()) < 100:
            return self.path
        folder, name = os.path.split(self.path)
        self.fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self.fd}/{name}"

    def __exit__(self, *exc: object) -> None:
        import os

        if self.fd >= 0:
            os.close(self.fd)


short_socket_path = _short


def request(
    base: str,
    path: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    timeout: float = 5.0,
    limit: int = 64 * 1024,
    body: bytes | None = None,
    context: ssl.SSLContext | None = None,
) -> Answer:
    """Asks `base` ("http://host:port", "https://host" or "unix:/path/to.sock") for `path`, as given, unescaped.

    `timeout` bounds the whole exchange, `limit` the body in bytes. Raises NoAnswerError.
    """
    deadline = time.monotonic() + timeout
    connection = _connection(base, timeout, context)
    try:
        try:
            connection.connect()
        except socket.gaierror as error:
            raise NoAnswerError(f"{base}: the name does not resolve", "resolve") from error
        except (OSError, UnicodeError) as error:  # UnicodeError: a name that no resolver could be asked for
            raise NoAnswerError(f"{base}: {error}", "connect") from error
        try:
            connection.request(method, path, body=body, headers={"User-Agent": "exposer", **(headers or {})})
            with connection.getresponse() as response:  # an unread answer would keep the socket open
                data = _read(response, connection, limit, deadline, base)
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswerError(f"{base}: {error or type(error).__name__}", "answer") from error
        except ValueError:  # http.client quotes the header it cannot send, and that may be a secret
            raise NoAnswerError(f"{base}: the path or a header cannot be sent", "answer") from None
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, data)
    finally:
        connection.close()


def _connection(base: str, timeout: float, context: ssl.SSLContext | None) -> http.client.HTTPConnection:
    if base.startswith("unix:"):
        return _UnixConnection(base.removeprefix("unix:"), timeout)
    parts = urlsplit(base)
    host = parts.hostname or ""
    if parts.scheme == "https":
        return http.client.HTTPSConnection(host, parts.port, timeout=timeout, context=context)
    return http.client.HTTPConnection(host, parts.port, timeout=timeout)


def _read(
    response: http.client.HTTPResponse,
    connection: http.client.HTTPConnection,
    limit: int,
    deadline: float,
    base: str,
) -> bytes:
    data = b""
    while chunk := response.read1(65536):
        data += chunk
        if len(data) > limit:
            raise NoAnswerError(f"{base}: the answer is larger than {limit:,} bytes", "size")
        left = deadline - time.monotonic()
        if left <= 0:
            raise NoAnswerError(f"{base}: the answer took too long", "answer")
        if connection.sock is not None:
            connection.sock.settimeout(left)
    return data
