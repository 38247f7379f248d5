"""Rules over several keys: what belongs together, what this version cannot do yet, what has no effect."""

from collections.abc import Collection, Mapping
from typing import Any

from exposer.config.model import Standby, Tunnel
from exposer.config.tables import KINDS

Problem = tuple[str, str]  # the key's path, what is wrong with it
Written = Mapping[str, Any]  # what the file says and what could be read, by path

SHORTEST_LEASE = 3.0
NOT_YET = "is not available in this version"

# What exposer cannot do to a backend that it does not run, or runs as a plain process.
NO_EFFECT = {
    "command": ("volumes", "internet", "memory", "pids"),
    "container": ("volumes", "env", "internet", "memory", "pids"),
    "url": ("port", "volumes", "env", "internet", "memory", "pids"),
}

SSH_NEEDS = (
    ("host", 'the server to log in to, such as "server.example.com"'),
    ("user", 'the user on that server, such as "tunnel"'),
    ("remote_port", "the port to listen on there, such as remote_port = 8443"),
    ("url", 'the public address that server has for it, such as "https://api.example.com"'),
)


def problems(written: Written, present: Collection[str]) -> list[Problem]:
    """What is wrong although each value by itself is right.

    `present` has every known key of the file, also those whose value is wrong: they are not missing.
    """
    found = [*_kind(present), *_unavailable(written, present)]
    if "tunnel.provider" in written or "tunnel.provider" not in present:
        found += tunnel_problems(_tunnel(written), present)
    found += _standby(written, present)
    if written.get("limits.allow_from"):
        found += address_problems(str(written.get("tunnel.provider", "local")))
        found += address_problems(str(written.get("tunnel.standby", "")), "tunnel.standby")
    if float(written.get("lease", SHORTEST_LEASE)) < SHORTEST_LEASE:
        found.append(("lease", "should be 3s or longer: a busy machine needs that long to renew it"))
    return [*found, *_upstream_auth(present)]


def notes(written: Written) -> tuple[str, ...]:
    """What a person should know about a file that is right."""
    found: list[str] = []
    kind = next((kind for kind in KINDS if f"backend.{kind}" in written), "")
    if dead := [f"backend.{key}" for key in NO_EFFECT.get(kind, ()) if f"backend.{key}" in written]:
        found.append(f"without effect on a backend given by backend.{kind}: {', '.join(dead)}")
    if written.get("tunnel.tls") and written.get("tunnel.provider", "local") != "local":
        found.append("without effect with this tunnel.provider: tunnel.tls (its callers have TLS anyway)")
    if idle := [key for key in written if key.startswith("standby.") and not written.get("tunnel.standby")]:
        found.append(f"without effect while tunnel.standby names no provider: {', '.join(idle)}")
    if str(written.get("tunnel.url", "")).startswith("http://"):
        found.append("tunnel.url begins with http://, so keys cross the network in the clear; use https://")
    return tuple(found)


def _kind(present: Collection[str]) -> list[Problem]:
    named = [kind for kind in KINDS if f"backend.{kind}" in present]
    if len(named) != 1:
        there = " and ".join(named) if named else "none of them"
        return [("backend", f"should have exactly one of {', '.join(KINDS)}, not {there}")]
    if named != ["url"] and "backend.port" not in present:
        return [("backend.port", "is missing: the port the backend listens on, such as port = 8080")]
    return []


def _upstream_auth(present: Collection[str]) -> list[Problem]:
    if "backend.auth" not in present:
        return []
    examples = {"header": "Authorization", "value": "env:UPSTREAM"}
    return [
        (f"backend.auth.{key}", f'is missing, such as {key} = "{example}"')
        for key, example in examples.items()
        if f"backend.auth.{key}" not in present
    ]


