"""A reverse tunnel through OpenSSH: to a server of one's own, whose web server adds the public name and TLS, or to a
service that gives an address."""

import re
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from exposer import procs
from exposer.config.model import Tunnel
from exposer.errors import MissingError, TimeoutExceededError
from exposer.procs import Entry
from exposer.state.model import Look, Record, Tell
from exposer.tunnels.fact import Fact, Fault, TunnelConfigError, TunnelError, redact
from exposer.tunnels.program import PATIENCE, Program, find_program, frozen, lines_of, port_of
from exposer.tunnels.ssh_services import address_in, settled

INSTALL = "install the OpenSSH client: `apt install openssh-client` on Debian or Ubuntu; macOS brings it along"
_HOST = re.compile(r"[A-Za-z0-9:][A-Za-z0-9.:_-]{0,254}")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
# In the state folder: a key that `exposer tunnel setup ssh` has made, for this exposure alone.
OWN_KEY = "ssh_key"
# ssh expands these in file names, or takes what is behind a blank for a second name.
LONGEST_SOCKET = 107
_EXPANDED = re.compile(r"[%$\"'\\\x00-\x20\x7f]")


def argv(binary: str, tunnel: Tunnel, listen: str, known_hosts: str, door: str = "") -> list[str]:
    """The command. Nothing of the user's own ssh config has a say, and a forward that fails ends it."""
    options = (
        *("IdentitiesOnly=yes", "IdentityAgent=none", "BatchMode=yes"),
        *("StrictHostKeyChecking=yes", f"UserKnownHostsFile={known_hosts}", "GlobalKnownHostsFile=/dev/null"),
        *("UpdateHostKeys=no", "CheckHostIP=no"),
        *("ExitOnForwardFailure=yes", "ConnectTimeout=10", "ServerAliveInterval=15", "ServerAliveCountMax=2"),
        *("TCPKeepAlive=yes", "ControlMaster=no", "ControlPath=none", "ControlPersist=no"),
        *("ForwardAgent=no", "ForwardX11=no", "PermitLocalCommand=no"),
        "LogVerbose=ssh.c:ssh_confirm_remote_forward():*",
    )
    identity = ["-i", tunnel.identity] if tunnel.identity else []
    if tunnel.service and not identity:  # a stranger is not shown the user's own keys
        identity = ["-o", "PubkeyAuthentication=no"]
    # A service prints the address in a session, and without one it prints none.
    session = [] if tunnel.service else ["-N"]
    return [
        *(binary, "-F", "/dev/null", *session, "-T", "-n", "-p", str(tunnel.port), *identity),
        *(word for option in options for word in ("-o", option)),
        *(
            "-R",
            forward(tunnel, listen, door),
            "--",
            f"{tunnel.user}@{tunnel.host}" if tunnel.user else tunnel.host,
        ),
    ]


def forward(tunnel: Tunnel, listen: str, door: str = "") -> str:
    """Both ends with their addresses: without them sshd may bind another one and call it a success. Where ssh can name
    it, this end is the gateway's socket."""
    fits = door.startswith("/") and len(door.encode()) <= LONGEST_SOCKET and not _EXPANDED.search(door)
    here = door if fits and ":" not in door else f"127.0.0.1:{port_of(listen)}"
    if tunnel.service:  # theirs to decide where it listens
        return f"{tunnel.remote_port}:{here}"
    return f"127.0.0.1:{tunnel.remote_port}:{here}"


# What a line means, the gravest first: the gravest of all lines is the reason.
_MEANINGS = (
    (
        "host-key-changed",
        re.compile(r"(?i)host identification has changed|host key for .* has changed|revoked host key"),
    ),
    ("host-key-unknown", re.compile(r"host key is known for|Host key verification failed")),
    (
        "options",
        re.compile(r"Bad configuration option|Unsupported option|unknown option|illegal option|^usage: ssh"),
    ),
    (
        "identity",
        re.compile(r"UNPROTECTED PRIVATE KEY|bad permissions|Identity file .* not accessible|Load key "),
    ),
    ("denied", re.compile(r"Permission denied \(|Too many authentication failures")),
    ("port-taken", re.compile(r"remote port forwarding failed|remote forward failure for: listen")),
    (
        "network",
        re.compile(
            r"Connection (refused|timed out|closed|reset)|closed by remote host|Could not resolve"
            r"|No route to host|unreachable|not responding|Broken pipe|kex_exchange_identification|Operation timed out"
        ),
    ),
)
_SUCCESS = re.compile(r"remote forward success for: listen (\S+), connect")


