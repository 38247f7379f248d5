"""How long an exposure may be online: until a time, and while it is used. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimeBox:
    """`ends` is on the clock that never runs backwards and counts sleep, `until` on the calendar's; 0 is never.
    `idle` is how many seconds without a call end it; 0 is any number."""

    ends: float = 0.0
    until: float = 0.0
    idle: float = 0.0

    def over(self, now: float, wall: float, used: float) -> str:
        """Why it is over, as a sentence; "" while it is not. `used` is when the last call came, on the first clock."""
        if (self.ends and now >= self.ends) or (self.until and wall >= self.until):
            return "its time is over"
        if self.idle and now - used >= self.idle:
            return f"nobody has called for {self.idle:g} s"
        return ""

    def expires(self, now: float, wall: float, used: float) -> float:
        """When it will be over as things are, in seconds since 1970; 0.0 when never."""
        times = [wall + self.ends - now] if self.ends else []
        times += [self.until] if self.until else []
        times += [wall + used + self.idle - now] if self.idle else []
        return min(times, default=0.0)

    def to_word(self) -> str:
        """As one word of an argument list."""
        return f"{self.ends!r}/{self.until!r}/{self.idle!r}"

    @classmethod
    def from_word(cls, word: str) -> "TimeBox":
        """Raises ValueError."""
        ends, until, idle = (float(part) for part in word.split("/"))
        return cls(ends, until, idle)


FOREVER = TimeBox()