def _unavailable(written: Written, present: Collection[str]) -> list[Problem]:
    """Options that would leave the user less protected than they believe are refused, not passed over."""
    found = []
    if written.get("engine") == "swarm":
        found.append(("engine", f"'swarm' {NOT_YET}; use docker, process or auto"))
    if "oauth" in written.get("auth.methods", ()):
        found.append(("auth.methods", f"'oauth' {NOT_YET}; use api-key, bearer or basic"))
    for door in ("mcp", "privacy"):
        if written.get(f"doors.{door}"):
            found.append((f"doors.{door}", f"{NOT_YET}; leave it out"))
    return found


def _tunnel(written: Written) -> Tunnel:
    return Tunnel(**_table(written, "tunnel"))


def _table(written: Written, name: str) -> dict[str, Any]:
    return {key.removeprefix(f"{name}."): value for key, value in written.items() if key.startswith(f"{name}.")}


def _standby(written: Written, present: Collection[str]) -> list[Problem]:
    """What the second tunnel still needs; its keys are those of `[tunnel]`."""
    provider, first = written.get("tunnel.standby"), written.get("tunnel.provider", "local")
    if not provider:
        return []
    if first == "local":
        return [("tunnel.standby", "has nothing to take over from: a local address cannot be down from outside")]
    if first == provider == "ngrok":
        return [("tunnel.standby", "should be another provider: two agents of ngrok fall together")]
    theirs = [f"tunnel.{key.removeprefix('standby.')}" for key in present if key.startswith("standby.")]
    found = tunnel_problems(Standby(**_table(written, "standby")).tunnel(provider), theirs)
    return [(key.replace("tunnel.", "standby."), text.replace("tunnel.", "standby.")) for key, text in found]


def address_problems(provider: str, key: str = "tunnel.provider") -> list[Problem]:
    """Where nobody that can be believed says who calls, a list of addresses would keep everybody out."""
    if provider not in ("ngrok", "ssh"):
        return []
    return [("limits.allow_from", f"needs the caller's address, which {key} {provider!r} does not tell")]


def tunnel_problems(tunnel: Tunnel, present: Collection[str] = ()) -> list[Problem]:
    """What this tunnel's provider still needs."""
    if bool(tunnel.certificate) != bool(tunnel.key):
        missing = "key" if tunnel.certificate else "certificate"
        return [(f"tunnel.{missing}", "is missing: a certificate and its key belong together")]
    if bool(tunnel.acme_kid) != bool(tunnel.acme_key):
        missing = "acme_key" if tunnel.acme_kid else "acme_kid"
        return [
            (f"tunnel.{missing}", "is missing: an authority that asks for an account wants both, its id and its key")
        ]
    if tunnel.provider == "cloudflared" and tunnel.token and tunnel.credentials:
        return [("tunnel.credentials", "and tunnel.token are two ways to the same tunnel: give one of them")]
    if tunnel.api_token and tunnel.api_token.scheme == "keyring":
        return [("tunnel.api_token", "is for the kill switch, which can read env:NAME and file:PATH only")]
    return [
        (f"tunnel.{key}", f"is missing: {why}")
        for key, why in _needs(tunnel, present)
        if not getattr(tunnel, key) and f"tunnel.{key}" not in present
    ]


def _needs(tunnel: Tunnel, present: Collection[str]) -> tuple[tuple[str, str], ...]:
    """The keys a provider cannot do without, each with its reason."""
    if tunnel.provider == "server":
        return (("hostname", 'the public name of this machine, such as "api.example.com"'),)
    if tunnel.provider == "ssh":
        return () if tunnel.service or "tunnel.service" in present else SSH_NEEDS
    if tunnel.provider != "cloudflared":
        return ()
    if any(getattr(tunnel, key) or f"tunnel.{key}" in present for key in ("token", "credentials")):
        return (("hostname", 'the public name of the tunnel that they are for, such as "api.example.com"'),)
    if tunnel.hostname or "tunnel.hostname" in present:
        return (
            (
                "token",
                "without it, or tunnel.credentials, the address is a random one and not this hostname; "
                'write "env:TUNNEL_TOKEN"',
            ),
        )
    return ()
