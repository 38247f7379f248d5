"""A backend whose one call answers with a hundred thousand bytes."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "generous", "version": "1"},
    "paths": {"/much": {"get": {"responses": {"200": {"description": "OK"}}}}},
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"x" * 100_000 if self.path == "/much" else json.dumps(DOCUMENT).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