def read_line(line: str) -> Fact | None:
    """What one line of ssh's says: `forwarding` with the far address, or one of the faults."""
    line = line.rstrip("\r\n")
    if match := _SUCCESS.search(line):
        return Fact("forwarding", match.group(1))
    for kind, pattern in _MEANINGS:
        if pattern.search(line):
            return Fact(kind, line)
    return None


def explain(lines: Iterable[str], tunnel: Tunnel) -> Fault | None:
    """The reason why ssh has ended, out of its lines; None when they give none that is known."""
    facts = [fact for line in lines if (fact := read_line(line)) is not None]
    for kind, _ in _MEANINGS:
        said = [fact.text for fact in facts if fact.kind == kind]
        if said:
            return _fault(kind, redact(said[-1]), tunnel)
    return None


def _fault(kind: str, said: str, tunnel: Tunnel) -> Fault:
    server = f"{tunnel.host}:{tunnel.port}"
    match kind:
        case "host-key-changed":
            return Fault(
                f"ALARM: the host key of {server} is not the one that was pinned; nothing was sent to it",
                "somebody may be in between. Ask whoever runs the server whether its key changed, compare "
                "the fingerprints, and only then replace the line in the known_hosts file",
                fatal=True,
            )
        case "host-key-unknown":
            return Fault(f"the known_hosts file has no valid key for {server}", keyscan(tunnel), fatal=True)
        case "options":
            hint = "OpenSSH 8.5 or newer is needed; `ssh -V` tells which one this is"
            return Fault(f"ssh did not understand its options: {said}", hint, fatal=True)
        case "identity":
            hint = "the key file must exist, be readable by you alone (chmod 600) and have no passphrase"
            return Fault(f"ssh cannot use the key {tunnel.identity or 'in ~/.ssh'}: {said}", hint, fatal=True)
        case "denied":
            hint = "put the public key into that user's authorized_keys; the key must have no passphrase"
            return Fault(f"{server} does not let {tunnel.user or 'this user'} in with this key", hint, fatal=True)
        case "port-taken":
            return Fault(
                f"{server} does not give out its port {tunnel.remote_port}: an old connection has it, "
                "another program has it, or the key may not use it",
                "an old connection goes by itself when sshd_config has `ClientAliveInterval 15` and "
                f'`ClientAliveCountMax 2`; the key needs permitlisten="127.0.0.1:{tunnel.remote_port}"',
                wait=10.0,
            )
        case _:
            return Fault(f"no connection to {server}: {said}", "is the server up, and tunnel.host and port right?")


def keyscan(tunnel: Tunnel) -> str:
    """How to pin the server's key."""
    return (
        "`exposer tunnel setup ssh` shows the key and pins it. By hand: make it with "
        f"`ssh-keyscan -p {tunnel.port} {tunnel.host} > FILE`, then compare what "
        "`ssh-keygen -lf FILE` shows with that of `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the "
        "server itself: only if they are equal is it your server. FILE is tunnel.known_hosts, or known_hosts "
        "in the exposure's state folder"
    )


