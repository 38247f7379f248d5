"""A backend in a bad mood: slow, sick, dead at once, stubborn, or with a document that is none. Its arguments say
which."""

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MOODS = dict(word.partition("=")[::2] for word in sys.argv[1:])
OPERATION = {"responses": {"200": {"description": "OK"}}}


def described(paths):
    return json.dumps({"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": paths}).encode()


DOCUMENTS = {
    "": lambda: described({"/api/notes": {"get": OPERATION}}),
    "html": lambda: b"<!DOCTYPE html><html><body>Sign in</body></html>",
    "broken": lambda: b'{"openapi": "3.0.3", "paths": {]}',
    "text": lambda: b"hello",
    "empty": lambda: b"",
    "huge": lambda: described({"/api/notes": {"get": {**OPERATION, "description": "a" * 50_000_000}}}),
    "nothing": lambda: described({}),
    "post": lambda: described({"/api/notes": {"post": OPERATION}, "/api/other": {"post": OPERATION}}),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/health":
            self.answer(503 if "sick" in MOODS else 200, b"{}")
        elif self.path == "/openapi.json" and "document" in MOODS and MOODS["document"].isdigit():
            self.answer(int(MOODS["document"]), b"{}")
        elif self.path == "/openapi.json":
            self.answer(200, DOCUMENTS[MOODS.get("document", "")]())
        elif self.path == "/api/notes":
            self.answer(200, b'[{"text": "buy milk"}]')
        else:
            self.answer(404, b"{}")

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if "stubborn" in MOODS:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("connecting to the database", flush=True)
if "dead" in MOODS:
    sys.exit("no database at db.internal")
time.sleep(float(MOODS.get("slow", 0)))
if "deaf" in MOODS:
    time.sleep(1000)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
