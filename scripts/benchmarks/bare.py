"""nginx as somebody would run it without exposer: the origin, a plain proxy, and the usual guide's gate."""

import http.client
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.benchmarks import measure
from tests.support.ports import free_port

FRAME = """
daemon off; worker_processes 1; pid nginx.pid; error_log error.log crit; worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 1000000;
    client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp; uwsgi_temp_path temp; scgi_temp_path temp;
    {0}
}}
"""
ORIGIN = """
    server {{ listen 127.0.0.1:{port}; default_type application/json; location / {{ return 200 '{body}'; }} }}
"""
PLAIN = """
    upstream backend {{ server {backend}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
"""
LOGGED = PLAIN.replace("listen ", "access_log access.log combined buffer=64k flush=1s; listen ")
GUIDE = """
    server {{
        listen 127.0.0.1:{port};
        location / {{
            if ($http_x_api_key != "{key}") {{ return 401; }}
            proxy_pass http://{backend};
        }}
    }}
"""


def write(folder: Path, text: str) -> list[str]:
    """Puts a config into a folder of its own and returns the command that runs it."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")
    if program is None:
        raise measure.MissingError("nginx is not installed")
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)
    config = folder / "nginx.conf"
    config.write_text(FRAME.format(text))
    config.chmod(0o600)
    return [program, "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")]


@contextmanager
def nginx(folder: Path, text: str, **values: object) -> Iterator[tuple[int, int]]:
    """Runs one; its port and its master's pid."""
    port = free_port()
    pid = measure.start(write(folder, text.format(port=port, **values)), measure.environment(), log=f"{folder}/out")
    try:
        await_answer(port)
        yield port, pid
    finally:
        measure.end(pid)


def await_answer(port: int, path: str = "/", wanted: int = 0, within: float = 30.0) -> None:
    """Until it answers, with the wanted status if there is one. Asks again every two milliseconds."""
    deadline = time.monotonic() + within
    while (found := status(port, path)) == 0 or (wanted and found != wanted):
        if time.monotonic() > deadline:
            raise RuntimeError(f"127.0.0.1:{port}{path} answers {found}")
        time.sleep(0.002)


def status(port: int, path: str = "/", key: str = "") -> int:
    """The status of one GET; 0 when nothing answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"X-API-Key": key} if key else {})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
