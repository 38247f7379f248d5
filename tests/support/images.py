"""Tiny images made of files of this machine, without a registry: a Python server with or without a shell."""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from exposer.engine.image import digest_of, make_tar, program_files
from exposer.files import FileLock

REPOSITORY = "exposer-test"
MODULES = "http.server, json, hashlib, os, signal, socket, socketserver, sys, threading, time, encodings.idna"

# What the tests ask of a backend.
SERVER = r"""
import hashlib, http.server, json, os, signal, socket, sys, threading, time

if os.environ.get("DIE"):
    print("about to die: " + os.environ["DIE"], flush=True)
    sys.exit(3)


MORE = threading.Event()  # the next event of a stream that is to wait for it (/sse?wait)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, data, status=200, **headers):
        body = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def any(self):
        path = self.path.partition("?")[0]
        data = self.body()
        if path == "/health":
            well = not os.environ.get("SICK")
            well = well and self.headers.get("Authorization", "") == os.environ.get("WANT", "")
            self.reply({"ok": well}, 200 if well else 503)
        elif path == "/env":
            self.reply(dict(os.environ))
        elif path == "/echo":
            self.reply({"size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        elif path == "/big":
            self.reply(b"0123456789" * 1_000_000)
        elif path == "/request":
            self.reply({"line": self.requestline, "headers": self.headers.items()}, Set_Cookie="a=1")
        elif path == "/sse":
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            for number in range(3):
                self.wfile.write(b"data: %d\n\n" % number)
                self.wfile.flush()
                MORE.wait(1.0 if self.path == path else 30.0)
                MORE.clear()
            self.close_connection = True
        elif path == "/more":
            MORE.set()
            self.reply({})
        elif path == "/reach":
            self.reply(reach(**json.loads(data)))
        elif path == "/files":
            self.reply({name: open(name).read() for name in json.loads(data)})
        elif path == "/stdin":
            self.reply({"stdin": sys.stdin.read()})
        elif path == "/quit":
            os._exit(7)
        else:
            self.reply({"error": "no such path"}, 404)

    do_GET = do_POST = do_PUT = do_HEAD = any

    def log_message(self, text, *args):
        print(text % args, flush=True)


def reach(host, port):
    try:
        with socket.create_connection((host, port), timeout=1.5):
            return "reached"
    except OSError as error:
        return f"{type(error).__name__}: {error}"


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
address = (os.environ.get("BIND", "0.0.0.0"), int(os.environ.get("PORT", "8080")))
print("serving at", *address, flush=True)
Server(address, Handler).serve_forever()
"""


def server_image(shell: bool = True) -> str:
    """The tag of an image whose program is SERVER; without `shell` there is nothing in it but Python."""
    content = dict(_python_files())
    content["server.py"] = SERVER.encode()
    if shell:
        content |= program_files(Path(_dash()).resolve())
    links = {"bin/sh": str(Path(_dash()).resolve())} if shell else {}
    return _imported(content, links, f'CMD ["{_python()}", "-I", "-S", "-u", "/server.py"]', "EXPOSE 8080")


def silent_image() -> str:
    """The tag of an image that has neither ENTRYPOINT nor CMD."""
    return _imported({"empty": b""}, {}, "LABEL nothing=here")


def remove_test_images() -> None:
    """For a developer who wants the disk back: they are cached by content and never removed by the tests."""
    found = subprocess.run(
        ["docker", "images", "-q", REPOSITORY], capture_output=True, text=True, check=True
    ).stdout.split()
    if found:
        subprocess.run(["docker", "rmi", "-f", *found], check=True)


def _imported(content: dict[str, bytes], links: dict[str, str], *changes: str) -> str:
    tag = f"{REPOSITORY}:{digest_of({**content, 'changes': repr((links, changes)).encode()})}"
    with FileLock(str(Path(tempfile.gettempdir(), f"exposer-test-images-{os.geteuid()}.lock"))):  # once for all of us
        if subprocess.run(["docker", "image", "inspect", tag], capture_output=True, check=False).returncode == 0:
            return tag
        options = [word for change in changes for word in ("--change", change)]
        tar = make_tar(content, links, folders=("tmp",))
        subprocess.run(["docker", "import", *options, "-", tag], input=tar, capture_output=True, check=True)
    return tag


@functools.cache
def _python() -> str:
    """The system's Python when there is one: often a single program, while others bring a large library."""
    return str(Path("/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys._base_executable).resolve())


@functools.cache
def _python_files() -> dict[str, bytes]:
    """Python and the modules that SERVER needs, and no others."""
    program = _python()
    said = subprocess.run(
        [program, "-I", "-S", "-c", f"import {MODULES}, sys\n{LIST_MODULES}"],
        capture_output=True,
        text=True,
        check=True,
    )
    content = program_files(Path(program))
    for name in said.stdout.split("\n"):
        if name.endswith(".so"):
            content |= program_files(Path(name))
        elif name:
            content[name.lstrip("/")] = Path(name).read_bytes()
    return content


LIST_MODULES = """
for module in list(sys.modules.values()):
    if getattr(module, "__file__", None):
        print(module.__file__)
"""


def _dash() -> str:
    return shutil.which("dash") or shutil.which("sh") or "/bin/sh"