class Ssh(Program):
    """`ssh -R`; the public URL is the one in the config, or the one that the service prints."""

    provider = "ssh"

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        own = self.state / OWN_KEY
        self.tunnel = settled(self.tunnel)
        if not self.tunnel.identity and own.is_file():
            self.tunnel = replace(self.tunnel, identity=str(own))

    def start(self, record: Record, tell: Tell) -> Entry:
        command = self._command()
        tell(f"connecting to {self.tunnel.host}:{self.tunnel.port}")
        marker = forward(self.tunnel, self.listen, self.door)
        entry = self.launch(command, marker, record, {"server": f"{self.tunnel.host}:{self.tunnel.port}"})
        try:
            return self.with_url(entry, self._wait(entry))
        except BaseException:
            self.stop(entry)
            raise

    def look(self, entry: Entry) -> Look:
        if entry.process is None or not entry.process.alive():
            lines = lines_of(entry, final=True)
            fault = explain(lines, self.tunnel) or _unknown(lines)
            return Look(False, False, error=fault.text, fatal=fault.fatal, detail={"wait": fault.wait})
        # A service may change the address while it runs; a long log, or one begun anew, tells it no more.
        if said := self._address(entry):
            entry.detail["url"] = said
        url = str(entry.detail.get("url", ""))
        self.trim(entry)
        if frozen(entry.process):
            return Look(True, False, url, "the ssh process is stopped (frozen); if it stays so it is replaced")
        # ssh ends by itself when the forward fails or the server falls silent: after a minute it is well.
        lasting = time.time() - float(entry.detail.get("at", 0.0)) > 60.0
        healthy = bool(url) and (lasting or bool(self._address(entry)))
        return Look(True, healthy, url, "" if healthy else "ssh is not connected yet")

    def _wait(self, entry: Entry) -> str:
        process = entry.process
        assert process is not None  # noqa: S101
        procs.wait_until(lambda: bool(self._address(entry)) or not process.alive(), PATIENCE, every=0.03)
        if not process.alive():
            lines = lines_of(entry, final=True)
            raise (explain(lines, self.tunnel) or _unknown(lines)).error()
        if url := self._address(entry):
            return url
        what = "name an address" if self.tunnel.service else "confirm the forward"
        raise TimeoutExceededError(f"{self.tunnel.host}:{self.tunnel.port} did not {what} within {PATIENCE:g} s")

    def _address(self, entry: Entry) -> str:
        """The public address, once the far side is there; "" before."""
        if self.tunnel.service:
            return address_in(self.tunnel.service, lines_of(entry))
        wanted = Fact("forwarding", f"127.0.0.1:{self.tunnel.remote_port}")
        there = any(read_line(line) == wanted for line in lines_of(entry, head=True))
        return self.tunnel.url.rstrip("/") if there else ""

    def _command(self) -> list[str]:
        tunnel = self.tunnel
        if not _HOST.fullmatch(tunnel.host):
            raise TunnelConfigError(f"tunnel.host should be a host name or an address, not {tunnel.host!r}")
        if tunnel.user and not _USER.fullmatch(tunnel.user):
            raise TunnelConfigError(f"tunnel.user should be a user's name on the server, not {tunnel.user!r}")
        least = 0 if tunnel.service else 1
        if not 0 < tunnel.port < 65536 or not least <= tunnel.remote_port < 65536:
            raise TunnelConfigError(
                "tunnel.port and tunnel.remote_port should be from 1 to 65535",
                "remote_port is the fixed port on the server that its web server passes requests to",
            )
        if not tunnel.service:
            _check_url(tunnel.url)
        binary = find_program(tunnel.binary, "ssh", "an OpenSSH client", INSTALL)
        if tunnel.identity:
            _check_identity(tunnel.identity)
        return argv(binary, tunnel, self.listen, self._known_hosts(), self.door)

    def _known_hosts(self) -> str:
        path = self.tunnel.known_hosts or str(self.state / "known_hosts")
        if not Path(path).is_file():
            raise MissingError(
                f"the host key of {self.tunnel.host} is not pinned: {path} is not there", keyscan(self.tunnel)
            )
        return _plain_path(path, "known_hosts")


def _check_url(url: str) -> None:
    if not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", url.rstrip("/")):
        raise TunnelConfigError(
            "tunnel.url is missing or not a URL", "it is the public address that the server answers on"
        )


def _unknown(lines: list[str]) -> Fault:
    said = [line for line in lines if line.strip() and not _SUCCESS.search(line)]
    return Fault(f"ssh has ended: {redact(said[-1])}" if said else "ssh has ended and gave no reason")


def _plain_path(path: str, what: str) -> str:
    if _EXPANDED.search(path):
        raise TunnelConfigError(f"tunnel.{what}: ssh would read the path {path!r} in its own way (blank, %, $, quote)")
    return path


def _check_identity(path: str) -> None:
    _plain_path(path, "identity")
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        raise MissingError(f"the key file {path} cannot be read: {error.strerror}", "see tunnel.identity") from error
    if mode & 0o077:
        raise TunnelError(
            f"the key file {path} can be read by others (mode {mode & 0o777:04o}), so ssh will not use it",
            f"chmod 600 {path}",
            fatal=True,
        )
