"""Readers: each takes one value as TOML has it and returns what it means, or raises `WrongError`."""

import ipaddress
import re
from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from exposer.config import leaks, units
from exposer.config.leaks import shown
from exposer.config.model import Rate

Reader = Callable[[Any], Any]

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
ORIGIN = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*)(?::([0-9]{1,5}))?/?")
HOSTNAME = re.compile(
    r"(?=.{1,253}$)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]"
)
# Headers that say how a message is framed or routed; setting them would break or split requests.
FRAMING = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection", "te"}
    | {"trailer", "upgrade", "expect"}
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")  # TRACE would send headers back
CALLERS = ("openai", "anthropic")
TEN_YEARS = 3650 * 86400.0


Place = tuple[str | int, ...]  # where inside a value: names of a table, numbers of a list


class WrongError(ValueError):
    """A value is wrong. `parts` has one (place inside the value, sentence) for each mistake."""

    def __init__(self, *parts: tuple[Place, str]) -> None:
        super().__init__("; ".join(sentence for _, sentence in parts))
        self.parts = parts


def wrong(sentence: str) -> WrongError:
    return WrongError(((), sentence))


def guess(word: object, known: tuple[str, ...]) -> str:
    """` (did you mean 'cloudflared'?)`, or nothing when no known word is near."""
    text = str(word)[:60]
    near = get_close_matches(text, known, 1) or get_close_matches(text.lower(), [k.lower() for k in known], 1)
    real = next((k for k in known if near and k.lower() == near[0].lower()), "")
    return f" (did you mean {real!r}?)" if real else ""


def text(value: Any, what: str = "text in quotes") -> str:
    """One line of text that is not empty."""
    if not isinstance(value, str):
        raise wrong(f"should be {what}, not {shown(value)}")
    if not value.strip():
        raise wrong("is empty: give it a value, or leave the key out")
    if CONTROL.search(value):
        raise wrong("has a control character (a line break, a tab, a zero byte …) in it")
    return value


def argument(value: Any) -> str:
    """A text that may become an argument of a program: one word that is no option."""
    word = text(value)
    if word.startswith("-"):
        raise wrong("must not begin with '-': it would be taken for an option")
    if re.search(r"\s", word):
        raise wrong("must not have a space in it")
    return word


def matching(pattern: str, what: str) -> Reader:
    """A reader of words like this pattern."""

    def read(value: Any) -> str:
        word = argument(value)
        if not re.fullmatch(pattern, word):
            raise wrong(f"should be {what}, not {shown(word)}")
        return word

    return read


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise wrong(f"should be true or false, not {shown(value)}")
    return value


def whole(least: int, most: int, value: Any) -> int:
    """A whole number in a range."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        expected = f"a whole number from {least} to {most}" if least < most else str(least)
        raise wrong(f"should be {expected}, not {shown(value)}")
    return value


def number(least: int, most: int, value: Any) -> float:
    """A number in a range, whole or not."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise wrong(f"should be a number from {least} to {most}, not {shown(value)}")
    return float(value)


def choice(known: tuple[str, ...], value: Any) -> str:
    """One word of a few."""
    if not isinstance(value, str) or value not in known:
        raise wrong(f"should be one of {', '.join(known)}, not {shown(value)}{guess(value, known)}")
    return value


def many(reader: Reader, value: Any) -> tuple[Any, ...]:
    """A list; every element that is wrong is told with its number."""
    if not isinstance(value, list):
        raise wrong(f'should be a list such as ["…"], not {shown(value)}')
    good: list[Any] = []
    bad: list[tuple[Place, str]] = []
    for number, element in enumerate(value):
        try:
            good.append(reader(element))
        except WrongError as error:
            bad += [((number, *place), sentence) for place, sentence in error.parts]
    if bad:
        raise WrongError(*bad)
    return tuple(good)


def choices(known: tuple[str, ...], value: Any) -> tuple[str, ...]:
    """A list of a few words, each once, at least one."""
    words = many(partial(choice, known), value)
    if not words:
        raise wrong(f"is empty: name at least one of {', '.join(known)}")
    return tuple(dict.fromkeys(words))


def duration(value: Any) -> float:
    seconds: float = _unit(units.parse_duration, value)
    if not 0 < seconds <= TEN_YEARS:
        raise wrong(f"should be more than zero and at most ten years, not {shown(value)}")
    return seconds


def never_or_duration(value: Any) -> float:
    """A time, or 0 for "never"."""
    return 0.0 if value == "never" else duration(value)


