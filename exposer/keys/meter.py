"""What each key has taken within the last hour, minute by minute, and who has taken too much. No clock, no files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

HOUR, MINUTE = 3600, 60


@dataclass
class Meter:
    """Bytes by key and minute. `last_used` is the time of each key's last call, `begun` of its first since we count."""

    minutes: dict[str, dict[int, int]] = field(default_factory=dict)
    last_used: dict[str, float] = field(default_factory=dict)
    begun: dict[str, float] = field(default_factory=dict)

    def take(self, key_id: str, at: float, size: int) -> None:
        """Counts one call, or the sum of a minute; in seconds since 1970 and bytes."""
        minute = int(at) // MINUTE
        taken = self.minutes.setdefault(key_id, {})
        taken[minute] = taken.get(minute, 0) + size
        self.last_used[key_id] = max(at, self.last_used.get(key_id, at))
        self.begun.setdefault(key_id, at)

    def taken(self, key_id: str, now: float) -> int:
        """What a key has taken within the hour before `now`."""
        return sum(size for minute, size in self._hour(key_id, now))

    def back(self, key_id: str, limit: int, now: float) -> float | None:
        """When a key that is over its limit has room again, in seconds since 1970; None when it is not over it."""
        hour = sorted(self._hour(key_id, now))
        total = sum(size for _, size in hour)
        if total <= limit:
            return None
        for minute, size in hour:
            total -= size
            if total <= limit:
                return float(minute * MINUTE + HOUR + MINUTE)
        return now + HOUR

    def over(self, limits: Mapping[str, int], now: float) -> dict[str, float]:
        """The keys that have taken more than they may, each with when it has room again."""
        found = {key_id: self.back(key_id, limit, now) for key_id, limit in limits.items() if key_id in self.minutes}
        return {key_id: back for key_id, back in found.items() if back is not None}

    def forget(self, known: Iterable[str], now: float) -> None:
        """Drops what is older than an hour, and keys that are gone."""
        kept = set(known)
        for key_id in list(self.minutes):
            recent = dict(self._hour(key_id, now)) if key_id in kept else {}
            if recent:
                self.minutes[key_id] = recent
            else:
                del self.minutes[key_id]

    def _hour(self, key_id: str, now: float) -> list[tuple[int, int]]:
        first, present = (int(now) - HOUR) // MINUTE, int(now) // MINUTE
        taken = self.minutes.get(key_id, {})
        for minute in [each for each in taken if each > present + 1]:
            # The clock was ahead and is right again: then it counts as taken now, and not until that time comes.
            taken[present] = taken.get(present, 0) + taken.pop(minute)
        return [(minute, size) for minute, size in taken.items() if minute >= first]
