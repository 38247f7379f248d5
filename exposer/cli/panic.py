"""`exposer panic` as the command tree sees it; the real one is started before any of this is imported."""

import click


@click.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def panic(words: tuple[str, ...]) -> int:
    """Take everything offline now; never asks."""
    from exposer.panic import main

    return main(list(words))
