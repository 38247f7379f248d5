"""What the filters of `audit` mean. Pure, but for the clock."""

import re
import time
from datetime import datetime

from exposer.cli.show import duration
from exposer.errors import UsageError


def moment(text: str, option: str) -> float:
    """Seconds since 1970 of "24h" (so long ago) or of a time such as 2026-01-31T18:00. Raises UsageError."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        pass
    try:
        return time.time() - duration(text, option)
    except UsageError as error:
        hint = 'so long ago, such as "24h" or "7d", or a time such as 2026-01-31T18:00'
        raise UsageError(f"{option}: {text!r} is no time", hint) from error


def statuses(text: str) -> tuple[int, int]:
    """The range that "404", "4xx", ">=500" or "200-299" mean. Raises UsageError."""
    if match := re.fullmatch(r"([1-5])xx", text.lower()):
        return int(match[1]) * 100, int(match[1]) * 100 + 99
    if match := re.fullmatch(r"([<>]=?)(\d{3})", text):
        number = int(match[2])
        return {
            ">=": (number, 999),
            ">": (number + 1, 999),
            "<=": (0, number),
            "<": (0, number - 1),
        }[match[1]]
    if match := re.fullmatch(r"(\d{3})(?:-(\d{3}))?", text):
        return int(match[1]), int(match[2] or match[1])
    raise UsageError(f"--status: {text!r} is no status", "such as 404, 4xx, >=500 or 200-299")
