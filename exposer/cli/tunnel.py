"""`exposer tunnel`: what is usable here, the program that one needs, and what a provider needs once."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from exposer.cli.show import answer, note, settings, table, talkative
from exposer.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from exposer.config.model import Tunnel
    from exposer.tunnels.binaries import Progress


SWITCHED = 40.0  # within so many seconds another tunnel is open, or is not going to be


class LazyProviders(click.Group):
    """Each provider's set-up, imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["cloudflared", "ngrok", "ssh"]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(ctx):
            return None
        from exposer.cli import tunnel_cloudflared, tunnel_setup
        from exposer.cli.root import add_common

        known = (tunnel_cloudflared.cloudflared, tunnel_setup.ngrok, tunnel_setup.ssh)
        found = next(command for command in known if command.name == name)
        add_common(found)
        return found


@click.group()
def tunnel() -> None:
    """Set up tunnels: what is usable, what is missing."""


@tunnel.command("list")
def list_tunnels() -> None:
    """Show which providers are usable here, and what the others lack."""
    from exposer.tunnels.usable import survey

    first, second = both()
    found = survey(*(tunnel for tunnel in (second, first) if tunnel is not None))
    used = {u.provider: _used_as(u.provider, first, second) for u in found}
    rows = [(u.provider, "yes" if u.usable else "no", u.version or "-", used[u.provider] or "-", u.why) for u in found]
    hints = [f"{u.provider}: {u.hint}" for u in found if not u.usable and u.hint]
    heads = ("PROVIDER", "USABLE", "VERSION", "USED AS", "NOTE")
    text = "\n".join([table(rows, heads), *(["", *hints] if hints else [])])
    answer(text, {"schema": 1, "tunnels": [{**asdict(u), "used_as": used[u.provider] or None} for u in found]})


def _used_as(provider: str, first: "Tunnel | None", second: "Tunnel | None") -> str:
    """By the config at hand."""
    names = [name for name, tunnel in (("first", first), ("standby", second)) if tunnel and tunnel.provider == provider]
    return " and ".join(names)


@tunnel.command()
@click.argument("which", type=click.Choice(["first", "standby"]), metavar="first|standby")
def use(which: str) -> None:
    """Open the first tunnel, or the one that waits, and close the other.

    The second then stays open, over restarts too, until it is down, or until the first is asked for again.
    """
    from exposer import procs
    from exposer.cli.find import places, running_status
    from exposer.control.client import ask
    from exposer.errors import ExposerError, TimeoutExceededError

    found = places(settings().file)
    running_status(found)
    role = "tunnel" if which == "first" else which
    if why := ask(found.control, "use", tunnel=role).get("error"):
        raise ExposerError(str(why), "see: exposer status")

    def is_open() -> bool:
        status = running_status(found)
        return bool((status.get(role) or {}).get("open")) and not status["schema"]["stale"]

    if not procs.wait_until(is_open, SWITCHED, every=0.1):
        raise TimeoutExceededError(f"{which} could not be reached from outside, so it was not opened", "exposer status")
    url = running_status(found).get("public_url") or ""
    answer(url, {"schema": 1, "open": which, "public_url": url or None})


@tunnel.command()
@click.argument("program", metavar="PROGRAM")
@click.option(
    "--sha256", default="", metavar="HEX", help="What it must be: needed for anything but the pinned version."
)
@click.option("--url", default="", metavar="URL", help="Fetch it from there.")
@click.option("--version", "version", default="", metavar="VERSION", help="Another version than the pinned one.")
@click.option("--from", "path", default="", metavar="FILE", help="Take this file instead of fetching one.")
def install(program: str, sha256: str, url: str, version: str, path: str) -> None:
    """Fetch PROGRAM (cloudflared) into exposer's own folder, once its checksum is verified."""
    from exposer.tunnels import binaries

    if program != "cloudflared":
        raise UsageError(
            f"exposer does not fetch {program}", "ngrok publishes no checksums: get it from ngrok's download page"
        )
    source = binaries.chosen(url, sha256, version)
    note(f"{path or source.url}\nSHA-256 must be {source.sha256}")
    with _bar() as show:
        got = binaries.copy(path, show) if path else binaries.download(source, show)
    place = binaries.install(program, got, source)
    answer(place, {"schema": 1, "program": program, "path": place, "version": source.version, "sha256": source.sha256})


class _bar:
    """A progress bar on standard error where somebody sees it."""

    def __enter__(self) -> "Progress":
        import sys

        self._done = 0
        self._hidden = not (talkative() and sys.stderr.isatty())
        self._bar = click.progressbar(length=1, label="fetching", file=sys.stderr, hidden=self._hidden)
        self._bar.__enter__()
        return self._show

    def _show(self, done: int, total: int) -> None:
        self._bar.length = max(total, done, 1)
        self._bar.update(done - self._done)
        self._done = done

    def __exit__(self, *exc: object) -> None:
        self._bar.__exit__(None, None, None)


@tunnel.group(cls=LazyProviders)
def setup() -> None:
    """Walk through what a provider needs once: cloudflared, ngrok or ssh."""


def configured() -> "Tunnel | None":
    """`[tunnel]` of the config at hand, if there is one that is right."""
    return both()[0]


def both() -> "tuple[Tunnel | None, Tunnel | None]":
    """The first tunnel of that config, and the second."""
    from exposer.config.load import find_config, load

    try:
        config = load(find_config(settings().file))
        return config.tunnel, config.second
    except ConfigError:
        return None, None
