"""Readers for secrets' places and for the backend's environment; what may be a secret is never repeated."""

import re
from pathlib import Path
from typing import Any

from exposer.config import leaks, values
from exposer.config.leaks import shown
from exposer.config.model import SecretRef
from exposer.config.places import absolute
from exposer.config.values import CONTROL, Place, WrongError, wrong

SCHEMES = ("env", "file", "keyring")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NO_SECRETS = frozenset({"", "true", "false"})
WHERE = '"env:NAME", "file:PATH" or "keyring:NAME"'


def reference(folder: Path, value: Any) -> SecretRef:
    """`"env:NAME"`, `"file:PATH"` or `"keyring:NAME"`. A wrong value is not repeated: it may be it."""
    scheme, colon, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    if not colon or scheme not in SCHEMES:
        raise wrong(f"should say where the secret is: {WHERE}; the secret itself never stands in this file")
    if not name.strip() or CONTROL.search(name):
        raise wrong(f"should have a name after {scheme!r} and the colon, as in {WHERE}")
    if scheme == "env" and not VARIABLE.fullmatch(name):
        raise wrong('should name a variable after "env:", such as "env:UPSTREAM_TOKEN" (letters, digits and _)')
    return SecretRef(scheme, str(absolute(folder, name)) if scheme == "file" else name)


def webhook(folder: Path, value: Any) -> str | SecretRef:
    """An address; or where it is, when whoever knows it may post there."""
    if isinstance(value, str) and value.partition(":")[0] in SCHEMES:
        return reference(folder, value)
    return values.url(value)


def environment(folder: Path, value: Any) -> dict[str, str | SecretRef]:
    """`backend.env`: literals, and references for everything that may be a secret."""
    if not isinstance(value, dict):
        raise wrong(f'should be a table such as {{ LEVEL = "info", TOKEN = "env:MY_TOKEN" }}, not {shown(value)}')
    good: dict[str, str | SecretRef] = {}
    bad: list[tuple[Place, str]] = []
    for name, content in value.items():
        try:
            good[name] = _variable(folder, name, content)
        except WrongError as error:
            bad += [((name,), sentence) for _, sentence in error.parts]
    if bad:
        raise WrongError(*bad)
    return good


def _variable(folder: Path, name: str, content: Any) -> str | SecretRef:
    if not VARIABLE.fullmatch(name):
        raise wrong("is no name for a variable: use letters, digits and _, such as LOG_LEVEL")
    if not isinstance(content, str):
        raise wrong('should be text in quotes, such as "8080" or "true"')
    if content.partition(":")[0] in SCHEMES and ":" in content:
        return reference(folder, content)
    if "\0" in content:
        raise wrong("has a zero byte in it")
    if content not in NO_SECRETS and leaks.secret_name(name):
        raise wrong(f"sounds like a secret: say where it is with {WHERE} instead of its value")
    if leaks.secret_like(content):
        raise wrong(f"has a value that looks like a secret: say where it is with {WHERE} instead")
    return content
