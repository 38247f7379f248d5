"""A real ACME authority for tests (Debian's pebble), with a DNS server that says every name is this machine."""

import json
import os
import shutil
import socket
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from exposer.tls.authority import LocalAuthority
from tests.support.eventually import eventually
from tests.support.ports import free_port

AVAILABLE = shutil.which("pebble") is not None and shutil.which("pebble-challtestsrv") is not None


class Pebble:
    """`directory` is its address, `ca_file` what its own TLS is known by; it looks at `http_port` for answers."""

    def __init__(self, folder: Path, http_port: int, accounts: dict[str, str] | None = None, life: int = 0) -> None:
        """`accounts` are the keys by id that it demands (EAB); `life` is that of its certificates, in seconds."""
        self.folder = folder
        folder.mkdir(mode=0o700)
        authority = LocalAuthority(folder, "pebble")
        pair = authority.certificate(datetime.now(UTC))
        self.ca_file = str(authority.ca_file)
        port, management = free_port(), free_port()
        self.directory = f"https://127.0.0.1:{port}/dir"
        self._port = port
        self.dns_api = ""  # where its DNS server is told of records
        cert, key = folder / "cert.pem", folder / "key.pem"
        cert.write_text(pair.certificate)
        key.write_text(pair.key.reveal())
        config: dict[str, object] = {
            "listenAddress": f"127.0.0.1:{port}",
            "managementListenAddress": f"127.0.0.1:{management}",
            "certificate": str(cert),
            "privateKey": str(key),
            "httpPort": http_port,
            "tlsPort": free_port(),
        }
        if accounts:
            config |= {"externalAccountBindingRequired": True, "externalAccountMACKeys": accounts}
        if life:
            config["certificateValidityPeriod"] = life
        (folder / "config.json").write_text(json.dumps({"pebble": config}))
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Pebble":
        dns = f"127.0.0.1:{free_port()}"
        self.dns_api = f"http://127.0.0.1:{free_port()}"
        off = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""]
        self._run("pebble-challtestsrv", "-dns01", dns, "-management", self.dns_api.removeprefix("http://"), *off)
        self._run("pebble", "-config", str(self.folder / "config.json"), "-dnsserver", dns)
        eventually(self._answers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._running:
            process.kill()
            process.wait()

    def _answers(self) -> bool:
        """Both of them do: the DNS server is told of records as soon as this is over."""
        return all(_listens(port) for port in (self._port, int(self.dns_api.rpartition(":")[2])))

    def _run(self, *argv: str) -> None:
        env = os.environ | {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "5"}
        with (self.folder / f"{argv[0]}.log").open("wb") as log:
            self._running.append(subprocess.Popen(argv, stdout=log, stderr=log, env=env))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
