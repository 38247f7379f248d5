"""One plain HTTP request, over TCP, TLS or a unix socket, with a limit on time and size; no redirects, no proxies."""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
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


class _Timed(io.RawIOBase):
    """What a socket receives, until the deadline of the whole exchange: a single slow byte does not extend it."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _short:
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
    cut: bool = False,
) -> Answer:
    """Asks `base` ("http://host:port", "https://host" or "unix:/path/to.sock") for `path`, as given, unescaped.

    `timeout` bounds the whole exchange, `limit` the body in bytes; with `cut` no more than its beginning is read.
    Raises NoAnswerError.
    """
    deadline = time.monotonic() + timeout
    try:
        connection = _connection(base, timeout, context)
    except ValueError:
        raise NoAnswerError(f"{base}: this is not an address", "resolve") from None
    connection.response_class = partial(_response, deadline=deadline)  # type: ignore[assignment]
    try:
        try:
            connection.connect()
        except socket.gaierror as error:
            raise NoAnswerError(f"{base}: the name does not resolve", "resolve") from error
        except (OSError, ValueError) as error:  # ValueError: a name that no resolver could be asked for
            raise NoAnswerError(f"{base}: {error}", "connect") from error
        try:
            connection.request(method, path, body=body, headers={"User-Agent": "exposer", **(headers or {})})
            with connection.getresponse() as response:  # an unread answer would keep the socket open
                data = response.read1(limit) if cut else _read(response, limit, base)
        except (ValueError, http.client.InvalidURL):  # http.client quotes what it cannot send, and it may be a secret
            raise NoAnswerError(f"{base}: the path or a header cannot be sent", "answer") from None
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswerError(f"{base}: {(str(error) or type(error).__name__)[:200]}", "answer") from error
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, data)
    finally:
        connection.close()


def _connection(base: str, timeout: float, context: ssl.SSLContext | None) -> http.client.HTTPConnection:
    if base.startswith("unix:"):
        return _UnixConnection(base.removeprefix("unix:"), timeout)
    parts = urlsplit(base)
    host = parts.hostname
    if not host or parts.scheme not in ("http", "https"):
        raise ValueError(base)
    if parts.scheme == "https":
        return http.client.HTTPSConnection(host, parts.port, timeout=timeout, context=context)
    return http.client.HTTPConnection(host, parts.port, timeout=timeout)


def _response(sock: socket.socket, *args: Any, deadline: float, **more: Any) -> http.client.HTTPResponse:
    response = http.client.HTTPResponse(sock, *args, **more)
    response.fp.close()
    response.fp = io.BufferedReader(_Timed(sock, deadline))
    return response


def _read(response: http.client.HTTPResponse, limit: int, base: str) -> bytes:
    data = bytearray()
    while chunk := response.read1(65536):
        data += chunk
        if len(data) > limit:
            raise NoAnswerError(f"{base}: the answer is larger than {limit:,} bytes", "size")
    if response.length:  # read1 takes an early end for the end
        raise NoAnswerError(f"{base}: the answer was cut short", "answer")
    return bytes(data)
