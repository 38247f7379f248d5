"""The command tree. A command's module is imported only when it is called, so that `--help` stays quick."""

import importlib
from collections.abc import Callable
from typing import Any

import click

from exposer import __version__
from exposer.cli.show import Settings, print_error
from exposer.errors import SYSTEM, ExposerError, UsageError, of_system

COMMANDS = {
    "up": ("exposer.cli.up:up", "Bring the exposure online."),
    "down": ("exposer.cli.down:down", "Take it offline and leave nothing behind."),
    "status": ("exposer.cli.status:status", "Show the phase, the address and each part's health."),
    "url": ("exposer.cli.status:url", "Print the public address and nothing else."),
    "wait": ("exposer.cli.status:wait", "Wait until it is online, offline, or its address has changed."),
    "rotate-key": ("exposer.cli.keys:rotate_key", "Make a new key; the old one ends after a grace."),
    "keys": ("exposer.cli.keys:keys", "List, add and revoke keys."),
    "schema": ("exposer.cli.schema:schema", "Show the published document and its operations."),
    "audit": ("exposer.cli.audit:audit", "Show who called what, and what left; prove that the record is whole."),
    "tunnel": ("exposer.cli.tunnel:tunnel", "Set up tunnels: what is usable, what is missing."),
    "panic": ("exposer.cli.panic:panic", "Take everything offline now; never asks."),
    "unlock": ("exposer.cli.unlock:unlock", "Lift the lock that a panic left."),
    "logs": ("exposer.cli.logs:logs", "Show what the backend, gateway, tunnel, supervisor or hooks wrote."),
    "config": ("exposer.cli.config:config", "Check and show exposer.toml."),
    "completion": ("exposer.cli.completion:completion", "Print the shell completion script."),
}


def _remember(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        context.find_root().ensure_object(Settings).merge(name, value)
        return value

    return callback


def common_options() -> list[click.Parameter]:
    """The global options; every command takes them, so that they may stand before or after its name."""

    def option(*names: str, field: str, **kwargs: Any) -> click.Option:
        return click.Option([*names, f"_{field}"], expose_value=False, callback=_remember(field), **kwargs)

    return [
        option(
            "-f", "--file", field="file", metavar="PATH", help="The config file (default: the nearest exposer.toml)."
        ),
        option("--json", field="json", is_flag=True, help="Answer with one JSON document."),
        option("-q", "--quiet", field="quiet", is_flag=True, help="Say nothing but the answer and errors."),
        option("-v", "--verbose", field="verbose", is_flag=True, help="Say more."),
        option("--no-color", field="no_color", is_flag=True, help="No colour."),
    ]


class LazyGroup(click.Group):
    """Knows its commands by name and imports them on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        add_common(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            import difflib

            guess = difflib.get_close_matches(args[0], COMMANDS, n=1)
            ctx.fail(f"there is no command {args[0]!r}" + (f"; did you mean {guess[0]!r}?" if guess else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def add_common(command: click.Command) -> None:
    """Gives a command, and those in it, the global options."""
    command.context_settings.setdefault("help_option_names", ["-h", "--help"])
    if not any(getattr(p, "name", "") == "_json" for p in command.params):
        taken = {name for parameter in command.params for name in parameter.opts}
        for option in common_options():
            option.opts = [name for name in option.opts if name not in taken]  # `logs -f` means follow
            command.params.append(option)
    if isinstance(command, click.Group):
        for child in command.commands.values():
            add_common(child)


cli = LazyGroup(
    "exposer",
    params=common_options(),
    help="Put a private HTTP API within reach of ChatGPT, Claude and other clients, safely.\n\n"
    "Start with `exposer up` in a folder with an exposer.toml; end everything with `exposer panic`.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
click.version_option(__version__, "-V", "--version", prog_name="exposer")(cli)


def _usage(error: click.ClickException) -> UsageError:
    """What click has against the command line, in our words' style."""
    context = getattr(error, "ctx", None)
    text = error.format_message().rstrip(".")
    return UsageError(text[:1].lower() + text[1:], f"see: {context.command_path if context else 'exposer'} --help")


def main(argv: list[str]) -> int:
    """Runs a command line; the one boundary where errors become text and exit codes."""
    given = Settings()
    try:
        result = cli.main(argv, prog_name="exposer", standalone_mode=False, obj=given)
    except ExposerError as error:
        print_error(error, given.json or "--json" in argv)
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        print_error(_usage(error), given.json or "--json" in argv)
        return 2
    except OSError as error:
        if error.errno not in SYSTEM:
            raise
        told = of_system(error)
        print_error(told, given.json or "--json" in argv)
        return told.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    return result if isinstance(result, int) else 0
