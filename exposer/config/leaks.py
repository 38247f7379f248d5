"""Tells what looks like a secret, so that it is neither taken as a literal nor repeated in an error."""

import math
import re
from collections import Counter
from itertools import pairwise

SECRET_NAMES = re.compile(
    r"TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|SIGNING_?KEY|ENCRYPTION_?KEY"
    r"|CREDENTIAL|(?:^|_)PASS$|(?:^|_)PAT$|(?:^|_)JWT$",
    re.IGNORECASE,
)

# How the tokens of well-known services begin, and our own.
PREFIXES = re.compile(
    r"sk-|[sr]k_(?:live|test)_|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|eyJ|AKIA|ASIA|AIza|ya29\.|hf_|npm_|pypi-"
    r"|dckr_pat_|whsec_|exp_|-----BEGIN "
)
SHORTEST = 8  # `sk-SK` is a language
URL_PASSWORD = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
LONG_RUNS = (re.compile(r"[A-Za-z0-9]{32,}"), re.compile(r"[A-Za-z0-9+/_-]{32,}"))
BITS = 3.0  # for each character; hexadecimal digits have almost 4, repetitions fewer
CHANGES = 0.4
MAX_SHOWN = 60


def secret_name(name: str) -> bool:
    """Whether a variable of this name usually holds a secret. `…_FILE` names a file, which is no secret."""
    return SECRET_NAMES.search(name) is not None and not name.upper().endswith("_FILE")


def token_like(text: str) -> bool:
    """Whether the text is, or has in it, a known kind of token or a URL with a password."""
    words = re.split(r"[\s=:,;'\"]+", text)
    known = any(len(word) >= SHORTEST and PREFIXES.match(word) for word in words)
    return known or "-----BEGIN " in text or URL_PASSWORD.search(text) is not None


def secret_like(text: str) -> bool:
    """Whether the text is `token_like`, or has a long run of what nobody would type."""
    return token_like(text) or any(_random(run) for runs in LONG_RUNS for run in runs.findall(text))


def _random(run: str) -> bool:
    """Words and paths are long too, but they seldom change between small letters, capitals and digits."""
    kinds = ["0" if char.isdigit() else "a" if char.islower() else "A" for char in run if char.isalnum()]
    changes = sum(one != next_ for one, next_ in pairwise(kinds))
    bits = -sum(n / len(run) * math.log2(n / len(run)) for n in Counter(run).values())
    mixed = run.isalnum() and "0" in kinds and len(set(kinds)) > 1
    restless = changes >= len(run) * CHANGES and (run.isalnum() or len(set(kinds)) == 3)
    return bits >= BITS and (mixed or restless)


def shown(value: object) -> str:
    """A value the way an error may repeat it: short, on one line, and never when it looks like a secret."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        if secret_like(value):
            return "a value that looks like a secret"
        return repr(value) if len(value) <= MAX_SHOWN else f"a text of {len(value)} characters"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**18 else "a number that large"
    if isinstance(value, float):
        return str(value)
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, dict):
        return "a table"
    return "a date or time" if value is not None else "nothing"
