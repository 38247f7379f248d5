"""A link of a certain speed to a network namespace of its own, with a real sshd at its far end."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.benchmarks.measure import MissingError
from tests.support.eventually import eventually
from tests.support.sshd import Sshd

NEAR, FAR = "10.231.77.1", "10.231.77.2"
QUEUE, BURST = 0.005, 0.0025  # seconds' worth of bytes that may wait in the shaper, and that it passes at once
LARGEST = 65536  # the largest packet that the kernel leaves for a card to cut up


class Link:
    """`inside` is the beginning of a command that runs at the far end, `interface` the link's end there."""

    def __init__(self, mark: str) -> None:
        self.namespace, self.near, self.interface = f"exp{mark}", f"exn{mark}", f"exf{mark}"
        # What runs there is another machine's work: it takes no processor from this one, unless that is idle.
        self.inside = ["chrt", "--idle", "0", "ip", "netns", "exec", self.namespace]


class FarSshd(Sshd):
    """Listens at the far end of a link; what it forwards can be reached from the near end."""

    def __init__(self, folder: Path, link: Link) -> None:
        super().__init__(folder, address=FAR)
        self._inside = link.inside
        config = folder / "sshd_config"
        config.write_text(config.read_text().replace("GatewayPorts no", "GatewayPorts yes"))

    def start(self) -> "FarSshd":
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        argv = [*self._inside, str(program), "-D", "-e", "-f", str(self.folder / "sshd_config")]
        with (self.folder / "sshd.log").open("ab") as log:
            self._server = subprocess.Popen(argv, stdout=log, stderr=log)
        eventually(self._answers, within=10)
        return self


@contextmanager
def link(bytes_a_second: int) -> Iterator[Link]:
    """Shaped in the direction in which answers leave. Raises MissingError where it cannot be made."""
    if os.geteuid() != 0 or not all(shutil.which(name) for name in ("ip", "tc", "chrt")):
        raise MissingError("a shaped link takes root, and the programs ip, tc and chrt")
    made = Link(os.urandom(3).hex())
    try:
        run("ip", "netns", "add", made.namespace)
        run("ip", "link", "add", made.near, "type", "veth", "peer", "name", made.interface, "netns", made.namespace)
        run("ip", "addr", "add", f"{NEAR}/30", "dev", made.near)
        run("ip", "link", "set", made.near, "up")
        for words in (("addr", "add", f"{FAR}/30", "dev", made.interface), ("link", "set", made.interface, "up")):
            run("ip", "-n", made.namespace, *words)
        run("ip", "-n", made.namespace, "link", "set", "lo", "up")
        # A packet larger than the burst the shaper would cut up itself, into single ones: a fifth of both processors.
        burst, queue = (str(int(bytes_a_second * seconds)) for seconds in (BURST, QUEUE))
        run("ip", "link", "set", made.near, "gso_max_size", str(min(LARGEST, int(burst))))
        rate = ("rate", f"{bytes_a_second * 8}bit", "burst", burst, "limit", queue)
        run("tc", "qdisc", "add", "dev", made.near, "root", "tbf", *rate)
        yield made
    finally:
        for words in (("ip", "link", "del", made.near), ("ip", "netns", "del", made.namespace)):
            subprocess.run(words, capture_output=True, check=False)


def run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingError(f"{' '.join(words)}: {done.stderr.strip()}")
