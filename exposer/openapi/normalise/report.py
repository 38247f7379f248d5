"""What was mended, and where: places are linked pairs, so that a walk costs nothing until there is a finding."""

from typing import Any

from exposer.openapi.model import Repair

MAX_REPAIRS = 1000
MAX_NAME = 300

# A place in the document: the place above and the key there; None is the root.
Where = tuple[Any, str | int] | None


class Report:
    """Collects repairs, each once, up to a number that a person could still read."""

    def __init__(self) -> None:
        self._found: dict[Repair, None] = {}
        self._more = 0

    def add(self, where: Where, what: str) -> None:
        if len(self._found) < MAX_REPAIRS:
            self._found.setdefault(Repair(pointer(where), what))
        else:
            self._more += 1

    def repairs(self) -> tuple[Repair, ...]:
        rest = (Repair("", f"{self._more:,} more repairs are not listed"),) if self._more else ()
        return (*self._found, *rest)


def names_of(where: Where) -> tuple[str, ...]:
    """The keys from the root to a place."""
    names: list[str] = []
    while where is not None:
        where, key = where
        names.append(str(key))
    return tuple(reversed(names))


def pointer(where: Where) -> str:
    """A place as a JSON pointer, readable: `/paths/~1items/get`."""
    return "".join("/" + name[:MAX_NAME].replace("~", "~0").replace("/", "~1") for name in names_of(where))


def short(value: Any) -> str:
    """A value for a sentence: never long, never over several lines."""
    text = value if isinstance(value, str) else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."
