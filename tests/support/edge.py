"""A stand-in for whatever stands between callers and the tunnel."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.exposure import get


class Edge:
    """The public side of a server: passes calls on to the tunnel's port, or gives `instead`: status, headers, body.
    `adds` are headers that it puts into each call."""

    def __init__(self, port: int) -> None:
        edge = self
        self.instead: tuple[int, dict[str, str], bytes] | None = None
        self.adds: dict[str, str] = {}
        self.calls = 0

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                edge.calls += 1
                status, headers, body = edge.instead or through(port, self.path, dict(self.headers.items()) | edge.adds)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def through(port: int, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    found = get(f"http://127.0.0.1:{port}{path}", headers=headers)
    kept = {name: found.headers[name] for name in ("content-type", "www-authenticate") if name in found.headers}
    return (found.status, kept, found.body) if found.status else (502, {}, b"")
