"""A backend for the panic benchmark: an answer that does not end, a stream of events, and a small answer. Listens on
127.0.0.1:$PORT."""

import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHUNK = os.urandom(64 * 1024)
PATHS = ("download", "events", "small")
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Download", "version": "1.0"},
    "paths": {
        f"/{name}": {"get": {"operationId": name, "responses": {"200": {"description": "Bytes"}}}} for name in PATHS
    },
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/download":
            self.stream()
            return
        if self.path == "/events":
            self.events()
            return
        body = json.dumps(DOCUMENT if self.path == "/openapi.json" else {"status": "ok"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(1 << 50))
        self.end_headers()
        self.close_connection = True
        try:
            while True:
                self.wfile.write(CHUNK)
        except OSError:
            return

    def events(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("X-Accel-Buffering", "no")
        self.end_headers()
        self.close_connection = True
        try:
            while True:
                self.wfile.write(f"data: {time.time()}\n\n".encode())
                time.sleep(0.05)
        except OSError:
            return

    def log_message(self, *args: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
