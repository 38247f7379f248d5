"""Looks whether anything of a cut exposure still answers: processes, sockets, the public address."""

import os
import time

from exposer import procs
from exposer.panic.bounded import within
from exposer.panic.cut import Cut
from exposer.panic.datapath import LISTENS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LOCAL_SECONDS = 1.0
SECONDS = 2.0
ALL_SECONDS = 10.0  # for all addresses of a kind: what is on record may be nonsense, and of any length


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
    listens = sorted({str(entry.detail.get(name, "")) for entry in cut.entries for name in LISTENS} - {""})
    for listen in _in_time(cut, listens):
        if not _closed(listen, max(0.1, deadline - time.monotonic())):
            cut.open.append(f"{listen} still takes connections")
    cut.step("local proof", open=len(cut.open))
    tunnels = [entry for entry in cut.entries if entry.role in ("tunnel", "standby")]
    urls = sorted({str(entry.detail.get("url", "")) for entry in tunnels} - {""})
    said = [_ask_outside(cut, url) for url in _in_time(cut, urls)]
    if not cut.open:
        said = [text for text in said if text] or ["there is no outside to ask, for it had no public address"]
        cut.proof = "; ".join(["nothing of it answers on this machine", *said])


def _in_time(cut: Cut, addresses: list[str]) -> "Iterator[str]":
    """One after the other, as long as there is time; that some were not asked is said."""
    begun = time.monotonic()
    for number, address in enumerate(addresses):
        if time.monotonic() - begun > ALL_SECONDS:
            cut.trouble.append(f"{len(addresses) - number} addresses on record could not be asked in time")
            return
        yield address


def _is_loopback(url: str) -> bool:
    from urllib.parse import urlsplit

    try:
        host = urlsplit(url).hostname or ""
    except ValueError:  # no address at all
        return False
    return host == "localhost" or host.startswith("127.") or host == "::1"


def _closed(listen: str, seconds: float) -> bool:
    return procs.wait_until(lambda: not within(SECONDS, lambda: _accepts(listen), False), seconds, every=0.1)


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
    except (OSError, ValueError, OverflowError):
        return False


def _ask_outside(cut: Cut, url: str) -> str:
    """Asks the public address for what only our gateway can say. Returns what became of it, "" for one that nobody
    outside could ask."""
    secret = next((e.detail for e in cut.entries if e.role == "supervisor" and "probe" in e.detail), {})
    path = f"/.exposer/{secret.get('probe', 'none')}"
    status, body = within(2 * SECONDS, lambda: _get(url, path), ("no whole one in time", ""))
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

    try:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=SECONDS)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return str(response.status), response.read(256).decode(errors="replace").strip()
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError, OverflowError) as error:
        return type(error).__name__, ""
