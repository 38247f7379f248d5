"""Looks whether anything of a cut exposure still answers: processes, sockets, the public address."""

import os
import time

from exposer import procs
from exposer.panic.cut import Cut
from exposer.panic.datapath import LISTENS

LOCAL_SECONDS = 1.0
SECONDS = 2.0


def verify(cut: Cut) -> None:
    """Puts what still answers into `cut.open`, one sentence each."""
    deadline = time.monotonic() + LOCAL_SECONDS
    suspects = [
        e.process
        for e in cut.entries
        if e.process is not None and e.process.pid != os.getpid() and cut.should_be_gone(e)
    ]
    procs.wait_until(lambda: not any(process.alive() for process in suspects), LOCAL_SECONDS)
    for entry in cut.entries:
        if entry.process in suspects and entry.process is not None and entry.process.alive():
            cut.open.append(f"{entry.role} (pid {entry.process.pid}) still runs")
    for listen in sorted({str(entry.detail.get(name, "")) for entry in cut.entries for name in LISTENS} - {""}):
        if not _closed(listen, max(0.1, deadline - time.monotonic())):
            cut.open.append(f"{listen} still takes connections")
    cut.step("local proof", open=len(cut.open))
    tunnels = [entry for entry in cut.entries if entry.role in ("tunnel", "standby")]
    urls = sorted({str(entry.detail.get("url", "")) for entry in tunnels} - {""})
    said = [_ask_outside(cut, url) for url in urls]
    if not cut.open:
        said = [text for text in said if text] or ["there is no outside to ask, for it had no public address"]
        cut.proof = "; ".join(["nothing of it answers on this machine", *said])


def _is_loopback(url: str) -> bool:
    from urllib.parse import urlsplit

    host = urlsplit(url).hostname or ""
    return host == "localhost" or host.startswith("127.") or host == "::1"


def _closed(listen: str, within: float) -> bool:
    return procs.wait_until(lambda: not _accepts(listen), within, every=0.1)


def _accepts(listen: str) -> bool:
    import socket

    host, _, port = listen.rpartition(":")
    try:
        if listen.startswith("unix:"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.settimeout(0.5)
                sock.connect(listen.removeprefix("unix:"))
                return True
        with socket.create_connection((host.strip("[]"), int(port)), timeout=0.5):
            return True
    except TimeoutError:
        # A full queue: somebody listens there, and takes nobody just now. Elsewhere it is a machine that is gone.
        return listen.startswith(("unix:", "127.", "[::1]"))
    except (OSError, ValueError):
        return False


def _ask_outside(cut: Cut, url: str) -> str:
    """Asks the public address for what only our gateway can say. Returns what became of it, "" for one that nobody
    outside could ask."""
    secret = next((e.detail for e in cut.entries if e.role == "supervisor" and "probe" in e.detail), {})
    status, body = _get(url, f"/.exposer/{secret.get('probe', 'none')}")
    ours = bool(secret) and body == secret.get("probe_answer")
    if ours or status == "401":
        cut.open.append(f"{url} still answers")
    cut.step("outside proof", url=url, answer=status)
    if _is_loopback(url):
        return ""
    if status.isdigit():
        return f"{url} answers {status}, and that is not ours"
    return f"{url} gives no answer from here ({status}), so ask it once more from elsewhere"


def _get(url: str, path: str) -> tuple[str, str]:
    """Status and body, or what kept us from an answer, in a word."""
    import http.client
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return str(response.status), response.read(256).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException, ValueError) as error:
        return type(error).__name__, ""
    finally:
        connection.close()
