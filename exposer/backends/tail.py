"""The last lines of what a backend printed, fit for a person's eyes: no secrets, no control characters."""

import re
from collections.abc import Iterable

from exposer.secret import Secret

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def masked(text: str, secrets: Iterable[Secret]) -> str:
    """The text with every secret in it replaced by …, also single lines of a secret that has several."""
    values = {value for secret in secrets for value in (secret.reveal(), *_long_lines(secret.reveal())) if value}
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "…")
    return text


def last_lines(text: str, secrets: Iterable[Secret], lines: int = 20, *, but: str = "") -> str:
    """The last lines, each indented by two, to be put under an error's first line; "" when there are none.

    Lines with `but` in them are our own questions in the backend's access log: they would hide what it has to say.
    """
    kept = [CONTROL.sub("", line).rstrip() for line in masked(text, secrets).replace("\r\n", "\n").split("\n")]
    said = [line for line in kept if line and not (but and but in line)]
    return "\n".join(f"  {line}" for line in said[-lines:])


def _long_lines(value: str) -> list[str]:
    return [line for line in value.splitlines() if len(line) >= 8]
