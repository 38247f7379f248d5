"""`exposer completion`: what a shell needs to complete our commands."""

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for SHELL.

    For bash: exposer completion bash > ~/.local/share/bash-completion/completions/exposer
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101
    click.echo(kind(context.find_root().command, {}, "exposer", "_EXPOSER_COMPLETE").source())
