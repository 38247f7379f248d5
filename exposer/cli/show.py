"""What a person sees: answers on standard output, everything else on standard error, no colour without a terminal."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import click

from exposer.errors import ConfigError, ExposerError, UsageError


class Settings:
    """The global options, wherever they stood on the command line."""

    def __init__(self) -> None:
        self.file: str | None = None
        self.json = False
        self.quiet = False
        self.verbose = False
        self.no_color = False

    def merge(self, name: str, value: Any) -> None:
        if value:
            setattr(self, name, value)


def settings() -> Settings:
    """The settings of the command that runs."""
    found = click.get_current_context().find_root().obj
    assert isinstance(found, Settings)  # noqa: S101
    return found


def answer(text: str, data: Mapping[str, Any] | None = None) -> None:
    """The command's answer: text, or with --json one document."""
    if settings().json:
        import json

        print(json.dumps(data if data is not None else {"schema": 1}, ensure_ascii=False))
    elif text:
        print(text)


def talkative() -> bool:
    """Whether anything is said beside the answer. With --json an error then is all that stands on standard error."""
    return settings().verbose or not (settings().quiet or settings().json)


def note(text: str) -> None:
    """Something beside the answer; what is done goes on when nobody can read it, as with the terminal gone."""
    if talkative():
        with suppress(OSError):
            click.echo(text, err=True, color=None if colour_wanted(sys.stderr) else False)


def colour_wanted(stream: Any) -> bool:
    return stream.isatty() and not settings().no_color and not os.environ.get("NO_COLOR")


def interactive() -> bool:
    """Whether a question can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty() and not settings().json


def duration(text: str, option: str) -> float:
    """Seconds of a time such as "90s"; "0" is none. Raises UsageError."""
    from exposer.config.units import parse_duration

    try:
        return 0.0 if text in ("0", "0s") else parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error


def print_error(error: ExposerError, as_json: bool) -> None:
    """The one place where an error is shown."""
    if as_json:
        import json

        said: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint}
        if isinstance(error, ConfigError) and error.problems:
            said["problems"] = list(error.problems)
        print(json.dumps({"schema": 1, "error": said}, ensure_ascii=False), file=sys.stderr)
        return
    lines = error.message.splitlines() or [""]
    print("error: " + "\n  ".join(lines), file=sys.stderr)
    for line in error.hint.splitlines():
        print(f"  {line}", file=sys.stderr)


def table(rows: Sequence[tuple[str, ...]], heads: tuple[str, ...]) -> str:
    """Columns, aligned."""
    lines = [heads, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
