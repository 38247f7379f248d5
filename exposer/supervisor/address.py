"""One pipeline for the public address: document, notices and the look from outside follow it."""

import time
from collections.abc import Callable

from exposer.errors import SelfTestError
from exposer.state.facts import Checked, Documented, Failed, Published
from exposer.state.model import GATEWAY, Phase
from exposer.supervisor.exposure import Exposure
from exposer.supervisor.hops import heard, next_look
from exposer.supervisor.ports import Rooms
from exposer.supervisor.world import World

# How long after a document that could not be written the next try is made (seconds).
AGAIN = 5.0


class AddressPipeline:
    """Follows the tunnel's address: writes the document for it and asks it from outside. `stop` ends the exposure."""

    def __init__(
        self,
        state: Exposure,
        world: World,
        note: Callable[..., None],
        stop: Callable[[Failed], None],
        check_every: float,
    ) -> None:
        self.state = state
        self.world = world
        self.note = note
        self.stop = stop
        self.check_every = check_every
        self._publishing = ""
        self._writing = False  # one at a time: the last one written is the last one made
        self._hashed: tuple[Documented | None, str] = (None, "")
        self._next_publish = 0.0
        self._unpublished = ""
        self._next_check = 0.0
        self._checking = False
        self.failures = self._replaced = 0  # looks in a row that failed; times that it was started anew for that
        self.confirm_within = float("inf")  # a first failed look is followed by a second one so soon
        self._tunnel_since = ("", 0.0)

    def begin_anew(self, check_every: float) -> None:
        """The config has changed: write the document anew, and look from outside soon."""
        self.check_every = check_every
        self._next_check = 0.0
        self._publishing = ""

    def follow(self, rooms: Rooms, now: float) -> None:
        """One pipeline: the tunnel's address and the document decide what is published and looked at from outside."""
        tunnel = self.state.open_tunnel
        url = str(tunnel.detail.get("url", "")) if tunnel.phase is Phase.UP else self.state.url
        if url and url != self.state.url:
            self._change_address(url)
        if tunnel.phase is Phase.UP and (tunnel.role, tunnel.since) != self._tunnel_since:
            self._tunnel_since = (tunnel.role, tunnel.since)
            self._next_check, self.failures = 0.0, 0  # another one, or started anew: look soon
        documented = self.state.documented
        if not self.state.url or documented is None:
            return
        if self._hashed[0] is not documented:  # what is read stays one and the same until it is read again
            said = f"{documented.document and documented.document.digest} {hash(documented.operations)}"
            self._hashed = (documented, said)
        digest = f"{self.state.url} {rooms.schema_digest()} {self._hashed[1]}"
        if digest != self._publishing and not self._writing and now >= self._next_publish:
            self._publishing, self._writing = digest, True
            self.world.publish(rooms, documented, self.state.url)
        gateway = self.state.units[GATEWAY]
        if self.state.published and now >= self._next_check and not self._checking and gateway.healthy:
            self._checking = True
            self.world.check(rooms, self.state.url, whole=not (self.state.checked and self.state.checked.reachable))

    def _change_address(self, url: str) -> None:
        old, self.state.url = self.state.url, url
        self.state.url_since = time.time()
        self.state.published = self.state.checked = None
        self._next_check, self.failures = 0.0, 0
        if old:
            self.note("address-changed", f"the public address is now {url} (it was {old})", url=url, old=old)
        else:
            self.note("address", f"the public address is {url}", url=url)

    def take_published(self, fact: Published) -> None:
        self._writing = False
        if fact.url == self.state.url:
            self.state.published = fact
            self.note("published", f"document written for {fact.url}", digest=fact.publication.digest)

    def take_unpublished(self, fact: Failed) -> None:
        """Tried again, but not at once: on a full disk each note of it would make matters worse."""
        self._publishing, self._writing, self._next_publish = "", False, time.monotonic() + AGAIN
        if fact.error != self._unpublished:
            self.note("failed", f"the document could not be written: {fact.error}")
        self._unpublished = fact.error
        if not self.state.was_online:
            self.stop(fact)

    def take_checked(self, fact: Checked) -> None:
        self._checking = False
        if fact.url != self.state.url:  # it says nothing of this one, and must not make it trusted
            return
        before, self.state.checked = self.state.checked, fact
        self.state.checked_at = time.time()
        now = time.monotonic()
        self.failures = 0 if fact.reachable else self.failures + 1
        soon = self.confirm_within if self.failures == 1 else float("inf")
        self._next_check = now + min(next_look(self.failures, self.check_every), soon)
        tunnel, self._replaced = heard(self.state.open_tunnel, fact, self._replaced, now)
        self.state.units[tunnel.role] = tunnel
        if before is None or (before.reachable, before.why) != (fact.reachable, fact.why):
            self.note("checked", fact.why or "asked from outside: reachable, and refuses whoever has no key")
        if fact.refuses is False:
            self.note("open-without-key", fact.why)
            hint = "nothing is open any more; see: exposer logs gateway"
            self.stop(Failed("gateway", fact.why, hint, code="open", exit_code=SelfTestError.exit_code))
