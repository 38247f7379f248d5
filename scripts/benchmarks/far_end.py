"""The other end of a link: callers through it, and when the last byte of an answer came over it. Run in the far
network namespace by the panic benchmark.

far_end.py INTERFACE PORT KEY: says "flowing" once everything is in progress; at the end of its standard input it says
when the last packet with data came (seconds since 1970, by the kernel) and how many bytes came since "begin".
"""

import http.client
import json
import socket
import struct
import sys
import threading
import time

TIMESTAMPS = 35  # SO_TIMESTAMPNS
CALLERS = 32
FLOWING = 2_000_000
counted = {"bytes": 0, "last": 0.0, "download": 0, "events": 0, "calls": 0}


def watch(interface: str) -> None:
    """Every packet that comes in with data is noted with the kernel's own time."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as wire:
        wire.setsockopt(socket.SOL_SOCKET, TIMESTAMPS, 1)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024 * 1024)
        wire.bind((interface, 0x0800))
        while True:
            head, notes, _, address = wire.recvmsg(64, 64, socket.MSG_TRUNC)
            if address[2] != socket.PACKET_HOST or len(head) < 50 or head[23] != socket.IPPROTO_TCP:
                continue
            begins = 14 + (head[14] & 15) * 4
            data = int.from_bytes(head[16:18], "big") - (head[14] & 15) * 4 - (head[begins + 12] >> 4) * 4
            if data > 0:
                seconds, nanoseconds = struct.unpack("qq", notes[0][2][:16])
                counted["last"] = seconds + nanoseconds / 1e9
                counted["bytes"] += data


def call(port: int, key: str, path: str, count: str, *, again: bool) -> None:
    """A caller with one connection: reads an answer to its end, or asks again and again on the same connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        while True:
            connection.request("GET", path, headers={"X-API-Key": key})
            answer = connection.getresponse()
            while data := answer.read1(65536):
                counted[count] += len(data)
            if not again:
                return
            time.sleep(0.05)
    except (OSError, http.client.HTTPException):
        return


def main() -> None:
    interface, port, key = sys.argv[1], int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else sys.stdin.readline()
    key = key.strip()
    work = [("/download", "download", False), ("/events", "events", False), *[("/small", "calls", True)] * CALLERS]
    threading.Thread(target=watch, args=(interface,), daemon=True).start()
    for path, count, again in work:
        threading.Thread(target=call, args=(port, key, path, count), kwargs={"again": again}, daemon=True).start()
    deadline = time.monotonic() + 30
    while counted["download"] < FLOWING or not counted["events"] or not counted["calls"]:
        if time.monotonic() > deadline:
            sys.exit(f"not everything is in progress: {counted}")
        time.sleep(0.005)
    print("flowing", flush=True)
    for line in sys.stdin:
        if line.strip() == "begin":
            counted["bytes"] = 0
    print(json.dumps(counted), flush=True)


if __name__ == "__main__":
    main()
