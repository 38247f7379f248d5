"""Tells the world of a new address, once its document stands: the own hook, then notices, and each address once."""

import time
from collections.abc import Callable

from exposer.state.facts import Announced
from exposer.supervisor.exposure import Exposure
from exposer.supervisor.notices import announce_at, remembered
from exposer.supervisor.ports import Rooms
from exposer.supervisor.world import World

# A hook that failed is run again after these waits (seconds), then left alone until the next address or start.
AGAIN = (10.0, 60.0)


class Announcer:
    """Follows what is published. An address that was announced before, by an earlier supervisor too, is old news."""

    def __init__(self, state: Exposure, world: World, note: Callable[..., None], notify: Callable[..., None]) -> None:
        self._state = state
        self._world = world
        self._note = note
        self._notify = notify
        self._known: str | None = None
        self._changes: tuple[float, ...] = ()
        self._seen = ""
        self._said = ""
        self._busy = False
        self._torn = False  # the hook has failed, and perhaps half of what it does is done
        self._tries = 0
        self._next = 0.0

    def follow(self, rooms: Rooms, now: float) -> None:
        """Begins what is due; blocks for nothing."""
        if self._known is None:
            self._known = rooms.announced()
        url = self._state.url
        if url and url != self._seen:
            self._changes = remembered(self._changes, now) if self._seen else ()
            self._seen, self._tries = url, 0
            self._next = announce_at(self._changes)
            if self._next > now:
                times, wait = len(self._changes), self._next - now
                self._note(
                    "flapping", f"{times} addresses in a short time: this one is announced if it stays {wait:.0f} s"
                )
        published = self._state.published is not None and self._state.published.url == url
        if published and (url != self._known or self._torn) and not self._busy and now >= self._next:
            self._busy = True
            self._world.announce(rooms, url, self._known)

    def take(self, fact: Announced) -> None:
        """Notices go out after the hook: it may be what makes the address work. They do not wait for its success."""
        self._busy, self._torn = False, bool(fact.error)
        url, before = fact.url, fact.before
        if fact.error:
            self._note("hook-failed", f"hooks.address_changed: {fact.error}")
            if url == self._seen:  # else the address has changed meanwhile, and is announced in its own time
                self._next = time.monotonic() + AGAIN[self._tries] if self._tries < len(AGAIN) else float("inf")
                self._tries += 1
        else:
            self._known = url
            self._note("announced", f"{url} was announced", url=url, before=before)
        if before and before != url and self._said != url:
            self._said = url
            self._notify("address-changed", f"the public address is now {url} (it was {before})", url=url, old=before)
