"""Many calls over one raw connection: targets go out byte for byte, only the status comes back."""

import contextlib
import socket
from types import TracebackType


class KeepAlive:
    """A connection to 127.0.0.1 that is opened again when the other side has closed it."""

    def __init__(self, port: int, *fields: str) -> None:
        self._port = port
        self._fields = "".join(f"{field}\r\n" for field in fields)
        self._socket: socket.socket | None = None

    def __enter__(self) -> "KeepAlive":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def status(self, target: str, method: str = "GET") -> int:
        head = f"{method} {target} HTTP/1.1\r\nHost: x\r\n{self._fields}\r\n".encode("latin-1")
        for _ in range(2):
            with contextlib.suppress(ConnectionError):
                return self._ask(head, method)
            self.close()
        raise ConnectionError(f"no answer to {method} {target}")

    def _ask(self, head: bytes, method: str) -> int:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        self._socket.sendall(head)
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._more()
        answer, _, body = got.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in answer.split(b"\r\n")[1:])
        left = 0 if method == "HEAD" else int(fields.get(b"content-length", 0)) - len(body)
        while left > 0:
            left -= len(self._more())
        if fields.get(b"connection") == b"close":
            self.close()
        return int(answer.split(b" ", 2)[1])

    def _more(self) -> bytes:
        assert self._socket is not None
        got = self._socket.recv(65536)
        if not got:
            raise ConnectionResetError
        return got
