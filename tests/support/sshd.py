"""A real sshd on loopback, run as the current user, with keys made for the occasion."""

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.eventually import eventually
from tests.support.ports import free_port

AVAILABLE = bool(shutil.which("ssh") and shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin"))


def keygen(path: Path) -> Path:
    """A new key pair without a passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


class Sshd:
    """A server that lets our key forward one port of loopback, and nothing else."""

    def __init__(
        self,
        folder: Path,
        remote_port: int = 0,
        command: str = "/bin/false",
        address: str = "127.0.0.1",
        inside: Sequence[str] = (),
    ) -> None:
        """`inside` begins a command that runs in another network."""
        self._inside = inside
        self.command = command
        self.address = address
        self.folder = folder
        self.port = free_port()
        self.remote_port = remote_port or free_port()
        self.user = getpass.getuser()
        self.identity = keygen(folder / "client_key")
        self.known_hosts = folder / "known_hosts"
        self._server: subprocess.Popen[bytes] | None = None
        self.new_host_key()
        self.pin()
        self._write()

    def new_host_key(self) -> None:
        """Another host key, as a server has that was set up anew, or one in between."""
        for name in ("host_key", "host_key.pub"):
            (self.folder / name).unlink(missing_ok=True)
        keygen(self.folder / "host_key")

    def pin(self) -> None:
        """Makes the present host key the trusted one."""
        kind, key = (self.folder / "host_key.pub").read_text().split()[:2]
        self.known_hosts.write_text(f"[{self.address}]:{self.port} {kind} {key}\n")

    def _write(self) -> None:
        listen = f"127.0.0.1:{self.remote_port}" if self.command == "/bin/false" else f"{self.remote_port}"
        rules = f'permitlisten="{listen}",permitopen="127.0.0.1:1",command="{self.command}"'
        public = (self.folder / "client_key.pub").read_text().strip()
        (self.folder / "authorized_keys").write_text(f"restrict,port-forwarding,{rules} {public}\n")
        (self.folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress {self.address}\nHostKey {self.folder}/host_key\n"
            f"AuthorizedKeysFile {self.folder}/authorized_keys\nStrictModes no\nUsePAM no\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n"
            f"PidFile {self.folder}/sshd.pid\nGatewayPorts no\n"
            "ClientAliveInterval 15\nClientAliveCountMax 2\n"
        )

    def start(self) -> "Sshd":
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        assert program
        with (self.folder / "sshd.log").open("ab") as log:
            self._server = subprocess.Popen(
                [*self._inside, program, "-D", "-e", "-f", str(self.folder / "sshd_config")], stdout=log, stderr=log
            )
        eventually(self._answers)
        return self

    def sessions(self) -> list[int]:
        """The processes of the connections that are there now."""
        assert self._server is not None
        pid = self._server.pid
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    @property
    def pid(self) -> int:
        assert self._server is not None
        return self._server.pid

    def stop(self) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server.wait(60)
            self._server = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.address, self.port), timeout=1) as probe:
                return probe.recv(4) == b"SSH-"
        except OSError:
            return False

    def __enter__(self) -> "Sshd":
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()
