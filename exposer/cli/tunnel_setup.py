"""`exposer tunnel setup ngrok` and `… ssh`, and what every set-up needs."""

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exposer.cli.find import not_private, places
from exposer.cli.show import answer, interactive, note, settings
from exposer.errors import UsageError
from exposer.files import NotPrivateError, Places, swap

if TYPE_CHECKING:
    from exposer.config.model import Tunnel
    from exposer.tunnels.setup_ssh import HostKey


def prepared(provider: str) -> "tuple[Places, Tunnel]":
    """The exposure's places, made, and its `[tunnel]` as far as it is of this provider."""
    from exposer.cli.tunnel import configured
    from exposer.config.model import Tunnel

    found = places(settings().file)
    try:
        found.prepare()
    except NotPrivateError as error:
        raise not_private(error) from error
    tunnel = configured()
    return found, tunnel if tunnel is not None and tunnel.provider == provider else Tunnel(provider)


def secret_from(what: str) -> str:
    """A secret, typed unseen or piped in: an argument would be seen by everybody. Raises UsageError."""
    if interactive():
        return str(click.prompt(what, hide_input=True, err=True)).strip()
    said = "" if sys.stdin.isatty() else sys.stdin.read(64 * 1024).strip()
    if not said:
        raise UsageError(f"{what} is needed", "give it on standard input: an argument could be seen by others")
    return said


def show_config(values: Mapping[str, str | int], more: str = "", **facts: str) -> None:
    """The lines for exposer.toml, and whatever else there is to do."""
    lines = ["[tunnel]", *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items())]
    answer("\n".join([*lines, *(["", more] if more else [])]), {"schema": 1, "tunnel": dict(values), **facts})
    note("put these lines into exposer.toml in place of its [tunnel]")


@click.command()
@click.option("--hostname", default="", metavar="HOST", help="A domain of the account, such as name.ngrok.app.")
def ngrok(hostname: str) -> None:
    """Check the agent and keep the account's authtoken, asked for unseen or read from standard input."""
    from exposer.tunnels.ngrok import INSTALL, ageing, agent_version
    from exposer.tunnels.program import find_program, is_downloader

    found, tunnel = prepared("ngrok")
    binary = find_program(tunnel.binary, "ngrok", "the ngrok agent", INSTALL, refuse=is_downloader)
    version = agent_version(binary)
    note(ageing(version) or f"{binary} is ngrok {version or 'of an unknown version'}")
    note("the authtoken is at https://dashboard.ngrok.com/get-started/your-authtoken")
    token = secret_from("the authtoken")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError("that is no ngrok authtoken", "copy it whole from ngrok's dashboard")
    path = Path(found.state, "ngrok.token")
    swap(str(path), token.encode())
    host = hostname or tunnel.hostname
    show_config({"provider": "ngrok", "token": f"file:{path}", **({"hostname": host} if host else {})})


@click.command()
@click.option("--host", default="", metavar="HOST", help="Your server.")
@click.option("--user", default="", metavar="USER", help="The user there.")
@click.option("--port", type=click.IntRange(1, 65535), metavar="PORT", help="Its SSH port (default 22).")
@click.option("--service", type=click.Choice(["localhost.run", "pinggy", "serveo"]), help="A service in its place.")
@click.option("--remote-port", type=click.IntRange(1, 65535), metavar="PORT", help="The port to open on the server.")
@click.option("--url", default="", metavar="URL", help="The public address that the server has for that port.")
@click.option("--fingerprint", default="", metavar="SHA256:…", help="Pin this key, without a question.")
@click.option("--replace", "replacing", is_flag=True, help="Replace a pinned key that has changed.")
def ssh(
    host: str,
    user: str,
    port: int | None,
    service: str | None,
    remote_port: int | None,
    url: str,
    fingerprint: str,
    replacing: bool,
) -> None:
    """Pin the server's host key, make a key of exposer's own, print the line for authorized_keys."""
    from exposer.tunnels import setup_ssh
    from exposer.tunnels.ssh_services import settled

    found, known = prepared("ssh")
    tunnel = replace(
        known,
        host=host or known.host,
        user=user or known.user,
        port=port or known.port,
        service=service or ("" if host else known.service),
        remote_port=remote_port or known.remote_port,
        url=url or known.url,
    )
    far = settled(tunnel)
    for name, value in (("--host", far.host), ("--user", far.user or far.service)):
        if not value or value.startswith("-"):
            raise UsageError(f"{name} is needed", "or write it into exposer.toml")
    if not far.service and not far.remote_port:
        raise UsageError("--remote-port is needed", "a free port of the server's loopback, such as 18080")
    trusted = Path(far.known_hosts or str(Path(found.state, "known_hosts")))
    keys = _trusted(setup_ssh.scan(far), f"{far.host}:{far.port}", fingerprint)
    fresh = setup_ssh.pin(trusted, keys, replace=replacing)
    note(f"{'pinned' if fresh else 'pinned already'} in {trusted}")
    if far.identity:
        public = setup_ssh.public_half(Path(far.identity))
    else:
        public = setup_ssh.own_key(Path(found.state), found.name)
    line = "" if far.service else setup_ssh.authorized_line(far.remote_port, public)
    more = f"# one line for ~{far.user}/.ssh/authorized_keys on {far.host}:\n{line}" if line else ""
    show_config(_lines(tunnel, far), more, authorized_keys=line, fingerprint=keys[0].fingerprint)


def _lines(tunnel: "Tunnel", far: "Tunnel") -> dict[str, str | int]:
    if far.service:
        return {"provider": "ssh", "service": far.service}
    port: dict[str, str | int] = {"port": far.port} if far.port != 22 else {}
    lines: dict[str, str | int] = {"provider": "ssh", "host": far.host, "user": far.user, **port}
    lines["remote_port"] = far.remote_port
    return {**lines, "url": tunnel.url or f"https://{far.host}"}


def _trusted(shown: "list[HostKey]", where: str, fingerprint: str) -> "list[HostKey]":
    """The keys that a person, or a fingerprint that was given, vouches for."""
    if fingerprint:
        same = [key for key in shown if key.fingerprint == fingerprint]
        if not same:
            seen = ", ".join(key.fingerprint for key in shown)
            raise UsageError(
                f"{where} shows no key with that fingerprint, but {seen}", "do not go on before you know why"
            )
        return same
    for key in shown:
        note(f"{where} shows {key.kind} {key.fingerprint}")
    note("on the server itself: for f in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $f; done")
    if not interactive():
        raise UsageError("whether these keys are your server's has to be said", "--fingerprint SHA256:…")
    click.confirm("Are they the same?", abort=True, err=True)
    return shown
