"""What a named Cloudflare tunnel needs once, by cloudflared's own commands, in a folder of our own."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exposer import files, procs
from exposer.errors import ExposerError, MissingError
from exposer.procs import ProcessId
from exposer.tunnels.fact import redact

# How long a person has to log in with the browser (seconds).
LOGIN = 600.0
_NEVER = "0001-01-01"


@dataclass(frozen=True, slots=True)
class Account:
    """How to speak with Cloudflare: the program, and the folder with the certificate that a login leaves."""

    binary: str
    folder: Path

    @property
    def cert(self) -> Path:
        return self.folder / ".cloudflared" / "cert.pem"

    def environment(self) -> dict[str, str]:
        """Nothing of the user's own ~/.cloudflared is read or written."""
        return procs.child_environment({"HOME": str(self.folder)})


@dataclass(frozen=True, slots=True)
class Listed:
    """One tunnel of the account."""

    id: str
    name: str
    connections: int


def account(binary: str, state: Path) -> Account:
    """The account of one exposure. Raises NotPrivateError."""
    made = Account(binary, state / "cloudflare")
    files.private_dir(str(made.cert.parent))
    return made


def log_in(known: Account, tell: Callable[[str], None]) -> None:
    """Lets a person log in with the browser. `tell` gets what cloudflared says, the address to open among it."""
    log, shown = known.folder / "login.log", 0
    files.swap(str(log), b"")
    started: list[ProcessId] = []
    argv = [known.binary, "tunnel", "login"]
    process = procs.spawn(argv, log=str(log), record=started.append, env=known.environment(), cwd=str(known.folder))

    def ended() -> bool:
        nonlocal shown
        lines = log.read_text(errors="replace").splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]
        for line in whole[shown:]:
            tell(line.rstrip())
        shown = len(whole)
        return not process.alive()

    try:
        procs.wait_until(ended, LOGIN, every=0.2)
    finally:
        procs.stop(process)
        ended()
        log.unlink(missing_ok=True)
    if not known.cert.is_file():  # cloudflared ends with 0 also when there was no login
        raise ExposerError("the login did not come to its end: there is no certificate", "try again")


def use_api_token(known: Account, token: str, account_id: str, zone_id: str) -> None:
    """Writes the certificate that a login would have left, with an API token of the user's in it."""
    # A certificate without any zone is not taken; this one is asked for only when a public name is to lead somewhere.
    content = json.dumps({"zoneID": zone_id or "0" * 32, "accountID": account_id, "apiToken": token})
    body = base64.b64encode(content.encode()).decode()
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    text = "\n".join(("-----BEGIN ARGO TUNNEL TOKEN-----", *lines, "-----END ARGO TUNNEL TOKEN-----", ""))
    files.swap(str(known.cert), text.encode())


def create(known: Account, name: str, credentials: Path) -> str:
    """Makes a tunnel and returns its id; its credentials are written to a file. Raises ExposerError."""
    _run(known, "create", "--credentials-file", str(credentials), name)
    found = _tunnel_of(credentials)
    if not found:
        hint = "see: exposer tunnel setup cloudflared --list"
        raise ExposerError("cloudflared made a tunnel and left no credentials", hint)
    credentials.chmod(0o600)
    return found


def route(known: Account, tunnel: str, hostname: str, *, overwrite: bool = False) -> None:
    """Lets the public name lead to the tunnel. Raises ExposerError, also when the name leads elsewhere already."""
    _run(known, "route", "dns", *(["-f"] if overwrite else []), tunnel, hostname)


def tunnels(known: Account) -> list[Listed]:
    """The account's tunnels. Raises ExposerError."""
    try:
        rows: Any = json.loads(_run(known, "list", "--output", "json") or "[]")
        return [
            Listed(str(row["id"]), str(row["name"]), len(row.get("connections") or []))
            for row in rows or []
            if str(row.get("deleted_at") or _NEVER).startswith(_NEVER)
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise ExposerError("cloudflared's list of tunnels could not be read") from error


def clean_up(known: Account, tunnel: str) -> None:
    """Drops the tunnel's connections; a cloudflared that runs comes back by itself. Raises ExposerError."""
    _run(known, "cleanup", tunnel)


def delete(known: Account, tunnel: str) -> None:
    """Deletes the tunnel at Cloudflare, and its credentials here. Raises ExposerError, also while it has connections.

    cloudflared itself removes only those that lie beside its certificate under the tunnel's id.
    """
    _run(known, "delete", tunnel)
    for path in known.folder.glob("*.json"):
        if tunnel in (path.stem, _tunnel_of(path)):
            path.unlink(missing_ok=True)


def _tunnel_of(credentials: Path) -> str:
    try:
        return str(json.loads(credentials.read_bytes())["TunnelID"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _run(known: Account, *words: str) -> str:
    argv = [known.binary, "tunnel", "--origincert", str(known.cert), *words]
    try:
        said = procs.run(argv, timeout=60.0, env=known.environment(), cwd=str(known.folder))
    except TimeoutError as error:
        raise ExposerError("cloudflared got no answer from Cloudflare", "is this machine online?") from error
    if "Incorrect Usage" in said.out:  # which ends with 0
        raise MissingError("this cloudflared does not know the command", "see: exposer tunnel install cloudflared")
    if said.code != 0:
        lines = [line for line in (said.err or said.out).splitlines() if line.strip()]
        why = redact(lines[-1]) if lines else f"it ended with code {said.code}"
        raise ExposerError(f"cloudflared tunnel {words[0]} failed: {why}", _hint(why, known))
    return said.out


def _hint(why: str, known: Account) -> str:
    if "neither the ID nor the name" in why:
        return f"was it deleted elsewhere? Then remove its credentials in {known.folder}, and set it up again"
    if "unauthorized" in why.lower() or "Authentication error" in why:
        return "the login or the API token is not valid for this; log in again with --login"
    if "record with that host already exists" in why or "already in use" in why:
        return "the name leads elsewhere: --overwrite-dns lets it lead here"
    if "already exists" in why:
        return "choose another name with --tunnel-name, or delete the old one with --delete NAME"
    if "active connections" in why:
        return "end what uses it (exposer down), or drop its connections with --cleanup NAME"
    return ""
