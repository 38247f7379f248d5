"""Finds `exposer.toml` and reads it into a Config, or tells every problem in it at once, with its line."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from exposer.config import leaks, model, rules
from exposer.config.find import FILE, MAKE_ONE, here, locate
from exposer.config.leaks import shown
from exposer.config.lines import Lines
from exposer.config.model import Config
from exposer.config.tables import KINDS, PROVIDERS, TOP, Table, tables
from exposer.config.values import Place, WrongError, guess
from exposer.errors import ConfigError

LARGEST = 256 * 1024
CHECK_AGAIN = 'mend what is named above, then look again with "exposer config check"'

SECTIONS: Mapping[str, Any] = {
    "tunnel": model.Tunnel,
    "standby": model.Standby,
    "auth": model.Auth,
    "schema": model.Schema,
    "limits": model.Limits,
    "panic": model.Panic,
    "doors": model.Doors,
    "notify": model.Notify,
    "hooks": model.Hooks,
    "audit": model.Audit,
    "gateway": model.Gateway,
}


def find_config(explicit: str | None = None) -> Path:
    """The file named with -f, else by $EXPOSER_FILE, else the nearest exposer.toml going up from here."""
    return Path(locate(explicit))


def load(path: Path) -> Config:
    """Reads a config file. Raises ConfigError with every problem in it."""
    path = Path(os.path.normpath(Path(here()) / path))
    return parse(_read(path), path)


def parse(text: str, path: Path) -> Config:
    """What the text of the config file at `path` (absolute) means. Raises ConfigError like `load`."""
    draft = Draft(path.name, text, tables(path.parent))
    draft.read((), _toml(text, path.name))
    for key, sentence in rules.problems(draft.written, draft.present):
        draft.problem(tuple(key.split(".")), sentence)
    if "name" not in draft.present:
        draft.problem(("name",), 'is missing, such as name = "my-api"')
    if draft.problems:
        raise _error(path.name, [sentence for _, sentence in sorted(draft.problems, key=lambda found: found[0])])
    return _config(draft.written, path)


def with_provider(config: Config, provider: str) -> Config:
    """The same exposure over another tunnel, for `--tunnel`. Raises ConfigError when settings are missing."""
    from dataclasses import replace

    label = Path(config.path).name or FILE
    if provider not in PROVIDERS:
        known = f"should be one of {', '.join(PROVIDERS)}, not {shown(provider)}{guess(provider, PROVIDERS)}"
        raise _error(label, [f"{label}: tunnel.provider: {known}"])
    tunnel = replace(config.tunnel, provider=provider, standby="")
    unknown = rules.address_problems(provider) if config.limits.allow_from else []
    if found := [*rules.tunnel_problems(tunnel), *unknown]:
        raise _error(label, [f"{label}: {key}: {sentence}" for key, sentence in found])
    return replace(config, tunnel=tunnel)


class Draft:
    """What has been read so far: the values that are right, the keys that are there, the problems by line."""

    def __init__(self, label: str, text: str, known: Mapping[str, Table]) -> None:
        self.label = label
        self.known = known
        self.lines = Lines(text)
        self.written: dict[str, Any] = {}
        self.present: set[str] = set()
        self.problems: list[tuple[int, str]] = []

    def problem(self, path: Place, sentence: str) -> None:
        line = self.lines.of(tuple(key for key in path if isinstance(key, str)))
        self.problems.append((line, f"{self.label}:{line}: {dotted(path)}: {sentence}"))

    def read(self, table: tuple[str, ...], content: Any) -> None:
        """Reads one table and the tables in it."""
        if not isinstance(content, dict):
            self.problem(table, f"should be a table such as [{dotted(table)}], not {shown(content)}")
            return
        readers = self.known[".".join(table)]
        for key, value in content.items():
            path = (*table, key)
            name = ".".join(path)
            if "." not in key and name in self.known and name != TOP:
                self.present |= {name} if isinstance(value, dict) else set()
                self.read(path, value)
            elif key in readers:
                self.present.add(name)
                self._value(path, readers[key], value)
            else:
                self.problem(path, self._unknown(table, key))

    def _value(self, path: tuple[str, ...], reader: Any, value: Any) -> None:
        try:
            self.written[".".join(path)] = reader(value)
        except WrongError as error:
            for place, sentence in error.parts:
                self.problem((*path, *place), sentence)

    def _unknown(self, table: tuple[str, ...], key: str) -> str:
        """There is no such key: tells the nearest one, the same one in another table, or all there are."""
        here = ".".join(table)
        inner = (name.rpartition(".") for name in self.known if name)
        keys = (*self.known[here], *(last for outer, _, last in inner if outer == here))
        if near := guess(key, keys):
            return f"there is no such key{near}"
        if key in self.known[TOP]:
            return f"there is no such key here (did you mean {key!r}? It stands above the first [table])"
        if other := [f"{name}.{key}" for name, readers in self.known.items() if key in readers]:
            return f"there is no such key here (did you mean {' or '.join(map(repr, other))}?)"
        return f"there is no such key; there are {', '.join(keys)}"


def dotted(path: Place) -> str:
    """A path the way an error shows it: `backend.volumes[1]`; odd keys are quoted."""
    text = ""
    for key in path:
        plain = isinstance(key, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,60}", key) and not leaks.secret_like(key)
        text += f"[{key}]" if isinstance(key, int) else f".{key if plain else shown(key)}"
    return text.lstrip(".")


def _config(written: Mapping[str, Any], path: Path) -> Config:
    def of(table: str) -> dict[str, Any]:
        found = ((key.rpartition("."), value) for key, value in written.items())
        return {last: value for (outer, _, last), value in found if outer == table}

    backend = of("backend")
    backend["kind"] = next(kind for kind in KINDS if kind in backend)
    backend["env"] = MappingProxyType(backend.get("env", {}))
    if auth := of("backend.auth"):
        backend["auth"] = model.UpstreamAuth(**auth)
    if backend["kind"] == "command":
        backend["cwd"] = str(path.parent)
    sections = {name: made(**of(name)) for name, made in SECTIONS.items()}
    notes = rules.notes(written)
    return Config(**of(TOP), backend=model.Backend(**backend), path=str(path), notes=notes, **sections)


def _toml(text: str, label: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error).partition(" (at ")[0]
        place = re.search(r"line (\d+), column (\d+)", str(error))
        line = int(place[1]) if place else text.count("\n", 0, len(text.rstrip())) + 1
        column = f" at column {place[2]}" if place else ""
        raise _error(label, [f"{label}:{line}: is not valid TOML{column}: {said[:1].lower()}{said[1:]}"]) from None
    except RecursionError:
        raise _error(label, [f"{label}:1: is not valid TOML: lists or tables are nested far too deep"]) from None
    except ValueError:
        raise _error(label, [f"{label}:1: is not valid TOML: a number or a date in it is out of range"]) from None


def _error(label: str, problems: list[str]) -> ConfigError:
    many = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
    return ConfigError("\n".join((f"{label} has {many}", *problems)), CHECK_AGAIN, tuple(problems))


def _read(path: Path) -> str:
    try:
        if not path.is_file():
            raise ConfigError(f"{path}: there is no such file", MAKE_ONE)
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no usable path"
        raise ConfigError(f"{shown(str(path))}: cannot be read: {why}", MAKE_ONE) from None
    if len(data) > LARGEST:
        raise _error(path.name, [f"{path.name}:1: is larger than {LARGEST // 1024} KiB, which is no config"])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _error(path.name, [f"{path.name}:{line}: is not UTF-8 text"]) from None
