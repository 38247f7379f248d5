"""A process that calls a gateway again and again in one manner, and counts what it did not get an answer to.

`python -m scripts.benchmarks.callers MANNER PLACE KEYFILE`; PLACE is a port of 127.0.0.1 or a unix socket's path. It
ends at SIGTERM and says what it counted as JSON.
"""

import json
import random
import signal
import socket
import sys
import threading
import time
from pathlib import Path

MANNERS = {"kept": 2, "pausing": 8, "fresh": 2, "halves": 8}  # and how many connections each has at once
# The longest pause between two calls: the machine is to be busy, not to be out of breath.
PAUSES = {"kept": 0.003, "pausing": 0.4, "fresh": 0.006, "halves": 0.01}
END = threading.Event()


class Line:
    """One connection, and answers read from it as they are announced."""

    def __init__(self, place: str) -> None:
        if place.isdigit():
            self.socket = socket.create_connection(("127.0.0.1", int(place)), timeout=20)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(20)
            self.socket.connect(place)
        self._left = b""

    def answer(self) -> tuple[int, bool]:
        """The status, and whether the connection stays. Raises OSError when it ends too early."""
        while b"\r\n\r\n" not in self._left:
            self._more()
        head, _, self._left = self._left.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        size = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
        while len(self._left) < size:
            self._more()
        self._left = self._left[size:]
        return int(head.split(b" ", 2)[1]), b"connection: close" not in lines

    def closed(self) -> bool:
        """Whether the other side has closed it while nobody asked anything, as it may."""
        try:
            return self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("closed without an answer")
        self._left += data


def call(manner: str, place: str, head: bytes, counted: dict[str, int], lost: list[str]) -> None:
    line: Line | None = None
    dice = random.Random()
    while not END.is_set():
        if line is not None and line.closed():
            line.socket.close()
            line = None
        try:
            line = line or Line(place)
            if manner == "halves":
                line.socket.sendall(head[:20])
                time.sleep(dice.random() * 0.1)
                line.socket.sendall(head[20:])
            else:
                line.socket.sendall(head)
            status, stays = line.answer()
            counted["served"] += 1
            if status != 200:
                lost.append(str(status))
        except OSError as error:
            lost.append(f"{manner}: {error}")
            stays = False
        if line is not None and (not stays or manner in ("fresh", "halves")):
            line.socket.close()
            line = None
        time.sleep(dice.random() * PAUSES[manner])


def main() -> None:
    manner, place, keyfile = sys.argv[1:]
    head = f"GET /v1/things0 HTTP/1.1\r\nHost: x\r\nX-API-Key: {Path(keyfile).read_text().strip()}\r\n\r\n".encode()
    signal.signal(signal.SIGTERM, lambda *_: END.set())
    every: list[tuple[dict[str, int], list[str]]] = [({"served": 0}, []) for _ in range(MANNERS[manner])]
    threads = [threading.Thread(target=call, args=(manner, place, head, *each)) for each in every]
    for thread in threads:
        thread.start()
    while not END.wait(1.0):
        pass
    for thread in threads:
        thread.join()
    served, lost = sum(counted["served"] for counted, _ in every), [text for _, found in every for text in found]
    print(json.dumps({"served": served, "lost": len(lost), "samples": lost[:5]}))


if __name__ == "__main__":
    main()
