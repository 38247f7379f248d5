"""`exposer up`: bring it online, here in the foreground or detached."""

import click

from exposer.cli.show import answer, interactive, print_error, settings
from exposer.cli.timebox import time_box
from exposer.cli.wish import Wish
from exposer.errors import ExposerError
from exposer.supervisor.timebox import TimeBox

WITHOUT = "to go on without it now, with the calls that schema.include names: exposer up --without-document"


@click.command()
@click.option("-d", "--detach", is_flag=True, help="Return when it is online; it goes on in the background.")
@click.option("--tunnel", metavar="NAME", help="Use this provider instead of the configured one.")
@click.option("--timeout", default="120s", show_default=True, metavar="TIME", help="Give up when not online by then.")
@click.option("--without-document", is_flag=True, help="Go on without the backend's OpenAPI document.")
@time_box
@click.option("--dry-run", is_flag=True, help="Say what it would do; start nothing.")
@click.option("--supervise", is_flag=True, hidden=True, help="Be the background process of --detach.")
def up(
    detach: bool,
    tunnel: str | None,
    timeout: str,
    without_document: bool,
    dry_run: bool,
    supervise: bool,
    box: TimeBox,
) -> int:
    """Bring the exposure online."""
    from exposer.config.load import find_config

    wish = Wish(find_config(settings().file), tunnel, without_document, timeout, box)
    if dry_run:
        from exposer.cli.summary import intentions

        answer(*intentions(wish.config))
        return 0
    wish.prepare()
    try:
        return _bring_up(wish, detach, supervise)
    except ExposerError as error:
        if error.code != "document" or without_document or supervise:
            raise
        if interactive():
            print_error(error, False)
            if click.confirm("Go on without a document? Only calls named in schema.include are published.", err=True):
                words = {"lasts": "", "until": "", "idle": "", "word": box.to_word()}
                again = {"detach": detach, "tunnel": tunnel, "timeout": timeout, "without_document": True, **words}
                return up.callback(dry_run=False, supervise=False, **again)  # type: ignore[misc,no-any-return]
            return error.exit_code
        error.hint = f"{error.hint}\n{WITHOUT}".strip()
        raise


def _bring_up(wish: Wish, detach: bool, supervise: bool) -> int:
    """Each way loads what it needs. The background process is begun before the rest is loaded: it has more to load."""
    if not detach or supervise:
        from exposer.cli import running

        return running.supervise(wish) if supervise else running.foreground(wish)
    from exposer.cli.background import Background

    background = Background(wish.places, wish.argv("--supervise")[3:])
    background.make_ready(wish.config.backend.contained)
    try:
        from exposer.cli.detach import Detached

        return Detached(wish, background).run()
    finally:
        background.give_up()
