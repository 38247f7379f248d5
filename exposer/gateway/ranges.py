"""Whose networks the known callers call from: their published lists, checked before they are believed.

A list only ever closes more: without one nobody passes by its name. The last good one is kept over restarts.
"""

import ipaddress
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from exposer import files
from exposer.errors import ExposerError
from exposer.wire import NoAnswerError, request

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SOURCES: Mapping[str, str] = MappingProxyType({"openai": "https://openai.com/chatgpt-connectors.json"})
# Anthropic announces its network on a page and not as a list to be read.
FIXED: Mapping[str, tuple[str, ...]] = MappingProxyType({"anthropic": ("160.79.104.0/21",)})

DAY, AGAIN = 86_400.0, 600.0  # how long a list is good for, and when a failed attempt is repeated
MOST, LARGEST = 5_000, 1_000_000
WIDEST = {4: 8, 6: 16}
CHANGE = 2.0  # a list that doubles, or loses more than half, is looked at by a person first
_INSIDE = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.168.0.0/16", "224.0.0.0/3", "::/8", "fc00::/7", "fe80::/10", "ff00::/8"),
    )
)


class RangesError(ExposerError):
    """A published list cannot be had or is not believed; the one before stays in force."""

    code = "ranges"


@dataclass(frozen=True, slots=True)
class Known:
    """A list and when it was read (seconds since 1970)."""

    networks: tuple[str, ...]
    at: float


class Ranges:
    """The lists for `limits.allow_from`. `wanted` has names and networks as the config has them."""

    def __init__(self, folder: Path, wanted: Iterable[str], sources: Mapping[str, str] = SOURCES) -> None:
        self.path = folder / "ranges.json"
        self._wanted = tuple(wanted)
        self._sources = {name: url for name, url in sources.items() if name in self._wanted}
        self._retry_at = 0.0
        self._known: tuple[tuple[int, ...], dict[str, Known]] | None = None

    def networks(self) -> tuple[str, ...] | None:
        """Who may call; None when the config names nobody, and so everybody may."""
        if not self._wanted:
            return None
        known = self.known()
        found: list[str] = []
        for word in self._wanted:
            if word in self._sources:
                found += known[word].networks if word in known else ()
            else:
                found += FIXED.get(word, (word,))
        return tuple(dict.fromkeys(found))

    def known(self) -> dict[str, Known]:
        """The lists that are in force; read anew when the file has changed."""
        if not self._sources:
            return {}
        stamp = _stamp(self.path)
        if self._known is None or self._known[0] != stamp:
            self._known = (stamp, {n: k for n, k in _load(self.path).items() if n in self._sources})
        return self._known[1]

    def trouble(self) -> str:
        """Which names let nobody in, as a sentence; "" when all have their list."""
        missing = [name for name in self._sources if name not in self.known()]
        if not missing:
            return ""
        return f"nobody from {' and '.join(missing)} gets in: the list of their networks could not be read yet"

    def due(self, now: float) -> bool:
        known = self.known()
        old = any(name not in known or not 0 <= now - known[name].at < DAY for name in self._sources)
        return old and not now < self._retry_at <= now + AGAIN

    def refresh(self, now: float) -> str:
        """Reads the lists that are due and keeps what is believed. Returns what has changed, "" for nothing.

        Raises RangesError for the first list that could not be renewed; those that could are in force.
        """
        self._retry_at = now + AGAIN
        known, said, problem = self.known(), [], None
        for name, url in self._sources.items():
            before = known.get(name)
            if before is not None and 0 <= now - before.at < DAY:
                continue
            try:
                networks = accept(fetch(url), before.networks if before else ())
            except RangesError as error:
                problem = problem or RangesError(f"the networks of {name}: {error.message}", error.hint)
                continue
            known = {**known, name: Known(networks, now)}
            if before is None or before.networks != networks:
                said.append(f"{name} calls from {len(networks)} networks")
            _save(self.path, known)
        if problem is not None:
            raise problem
        return "; ".join(said)


def fetch(url: str) -> bytes:
    """The text of a list. Raises RangesError."""
    parts = urlsplit(url)
    try:
        answer = request(f"{parts.scheme}://{parts.netloc}", parts.path or "/", timeout=15.0, limit=LARGEST)
    except NoAnswerError as error:
        raise RangesError(error.message) from error
    if answer.status != 200:
        raise RangesError(f"{url} answers {answer.status}")
    return answer.body


def accept(text: bytes, before: tuple[str, ...]) -> tuple[str, ...]:
    """The networks of a list, if it can be believed after the one before. Raises RangesError."""
    try:
        data = json.loads(text)
        found = {_network(entry) for entry in data["prefixes"]}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RangesError(f"the list cannot be read: {(str(error) or type(error).__name__)[:100]}") from None
    if not 0 < len(found) <= MOST:
        raise RangesError(f"the list has {len(found):,} networks")
    for network in found:
        if network.prefixlen < WIDEST[network.version] or any(_overlap(network, inside) for inside in _INSIDE):
            raise RangesError(f"the list has {network} in it, which is no caller's network")
    networks = tuple(str(network) for network in sorted(found, key=lambda n: (n.version, n)))
    if before:
        _check_change(tuple(map(ipaddress.ip_network, before)), tuple(found))
    return networks


def _network(entry: Any) -> Network:
    return ipaddress.ip_network(entry["ipv4Prefix"] if "ipv4Prefix" in entry else entry["ipv6Prefix"])


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _check_change(before: tuple[Network, ...], after: tuple[Network, ...]) -> None:
    """Both how many networks and how many addresses are counted, so that one wide network is not overlooked."""
    sizes = [(len(before), len(after), "networks")]
    for version in (4, 6):
        old, new = (sum(n.num_addresses for n in nets if n.version == version) for nets in (before, after))
        sizes += [(old, new, f"IPv{version} addresses")] if old else []
    for old, new, what in sizes:
        if not old / CHANGE <= new <= old * CHANGE:
            raise RangesError(
                f"the list went from {old:,} to {new:,} {what} at once; the one before stays in force",
                "if that is right, remove ranges.json in the state folder",
            )


def _load(path: Path) -> dict[str, Known]:
    """What was kept; nothing when it is not there or damaged."""
    try:
        lists = json.loads(files.read_private(str(path)))["lists"]
        return {
            str(name): Known(tuple(str(ipaddress.ip_network(n)) for n in kept["networks"]), float(kept["at"]))
            for name, kept in lists.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _save(path: Path, known: Mapping[str, Known]) -> None:
    lists = {name: {"at": each.at, "networks": list(each.networks)} for name, each in known.items()}
    files.swap(str(path), json.dumps({"schema": 1, "lists": lists}).encode())


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        info = path.lstat()
    except OSError:
        return (0,)
    return (info.st_ino, info.st_mtime_ns, info.st_size)
