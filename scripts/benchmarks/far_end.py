"""The other end of a link: callers through it, and when the last byte of an answer came over it. Run in the far
network namespace by the panic benchmark.

far_end.py INTERFACE PORT, and the key as the first line of its standard input: says "flowing" once everything is in
progress, "watching" after "begin"; at the end of its standard input it says when the last packet with data came
(seconds since 1970, by the kernel) and how many bytes came since "begin".
"""

import asyncio
import json
import mmap
import re
import socket
import struct
import sys
from collections.abc import AsyncIterator, Iterator

CALLERS = 32
FLOWING = 2_000_000
LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)")
counted = {"bytes": 0, "last": 0.0, "download": 0, "events": 0, "calls": 0}


class Wire:
    """Notes every packet of an interface from now on, with its time. The kernel does it, into a ring of frames that is
    read at the end (packet_mmap, TPACKET_V2): a program that took each packet as it comes would need a core."""

    SOL_PACKET, RX_RING, VERSION, V2 = 263, 5, 10, 1
    FRAME, BLOCK, BLOCKS = 256, 1 << 16, 512  # bytes, bytes, and how many: 131,072 packets

    def __init__(self, interface: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.setsockopt(self.SOL_PACKET, self.VERSION, self.V2)
        frames = self.BLOCK // self.FRAME * self.BLOCKS
        ring = struct.pack("IIII", self.BLOCK, self.BLOCKS, self.FRAME, frames)
        self._socket.setsockopt(self.SOL_PACKET, self.RX_RING, ring)
        self._ring = mmap.mmap(self._socket.fileno(), self.BLOCK * self.BLOCKS)
        self._socket.bind((interface, 0x0800))

    def packets(self) -> Iterator[tuple[float, int]]:
        """When each came that brought data, and how many bytes of it."""
        for at in range(0, len(self._ring), self.FRAME):
            status, _, kept, mac, _, seconds, nanoseconds = struct.unpack_from("IIIHHII", self._ring, at)
            if not status & 1:
                return
            head = self._ring[at + mac : at + mac + min(kept, 64)]
            if self._ring[at + 42] != socket.PACKET_HOST or len(head) < 50 or head[23] != socket.IPPROTO_TCP:
                continue
            begins = 14 + (head[14] & 15) * 4
            data = int.from_bytes(head[16:18], "big") - (head[14] & 15) * 4 - (head[begins + 12] >> 4) * 4
            if data > 0:
                yield seconds + nanoseconds / 1e9, data
        raise RuntimeError("more packets came than the ring has frames")


async def call(port: int, key: str, path: str, count: str, *, again: bool) -> None:
    """A caller with one connection: reads an answer to its end, or asks again and again on the same connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while True:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-API-Key: {key}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            left = int(LENGTH.search(head)[1]) if again else 1 << 62  # type: ignore[index]  # no length: not our backend
            while left > 0 and (data := await reader.read(min(left, 1 << 16))):
                counted[count] += len(data)
                left -= len(data)
            if left > 0:
                return
            await asyncio.sleep(0.05)
    except (OSError, EOFError):
        return
    finally:
        writer.close()


async def begin(port: int, key: str) -> "list[asyncio.Task[None]]":
    """Everything in progress. Raises TimeoutError."""
    work = [("/download", "download", False), ("/events", "events", False), *[("/small", "calls", True)] * CALLERS]
    callers = [asyncio.create_task(call(port, key, path, count, again=again)) for path, count, again in work]
    async with asyncio.timeout(30):
        while counted["download"] < FLOWING or not counted["events"] or not counted["calls"]:
            await asyncio.sleep(0.005)
    return callers


async def lines() -> AsyncIterator[str]:
    """Of our standard input."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        yield line.decode().strip()


async def main() -> None:
    """One loop for all callers: a thread for each would cost far more than they themselves."""
    interface, port = sys.argv[1], int(sys.argv[2])
    said = lines()
    callers = await begin(port, await anext(said))
    print("flowing", flush=True)
    wire: Wire | None = None
    async for line in said:
        if line == "begin":
            wire = Wire(interface)
            print("watching", flush=True)
    for caller in callers:
        caller.cancel()
    for at, data in wire.packets() if wire else ():
        counted["last"] = at
        counted["bytes"] += data
    print(json.dumps(counted), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
