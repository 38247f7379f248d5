"""What a tunnel program's log tells, what follows from it, and how to say it without a secret in it."""

import re
from dataclasses import dataclass

from exposer.errors import ConfigError, ExposerError


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a log line says. `kind` is the provider's own word, `text` what to remember."""

    kind: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a tunnel does not work. `fatal`: trying again cannot help; `wait`: not before so many seconds."""

    text: str
    hint: str = ""
    fatal: bool = False
    wait: float = 0.0

    def error(self) -> "TunnelError":
        return TunnelError(self.text, self.hint, fatal=self.fatal, retry_after=self.wait)


class TunnelError(ExposerError):
    """The tunnel did not come up. `fatal`, `retry_after`: whether and when (seconds) to try again."""

    code = "tunnel"

    def __init__(self, message: str, hint: str = "", *, fatal: bool = False, retry_after: float = 0.0) -> None:
        super().__init__(message, hint)
        self.fatal = fatal
        self.retry_after = retry_after


class TunnelConfigError(ConfigError):
    """`[tunnel]` asks for something that cannot be; only a new config helps."""

    fatal = True


_HIDDEN = "…"
_PATTERNS = (
    (re.compile(r"(?i)\b(authtoken\s*(?:is|was)?\s*[:=]\s*)\S+"), r"\1" + _HIDDEN),
    (
        re.compile(r"(?i)\b((?:proxy-)?authorization|set-cookie|cookie)(\s*[:=]\s*)[^\r\n\"]+"),
        r"\1\2" + _HIDDEN,
    ),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s@\"']+@", re.IGNORECASE), r"\1" + _HIDDEN + "@"),
    (re.compile(r"\beyJ[A-Za-z0-9_\-+/=.]{40,}"), _HIDDEN),
)
# ngrok repeats the token in the texts of these errors, in forms that one cannot foresee.
_ECHOES_TOKEN = re.compile(r"ERR_NGROK_10[567]\b")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def redact(text: str, *secrets: str) -> str:
    """One line of a provider's text as it may be shown: no secret, no control character, not endless."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, _HIDDEN)
    if match := _ECHOES_TOKEN.search(text):
        return f"the authtoken was refused ({match.group()})"
    text = text.replace(r"\r\n", " ")
    for pattern, plain in _PATTERNS:
        text = pattern.sub(plain, text)
    return _CONTROL.sub(" ", text).strip()[:1000]
