"""The daemon's end of `control.sock`: a line of JSON in, a line of JSON out."""

import json
import os
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from exposer.wire import short_socket_path

Answer = Callable[[Mapping[str, Any]], Mapping[str, Any]]
LIMIT = 64 * 1024


class _Handler(socketserver.StreamRequestHandler):
    timeout = 10
    server: "ControlServer"

    def handle(self) -> None:
        try:
            asked = json.loads(self.rfile.readline(LIMIT))
            said = self.server.answer(asked if isinstance(asked, dict) else {})
        except (ValueError, OSError) as error:
            said = {"error": str(error)}
        try:
            self.wfile.write(json.dumps(said).encode() + b"\n")
        except OSError:
            return


class ControlServer(socketserver.ThreadingUnixStreamServer):
    """Listens in a thread of its own; only our own user can reach it (0700 folder, 0600 socket)."""

    daemon_threads = True

    def __init__(self, path: str, answer: Answer) -> None:
        self.answer = answer
        self.path = path
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        with short_socket_path(path) as short:
            super().__init__(short, _Handler)
        os.chmod(path, 0o600)  # noqa: PTH101
        self._over = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        """Sleeps until somebody asks; `serve_forever` would wake up again and again to see whether it is over."""
        while not self._over:
            self.handle_request()

    def close(self) -> None:
        self._over = True
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes whoever waits at it
        self._thread.join(timeout=1)
        self.server_close()
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass
