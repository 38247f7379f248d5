"""A backend whose answer does not end, for the panic benchmark. Listens on 127.0.0.1:$PORT."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHUNK = os.urandom(64 * 1024)
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Download", "version": "1.0"},
    "paths": {"/download": {"get": {"operationId": "download", "responses": {"200": {"description": "Bytes"}}}}},
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/download":
            self.stream()
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

    def log_message(self, *args: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
