"""Times, sizes and rates as people write them: `"90s"`, `"100k"`, `"50MB/h"`, `"60/min"`, and back again."""

import re

from exposer.config.leaks import shown
from exposer.config.model import Rate

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
BYTES = {
    "b": 1,
    **dict.fromkeys(("k", "kb"), 1000),
    **dict.fromkeys(("m", "mb"), 1000**2),
    **dict.fromkeys(("g", "gb"), 1000**3),
    **dict.fromkeys(("t", "tb"), 1000**4),
    **dict.fromkeys(("ki", "kib"), 1024),
    **dict.fromkeys(("mi", "mib"), 1024**2),
    **dict.fromkeys(("gi", "gib"), 1024**3),
    **dict.fromkeys(("ti", "tib"), 1024**4),
}
PERIODS = {"s": 1, "min": 60, "h": 3600}

A_TIME = 'should be a time such as "90s", "15m", "2h" or "30d"'
A_SIZE = 'should be a size such as "100k", "1MB" or "512MiB"'
A_FLOW = 'should be a size an hour such as "50MB/h"'
A_RATE = 'should be a rate such as "60/min", "5/s" or "1000/h"'


def parse_duration(text: object) -> float:
    """`"90s"` → 90.0: a whole number and s, m, h or d. Raises ValueError."""
    number, unit = _split(text, A_TIME)
    if unit not in SECONDS:
        raise _not(A_TIME, text)
    return float(number * SECONDS[unit])


def parse_size(text: object) -> int:
    """`"100k"` → 100000 bytes; k is 1000, Ki is 1024, capitals or not is the same. Raises ValueError."""
    number, unit = _split(text, A_SIZE)
    if unit.lower() not in BYTES:
        raise _not(A_SIZE, text)
    return number * BYTES[unit.lower()]


def parse_egress(text: object) -> int:
    """`"50MB/h"` → 50000000 bytes an hour. Raises ValueError."""
    if not isinstance(text, str) or not text.endswith("/h"):
        raise _not(A_FLOW, text)
    try:
        return parse_size(text.removesuffix("/h"))
    except ValueError:
        raise _not(A_FLOW, text) from None


def parse_rate(text: object) -> Rate:
    """`"60/min"` → Rate(60, 60): a whole number above zero, and s, min or h. Raises ValueError."""
    number, unit = _split(text, A_RATE, between="/")
    if unit not in PERIODS or number == 0:
        raise _not(A_RATE, text)
    return Rate(number, PERIODS[unit])


def format_duration(seconds: float) -> str:
    """90.0 → `"90s"`, 900.0 → `"15m"`: the largest unit that divides it, but `"60s"` as people write it."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds > 60 and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s" if seconds == int(seconds) else f"{seconds:g}s"


def format_size(size: int) -> str:
    """1000000 → `"1MB"`, 1024**3 → `"1GiB"`: the largest unit that divides it."""
    for unit in ("TiB", "TB", "GiB", "GB", "MiB", "MB", "KiB", "k"):
        if size and size % BYTES[unit.lower()] == 0:
            return f"{size // BYTES[unit.lower()]}{unit}"
    return f"{size}B"


def format_egress(size: int) -> str:
    """50000000 → `"50MB/h"`."""
    return f"{format_size(size)}/h"


def format_rate(rate: Rate) -> str:
    """Rate(60, 60) → `"60/min"`."""
    names = {seconds: name for name, seconds in PERIODS.items()}
    return f"{rate.count}/{names.get(rate.seconds, f'{rate.seconds}s')}"


def _split(text: object, expected: str, between: str = "") -> tuple[int, str]:
    match = re.fullmatch(rf"([0-9]{{1,12}}){between}([A-Za-z]{{1,3}})", text) if isinstance(text, str) else None
    if match is None:
        raise _not(expected, text)
    return int(match[1]), match[2]


def _not(expected: str, text: object) -> ValueError:
    return ValueError(f"{expected}, not {shown(text)}")
