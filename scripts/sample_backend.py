"""A small private API to try exposer on: notes in memory, no login of its own. Listens on 127.0.0.1:$PORT."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NOTES = {"1": {"id": "1", "text": "buy milk"}, "2": {"id": "2", "text": "call the dentist"}}
NOTE = {"type": "object", "properties": {"id": {"type": "string"}, "text": {"type": "string"}}}


def operation(name, text, schema, *parameters):
    content = {"application/json": {"schema": schema}}
    found = {
        "operationId": name,
        "summary": text,
        "responses": {"200": {"description": "OK", "content": content}},
    }
    return found | ({"parameters": list(parameters)} if parameters else {})


ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Notes", "version": "1.0"},
    "servers": [{"url": "/api"}],
    "paths": {
        "/notes": {"get": operation("list_notes", "All notes", {"type": "array", "items": NOTE})},
        "/notes/{id}": {
            "get": operation("get_note", "One note", NOTE, ID),
            "delete": operation("delete_note", "Delete a note", NOTE, ID),
        },
    },
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path == "/health":
            self.answer(200, {"status": "ok"})
        elif path == "/openapi.json":
            self.answer(200, DOCUMENT)
        elif path == "/api/notes":
            self.answer(200, list(NOTES.values()))
        elif path == "/api/private":
            self.answer(200, {"text": "not in the document, so never published"})
        elif path.startswith("/api/notes/") and path.removeprefix("/api/notes/") in NOTES:
            self.answer(200, NOTES[path.removeprefix("/api/notes/")])
        else:
            self.answer(404, {"error": "there is no such thing"})

    def do_DELETE(self):
        found = NOTES.pop(self.path.removeprefix("/api/notes/"), None)
        self.answer(200 if found else 404, found or {"error": "there is no such note"})

    def answer(self, status, data):
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8099"))), Handler).serve_forever()
