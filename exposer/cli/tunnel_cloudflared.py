"""`exposer tunnel setup cloudflared`: a named tunnel by a login, by an API token, or by a token from the dashboard."""

import re
from pathlib import Path

import click

from exposer.cli.show import answer, interactive, note, table
from exposer.cli.tunnel_setup import prepared, secret_from, show_config
from exposer.errors import MissingError, UsageError
from exposer.files import Places, swap
from exposer.tunnels import setup_cloudflared as setting
from exposer.tunnels.cloudflared import INSTALL
from exposer.tunnels.cloudflared_named import HOSTNAME, plain_hostname, token_fault
from exposer.tunnels.program import find_program, is_downloader


@click.command()
@click.option("--hostname", default="", metavar="HOST", help="The public name, in a zone of your Cloudflare account.")
@click.option("--tunnel-name", default="", metavar="NAME", help="What the tunnel is called (default: exposer-NAME).")
@click.option("--token", is_flag=True, help="Keep a token from the dashboard, asked for unseen or from standard input.")
@click.option("--api-token", is_flag=True, help="Use an API token in place of a login; with --account and --zone.")
@click.option("--account", default="", metavar="ID", help="The account's id, for --api-token.")
@click.option("--zone", default="", metavar="ID", help="The zone's id, for --api-token and the public name.")
@click.option("--login", is_flag=True, help="Log in anew.")
@click.option("--overwrite-dns", is_flag=True, help="Let the public name lead here although it leads elsewhere.")
@click.option("--list", "listing", is_flag=True, help="Only list the account's tunnels.")
@click.option("--cleanup", default="", metavar="NAME", help="Only drop the connections of a tunnel.")
@click.option("--delete", default="", metavar="NAME", help="Only delete a tunnel at Cloudflare.")
def cloudflared(
    hostname: str,
    tunnel_name: str,
    token: bool,
    api_token: bool,
    account: str,
    zone: str,
    login: bool,
    overwrite_dns: bool,
    listing: bool,
    cleanup: str,
    delete: str,
) -> None:
    """Log in, make a tunnel, let a public name lead to it; or keep a tunnel's token."""
    found, tunnel = prepared("cloudflared")
    if token:
        _keep_token(found, _hostname(hostname or tunnel.hostname))
        return
    binary = find_program(tunnel.binary, "cloudflared", "cloudflared", INSTALL, refuse=is_downloader)
    known = setting.account(binary, Path(found.state))
    if api_token:
        if not re.fullmatch(r"[0-9a-f]{32}", account) or not re.fullmatch(r"[0-9a-f]{32}|", zone):
            raise UsageError("--account and --zone are ids of 32 hex digits", "the dashboard shows both of a zone")
        setting.use_api_token(known, secret_from("the API token"), account, zone)
    elif login or not known.cert.is_file():
        _log_in(known)
    if listing or cleanup or delete:
        _manage(known, cleanup, delete)
        return
    host, name = _hostname(hostname or tunnel.hostname), tunnel_name or f"exposer-{found.name}"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", name):
        raise UsageError(f"{name!r} is no name for a tunnel", "use letters, digits, '.', '_' and '-'")
    credentials = known.folder / f"{name}.json"
    if credentials.is_file():
        note(f"the tunnel {name} is there already")
    else:
        note(f"made the tunnel {name}: {setting.create(known, name, credentials)}")
    if api_token and not zone:
        note(f"without --zone the DNS is yours: a CNAME from {host} to the tunnel's id and .cfargotunnel.com")
    else:
        setting.route(known, name, host, overwrite=overwrite_dns)
        note(f"{host} leads to it")
    show_config({"provider": "cloudflared", "hostname": host, "credentials": f"file:{credentials}"})


def _log_in(known: setting.Account) -> None:
    if not interactive():
        raise MissingError(
            "there is no login with Cloudflare yet, and it takes a person with a browser",
            "run this on a terminal, or give an API token with --api-token, or a tunnel's token with --token",
        )
    known.cert.unlink(missing_ok=True)  # with one there, cloudflared refuses a login, and ends with 0
    setting.log_in(known, note)


def _keep_token(found: Places, host: str) -> None:
    note("the token is in the dashboard: Zero Trust, Networks, Tunnels, your tunnel, Configure")
    text = secret_from("the tunnel's token")
    if fault := token_fault(text):
        raise UsageError(f"that is no tunnel's token: {fault}")
    path = Path(found.state, "cloudflared.token")
    swap(str(path), text.encode())
    more = "# in the dashboard, let the public hostname lead to what `exposer up` names, http://127.0.0.1:PORT"
    show_config({"provider": "cloudflared", "hostname": host, "token": f"file:{path}"}, more)


def _manage(known: setting.Account, cleanup: str, delete: str) -> None:
    for name in (cleanup, delete):
        if name.startswith("-"):
            raise UsageError(f"{name!r} is no tunnel's name")
    if cleanup:
        setting.clean_up(known, cleanup)
        note(f"dropped the connections of {cleanup}; a cloudflared that still runs connects again")
    if delete:
        setting.delete(known, delete)
        note(f"deleted {delete}")
    rows = setting.tunnels(known)
    shown = [(row.name, row.id, str(row.connections)) for row in rows]
    data = [{"name": row.name, "id": row.id, "connections": row.connections} for row in rows]
    heads = ("NAME", "ID", "CONNECTIONS")
    answer(table(shown, heads) if rows else "the account has no tunnels", {"schema": 1, "tunnels": data})


def _hostname(text: str) -> str:
    if not text and interactive():
        text = str(click.prompt("The public name, such as api.example.com", err=True))
    host = plain_hostname(text)
    if not HOSTNAME.fullmatch(host):
        raise UsageError("--hostname is needed: the public name, such as api.example.com")
    return host
