"""A backend on a raw socket that keeps what it was sent, byte for byte, and answers in odd ways when asked to."""

import contextlib
import hashlib
import socketserver
import threading
from urllib.parse import unquote_to_bytes

LARGE = bytes(range(256)) * 40_960  # 10 MiB


class Echo(socketserver.ThreadingTCPServer):
    """Records each request head. What it answers is chosen by the last word of the path; a dull one always says yes.

    Whatever stands in the query behind `say=` is put into the head of the answer, decoded.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, *, dull: bool = False) -> None:
        self.dull = dull
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.served = 0
        self.gate = threading.Event()
        self.over = False  # nobody waits for the gate any more
        super().__init__(("127.0.0.1", 0), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def targets(self) -> list[str]:
        return [head.split(b" ", 2)[1].decode("latin-1") for head in self.heads]

    def close(self) -> None:
        self.over = True
        self.gate.set()
        self.shutdown()
        self.server_close()
        self._thread.join(5)

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that goes away in the midst of a stream is no error here."""


class _Handler(socketserver.StreamRequestHandler):
    server: Echo

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while self._one():
                pass

    def _one(self) -> bool:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline(65536)
            if not line:
                return False
            head += line
        fields = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:-2])
        }
        body = self.rfile.read(int(fields.get(b"content-length", 0)))
        self.server.heads.append(head)
        self.server.bodies.append(body)
        self.server.served += 1
        word = head.split(b" ", 2)[1].split(b"?")[0].rsplit(b"/", 1)[-1].decode("latin-1")
        bare, said = head.startswith(b"HEAD "), head.split(b" ", 2)[1].partition(b"?say=")[2]
        if said:
            self._send("302 Found", unquote_to_bytes(said).decode("latin-1") + "\r\n", b"<a href=...>", bare=bare)
        else:
            (self._say_ok if self.server.dull else getattr(self, f"_say_{word}", self._say_ok))(bare)
        return True

    def _send(self, status: str, fields: str, body: bytes, *, bare: bool = False) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{fields}\r\n"
        self.wfile.write(head.encode("latin-1") + (b"" if bare else body))

    def _say_ok(self, bare: bool) -> None:
        self._send("200 OK", "Content-Type: application/json\r\nX-From: backend\r\n", b'{"ok": true}', bare=bare)

    def _say_teapot(self, bare: bool) -> None:
        self._send("418 I'm a teapot", "Content-Type: text/x-odd\r\n", b"short and stout", bare=bare)

    def _say_denied(self, bare: bool) -> None:
        self._send("401 No", 'WWW-Authenticate: Backend realm="x"\r\n', b"the backend's own words", bare=bare)

    def _say_leaky(self, bare: bool) -> None:
        fields = (
            "Server: Secret/1.2\r\nX-Powered-By: PHP/5\r\nSet-Cookie: sid=1\r\nX-Accel-Redirect: /./refused/400\r\n"
        )
        self._send("200 OK", fields + "X-Accel-Limit-Rate: 1\r\nX-Kept: yes\r\n", b"whole", bare=bare)

    def _say_large(self, bare: bool) -> None:
        self._send("200 OK", "ETag: " + hashlib.sha256(LARGE).hexdigest() + "\r\n", LARGE, bare=bare)

    def _say_events(self, bare: bool) -> None:
        """The first event at once; the others only when the caller has opened the gate."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            event = f"data: {number}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            self.server.gate.wait(60)
            if not self.server.over:
                self.server.gate.clear()
        self.wfile.write(b"0\r\n\r\n")

    def _say_untold(self, bare: bool) -> None:
        """120,000 bytes, and nobody is told so before."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(30):
            self.wfile.write(b"fa0\r\n" + ("é" * 2000).encode() + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def _say_silent(self, bare: bool) -> None:
        self.server.gate.wait(10)