def callers(value: Any) -> str:
    """Somebody whose networks are known by name, or a network."""
    word = argument(value)
    if word in CALLERS:
        return word
    named = ", ".join(CALLERS)
    try:
        network = str(ipaddress.ip_network(word, strict=False))
    except ValueError:
        other = f"not {shown(word)}{guess(word, CALLERS)}"
        raise wrong(f'should be {named} or a network such as "203.0.113.0/24", {other}') from None
    if "/" in word and network.partition("/")[0] != str(ipaddress.ip_address(word.partition("/")[0])):
        raise wrong(f"{shown(word)} is an address in a network; the network is {network!r}")
    return network


def size(least: int, value: Any) -> int:
    number: int = _unit(units.parse_size, value)
    if not least <= number <= 2**50:
        raise wrong(f"should be from {units.format_size(least)} to 1024TiB, not {shown(value)}")
    return number


def egress(value: Any) -> int:
    number: int = _unit(units.parse_egress, value)
    if not 0 < number <= 2**50:
        raise wrong(f"should be from 1B/h to 1024TiB/h, not {shown(value)}")
    return number


def rate(value: Any) -> Rate:
    found: Rate = _unit(units.parse_rate, value)
    if found.count > 1_000_000:
        raise wrong(f"should be at most a million at a time, not {shown(value)}")
    return found


def _unit(parse: Callable[[object], Any], value: Any) -> Any:
    try:
        return parse(value)
    except ValueError as error:
        raise wrong(str(error)) from None


def header(value: Any) -> str:
    """A header's name: a token of RFC 9110 that does not frame the message."""
    name = text(value)
    if not TOKEN.fullmatch(name) or len(name) > 128:
        raise wrong(f'should be the name of a header such as "X-API-Key", not {shown(name)}')
    if name.lower() in FRAMING:
        raise wrong(f"must not be {name}: that header is needed for the connection itself")
    return name


def key_header(value: Any) -> str:
    """The header callers put their key into; nginx finds it by a variable of letters, digits and dashes."""
    name = header(value)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", name):
        raise wrong(f"should have only letters, digits and '-', such as \"X-API-Key\", not {shown(name)}")
    return name


def origin(value: Any) -> str:
    """`http(s)://host[:port]` and nothing more, returned without a slash at its end."""
    url = text(value)
    example = 'should be http:// or https://, a host and maybe a port, such as "http://127.0.0.1:8080"'
    match = ORIGIN.fullmatch(url)
    if match is None:
        raise wrong(f"{example}; without a user, a path or a query{_said(url)}")
    if match[2] is not None and not 1 <= int(match[2]) <= 65535:
        raise wrong(f"has the port {match[2]}; ports go from 1 to 65535")
    if match[1].startswith("["):
        _check_ipv6(match[1][1:-1], example)
    return url.rstrip("/")


def _check_ipv6(address: str, example: str) -> None:
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        raise wrong(f"{example}; the address in brackets is not IPv6") from None


def _said(url: str) -> str:
    """A URL with a user or a query may carry a secret, so it is not repeated."""
    return "" if "@" in url or "?" in url else f", not {shown(url)}"


def url(value: Any) -> str:
    """Any http(s) URL without a user in it."""
    address = argument(value)
    try:
        parts = urlsplit(address)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fine = False
    if not fine or "@" in parts.netloc:
        raise wrong("should be an address that begins with http:// or https:// and has no user in it")
    return address


def path_on_backend(value: Any) -> str:
    place = argument(value)
    if not place.startswith("/"):
        raise wrong(f'should be a path on the backend such as "/health", not {shown(place)}')
    return place


def hostname(value: Any) -> str:
    name = argument(value)
    if not HOSTNAME.fullmatch(name):
        raise wrong(f'should be a host name alone, such as "api.example.com", not {shown(name)}')
    return name.lower()


def glob(value: Any) -> str:
    """An operation id, a tag, or a method and a path with wildcards."""
    return text(value, what='an operation id, a tag or "METHOD /path/*"')


def call(value: Any) -> tuple[str, ...]:
    """A program and its arguments, or nothing. Everybody here can read arguments: no secret among them."""
    if isinstance(value, str):
        raise wrong('should be a list with the program and each argument, such as ["python3", "app.py"]')
    words = many(_word, value)
    if words and (words[0].startswith("-") or not words[0].strip()):
        raise WrongError(((0,), f"should be a program, not {shown(words[0])}"))
    return words


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise wrong(f"should be text in quotes, not {shown(value)}")
    if "\0" in value:
        raise wrong("has a zero byte in it")
    if leaks.token_like(value):
        raise wrong("looks like a secret, and everybody on this machine can read arguments; give it in backend.env")
    return value
