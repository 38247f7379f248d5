"""A network of its own (a namespace of Linux) that can be cut off and mended; sshd and its public side live there."""

import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.eventually import eventually

RELAY = Path(__file__).with_name("relay.py")


def available() -> bool:
    """Whether networks can be made here: root, and the program `ip`, and a kernel that lets us."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        return False
    name = f"exposer-{secrets.token_hex(3)}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode == 0
    if made:
        _ip("netns", "delete", name)
    return made


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Island:
    """`address` is its own, as seen from here; `inside` begins a command that runs there."""

    def __init__(self) -> None:
        mark, net = secrets.token_hex(3), secrets.randbelow(64 * 256)
        self.name, self._near, far = f"exposer-{mark}", f"ex{mark}a", f"ex{mark}b"
        prefix = f"198.18.{net // 64}.{net % 64 * 4}".rsplit(".", 1)  # 198.18/15 is for tests of networks
        here, self.address = (f"{prefix[0]}.{int(prefix[1]) + last}" for last in (1, 2))
        self.inside = ["ip", "netns", "exec", self.name]
        self._relay: subprocess.Popen[bytes] | None = None
        _ip("netns", "add", self.name)
        try:
            _ip("link", "add", self._near, "type", "veth", "peer", "name", far, "netns", self.name)
            _ip("address", "add", f"{here}/30", "dev", self._near)
            _ip("link", "set", self._near, "up")
            for words in (("address", "add", f"{self.address}/30", "dev", far), ("link", "set", far, "up")):
                _ip("-n", self.name, *words)
            _ip("-n", self.name, "link", "set", "lo", "up")
        except BaseException:
            self.close()
            raise

    def publish(self, port: int) -> str:
        """Lets the world reach a port of the island's loopback; returns the address."""
        listen = 20_000 + secrets.randbelow(10_000)
        words = [sys.executable, str(RELAY), self.address, str(listen), str(port)]
        self._relay = subprocess.Popen([*self.inside, *words])
        eventually(lambda: self._listens(listen))
        return f"http://{self.address}:{listen}"

    def cut(self) -> None:
        _ip("link", "set", self._near, "down")

    def mend(self) -> None:
        _ip("link", "set", self._near, "up")

    def close(self) -> None:
        if self._relay is not None:
            self._relay.kill()
            self._relay.wait(60)
        subprocess.run(["ip", "link", "delete", self._near], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True, check=False)

    def _listens(self, port: int) -> bool:
        said = subprocess.run([*self.inside, "ss", "-ltnH", f"sport = :{port}"], capture_output=True, check=False)
        return bool(said.stdout.strip())
