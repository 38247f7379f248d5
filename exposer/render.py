"""The strict template environment: a misspelt name is an error, never an empty string in an nginx config."""

import functools
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exposer.errors import ConfigError

if TYPE_CHECKING:
    from jinja2 import BaseLoader, Environment


def templates_dir() -> Path:
    """Where our templates are: inside the installed package, or beside it in a checkout."""
    inside = Path(str(resources.files("exposer"))) / "templates"
    return inside if inside.is_dir() else Path(__file__).resolve().parent.parent / "templates"


def environment(overlay: str = "") -> "Environment":
    """The environment for all templates; single files in the folder `overlay` take the place of ours."""
    return _environment(overlay) if overlay else _own()


@functools.cache
def _own() -> "Environment":
    """Ours alone never change while we run, so each is compiled once."""
    return _environment("")


def _environment(overlay: str) -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    folders = [overlay] if overlay else []
    loader: BaseLoader = FileSystemLoader([*folders, str(templates_dir())])
    env = Environment(
        loader=loader,
        undefined=StrictUndefined,
        autoescape=select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters["nginx"] = nginx_quote
    return env


def nginx_quote(value: Any) -> str:
    """A value as one quoted nginx token. nginx cannot escape `$`, so it becomes the variable ${dollar}.

    The template must have `geo $dollar { default "$"; }`. Control characters are refused: nothing that
    needs them belongs into a config.
    """
    text = str(value)
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in text):
        raise ConfigError("a value has a control character and cannot go into the gateway's config")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "${dollar}")
    return f'"{escaped}"'
