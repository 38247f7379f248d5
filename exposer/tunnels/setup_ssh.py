"""What a tunnel over SSH needs once: the server's key pinned, a key of our own, a line for authorized_keys."""

import re
from dataclasses import dataclass
from pathlib import Path

from exposer import files, procs
from exposer.config.model import Tunnel
from exposer.errors import ExposerError, MissingError
from exposer.tunnels.ssh import OWN_KEY

KINDS = "ed25519,ecdsa,rsa"
SECONDS = 10


@dataclass(frozen=True, slots=True)
class HostKey:
    """One key that a server shows: its line for known_hosts, and what a person compares."""

    line: str
    kind: str
    fingerprint: str


class ChangedKeyError(ExposerError):
    """The server shows another key than the one that is pinned."""

    code = "host-key"


def scan(tunnel: Tunnel) -> list[HostKey]:
    """The keys that the server shows now; anybody in between could show others. Raises MissingError."""
    where, hint = f"{tunnel.host}:{tunnel.port}", "is the server up, and are tunnel.host and tunnel.port right?"
    try:
        said = procs.run(
            ["ssh-keyscan", "-T", str(SECONDS), "-t", KINDS, "-p", str(tunnel.port), "--", tunnel.host],
            timeout=SECONDS * 4,
        )
    except FileNotFoundError as error:
        raise MissingError("ssh-keyscan is not on PATH", "install the OpenSSH client") from error
    except TimeoutError as error:
        raise MissingError(
            f"{where} does not show its key in time", "are tunnel.host and tunnel.port right?"
        ) from error
    lines = [line for line in said.out.splitlines() if line and not line.startswith("#")]
    if not lines:
        raise MissingError(f"{where} shows no key", hint)
    return [found for line in lines if (found := _described(line)) is not None]


def _described(line: str) -> HostKey | None:
    said = procs.run(["ssh-keygen", "-l", "-f", "-"], stdin=f"{line}\n".encode())
    match = re.match(r"\d+ (SHA256:\S+) ", said.out)
    parts = line.split()
    return HostKey(line, parts[1], match.group(1)) if match and len(parts) >= 3 else None


def pin(path: Path, keys: list[HostKey], *, replace: bool = False) -> bool:
    """Writes the keys down as the trusted ones; False when they are already. A key of the same host and kind that is
    another one is an alarm, and only replaced when that is asked for."""
    old = files.read_private(str(path)).decode(errors="replace").splitlines() if path.exists() else []
    host = keys[0].line.split()[0]
    known = _known(path, host) if old else {}
    changed = [key for key in keys if known.get(key.kind, key.line).split()[2] != key.line.split()[2]]
    if changed and not replace:
        raise ChangedKeyError(
            f"ALARM: {host} shows another {changed[0].kind} key than the one that is pinned in {path}",
            "somebody may be in between. Ask whoever runs the server; only if its key was changed: --replace",
        )
    if not changed and {key.kind for key in keys} <= known.keys():
        return False
    gone = {known[key.kind] for key in keys if key.kind in known}
    kept = [line for line in old if line not in gone]
    files.swap(str(path), ("\n".join([*kept, *(key.line for key in keys)]) + "\n").encode())
    return True


def _known(path: Path, host: str) -> dict[str, str]:
    """The lines about a host, also where its name is hashed, by the kind of the key."""
    said = procs.run(["ssh-keygen", "-F", host, "-f", str(path)])
    lines = [line for line in said.out.splitlines() if line.strip() and not line.startswith(("#", "@"))]
    return {line.split()[1]: line for line in lines if len(line.split()) >= 3}


def own_key(state: Path, name: str) -> str:
    """The public half of this exposure's own key; it is made when there is none. Raises MissingError."""
    path = state / OWN_KEY
    if not path.exists():
        made = procs.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"exposer-{name}", "-f", str(path)], timeout=30.0
        )
        if made.code != 0:
            raise MissingError(f"ssh-keygen did not make a key: {(made.err or made.out).strip()}")
    return public_half(path)


def public_half(path: Path) -> str:
    """The public key that belongs to a private one without a passphrase."""
    said = procs.run(["ssh-keygen", "-y", "-P", "", "-f", str(path)], timeout=30.0)
    if said.code != 0 or not said.out.strip():
        raise MissingError(f"{path} is no private key without a passphrase", "name another one in tunnel.identity")
    return said.out.strip()


def authorized_line(remote_port: int, public: str) -> str:
    """The line to install on the server: it lets this key forward one port, and do nothing else."""
    rules = f'permitlisten="127.0.0.1:{remote_port}",permitopen="127.0.0.1:1",command="/bin/false"'
    return f"restrict,port-forwarding,{rules} {public}"
