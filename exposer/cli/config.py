"""`exposer config`: check, show, path."""

import click

from exposer.cli.show import answer, note, settings


@click.group()
def config() -> None:
    """Check and show exposer.toml."""


@config.command()
def check() -> None:
    """Say whether the config is valid; every problem at once."""
    from exposer.config.load import find_config, load

    path = find_config(settings().file)
    loaded = load(path)
    for text in loaded.notes:
        note(f"note: {text}")
    answer(f"{path}: valid", {"schema": 1, "valid": True, "path": str(path), "notes": list(loaded.notes)})


@config.command()
def show() -> None:
    """Show the whole config, defaults filled in, secrets as references."""
    from exposer.config.load import find_config, load
    from exposer.config.show import as_dict, as_toml

    loaded = load(find_config(settings().file))
    answer(as_toml(loaded).rstrip(), {"schema": 1, "path": loaded.path, "config": as_dict(loaded)})


@config.command()
def path() -> None:
    """Print which config file is used."""
    from exposer.config.load import find_config

    found = find_config(settings().file)
    answer(str(found), {"schema": 1, "path": str(found)})
