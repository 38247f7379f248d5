"""A key as the gateway knows it: how it is recognised, and what it may take. Pure."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from exposer.config.model import Rate
from exposer.errors import ConfigError
from exposer.keys.model import Key, KeyState
from exposer.openapi.model import Operation
from exposer.openapi.select import speaks_of

DAMAGED = "the record of key {!r} is damaged"


@dataclass(frozen=True, slots=True)
class Passer:
    """A key as the gateway knows it. One that does not pass (a decoy, one that is paused) is recognised, refused and
    logged. `rate` None and `concurrency` 0: those of all keys hold; `operations` None: all that are published. One that
    `is_test` is our own."""

    id: str
    label: str
    check: str
    basic_check: str
    htpasswd: str
    passes: bool
    paused: bool = False
    rate: Rate | None = None
    concurrency: int = 0
    operations: frozenset[str] | None = None
    is_test: bool = False


def passers(keys: Iterable[Key], operations: Collection[Operation], now: float) -> tuple[Passer, ...]:
    """The keys that pass, and those that must be told from wrong ones."""
    told = (KeyState.DECOY, KeyState.SUSPENDED)
    return tuple(_passer(key, operations, now) for key in keys if key.passes(now) or key.state in told)


def kinds(known: Iterable[Passer]) -> tuple[Passer, ...]:
    """One nameless key for each kind of them: what is left when it does not matter whose they are."""
    check, htpasswd = "A" * 22, "{SSHA}" + "A" * 28
    found = dict.fromkeys(replace(p, id="", label="", check=check, basic_check=check, htpasswd=htpasswd) for p in known)
    return tuple(replace(each, id=f"{number:08}") for number, each in enumerate(sorted(found, key=_kind)))


def _kind(passer: Passer) -> str:
    return repr((passer.passes, passer.paused, passer.rate, passer.concurrency, sorted(passer.operations or ())))


def readable(text: str) -> str:
    """An operation's id as it may stand in the config and, between quotation marks, in the log."""
    return re.sub(r'[\x00-\x1f"\\\x7f\ud800-\udfff]', "?", text)[:200]


def may_call(patterns: Collection[str], operation: Operation) -> bool:
    """Whether a key with these patterns may: each is a glob of operation ids, or "METHOD /path/*"."""
    return any(fnmatchcase(operation.id, pattern) or speaks_of(pattern, operation) for pattern in patterns)


def countable(rate: Rate, where: str, hint: str = 'use at least "1/min"') -> Rate:
    """The rate, if nginx can count it. Raises ConfigError."""
    if rate.count < 1 or rate.seconds < 1 or rate.count * 60 // rate.seconds < 1:
        raise ConfigError(f"{where} is slower than one call a minute, which the gateway cannot count", hint)
    return rate


def _passer(key: Key, operations: Collection[Operation], now: float) -> Passer:
    digest = r"[A-Za-z0-9_-]{22}"
    patterns, rate = key.operations, None if key.rate is None else Rate(*key.rate)
    return Passer(
        id=_fit(key, key.id, r"[a-z0-9]{8}"),
        label=key.label,
        check=_fit(key, key.check, digest),
        basic_check=_fit(key, key.basic_check, digest),
        htpasswd=_fit(key, key.htpasswd, r"\{SSHA\}[A-Za-z0-9+/=]{28,200}"),
        passes=key.passes(now),
        paused=key.state is KeyState.SUSPENDED,
        rate=None
        if rate is None
        else countable(rate, f"the rate of key {key.label}", f"end it: exposer keys revoke {key.label}"),
        concurrency=min(65535, key.concurrency),
        operations=frozenset(readable(op.id) for op in operations if may_call(patterns, op)) if patterns else None,
    )


def _fit(key: Key, value: str, shape: str) -> str:
    if not re.fullmatch(shape, value):
        raise ConfigError(DAMAGED.format(key.id))
    return value
