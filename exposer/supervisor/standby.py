"""Two tunnels, one of them open: the other waits, connected and closed, and takes over when this one is down."""

import time
from collections.abc import Callable

from exposer.errors import ExposerError
from exposer.state.facts import Checked, Failed
from exposer.state.model import GATEWAY, STANDBY, TUNNEL, TUNNELS, Phase
from exposer.supervisor.address import AddressPipeline
from exposer.supervisor.exposure import Exposure
from exposer.supervisor.hops import next_look
from exposer.supervisor.ports import Rooms, Spare
from exposer.supervisor.takeover import (
    FIRST_LOOK,
    FRESH,
    PAUSE,
    SOON,
    UNSURE,
    confirmed,
    down,
    reason,
    way_back,
    word,
)
from exposer.supervisor.world import World

NEVER = float("-inf")


class Standby:
    """Keeps one of them open. Which one it is stands in the gateway's folder: a next supervisor goes on with it."""

    def __init__(
        self,
        state: Exposure,
        world: World,
        note: Callable[..., None],
        pipeline: AddressPipeline,
        stop: Callable[[Failed], None],
    ) -> None:
        self._state, self._world, self._note = state, world, note
        self._pipeline, self._stop = pipeline, stop
        self._settled = self._looking = self._said_both = False
        self._down_since: float | None = None
        self._waits_down: bool | None = None
        self._well_since: float | None = None
        self._next_look, self._looked_at, self._failures = 0.0, NEVER, 0
        self._heard: set[str] = set()
        self._taken: tuple[float, ...] = ()
        self._wish, self._wished_at = "", 0.0
        self._last: Spare | None = None

    def follow(self, rooms: Rooms, now: float) -> None:
        """Once a cycle, before anything is begun: no door may be open that should not be, nor the other way round."""
        spare, state = rooms.spare, self._state
        state.spare = spare is not None
        if spare is None:
            self._forget()
            return
        self._last = spare
        if state.units[GATEWAY].phase is not Phase.UP:
            return
        if not self._settled:  # one that runs already has one open
            self._settled = True
            self._settle(spare)
        self._pipeline.check_every = spare.every[state.carrier]
        self._pipeline.confirm_within = max(spare.after, PAUSE)
        self._keep_open(spare)
        self._judge(now)
        self._look(rooms, spare, now)
        self._decide(spare, now)

    def use(self, role: str) -> str:
        """A person wants this one to be open; returns why that cannot be, or "". In force within seconds, or told."""
        state = self._state
        if role not in TUNNELS or not state.spare:
            return "there is no second tunnel; tunnel.standby names one"
        if not self._settled:
            return "the gateway is not up yet"
        unit = state.units[role]
        if role != state.carrier and (unit.phase is not Phase.UP or unit.healthy is False):
            self._hold(False)
            return f"{word(role)} is not connected: {unit.error or 'it is ' + unit.phase}"
        self._hold(role != TUNNEL)
        if role == state.carrier:
            self._wish = ""
            return ""
        self._wish, self._wished_at, self._next_look = role, time.monotonic(), 0.0
        return ""

    def take(self, checked: Checked) -> None:
        """A look from outside at the one that waits."""
        self._looking = False
        state, now = self._state, time.monotonic()
        if checked.url != str(state.units[state.other].detail.get("url", "")):
            return
        before, state.waiting = state.waiting, checked
        self._looked_at = now
        self._failures = 0 if checked.reachable else self._failures + 1
        if checked.reachable:
            self._heard.add(checked.url)
        if checked.refuses is False:
            self._note("open-without-key", checked.why)
            self._stop(Failed("gateway", checked.why, "nothing is open any more; see: exposer logs gateway", "open"))
        if before is None or before.reachable != checked.reachable:
            found = "can be reached from outside" if checked.reachable else f"cannot be reached: {checked.why}"
            self._note("standby", f"{word(state.other)} waits and {found}")

    def _settle(self, spare: Spare) -> None:
        """What an earlier supervisor has left: the one that is open, else the one that a person has asked for."""
        chosen = spare.chosen()
        self._state.carrier = found if (found := spare.opened()) in TUNNELS else chosen or TUNNEL
        self._state.held = bool(chosen)
        self._hold(chosen == self._state.carrier)

    def _hold(self, held: bool) -> None:
        """Whether a person wants the second one to stay, also when the supervisor is started anew."""
        before, self._state.held = self._state.held, held
        if held == before or self._last is None:
            return
        try:
            self._last.choose(STANDBY if held else "")
        except OSError as error:
            self._note("standby", f"which tunnel was asked for could not be written down: {error}")

    def _forget(self) -> None:
        """The config names no second tunnel any more. Until the gateway has taken that over its doors still count, and
        what they say must not be found by a later second tunnel."""
        self._hold(False)
        self._pipeline.confirm_within = float("inf")
        if self._state.carrier != TUNNEL:
            self._turn_to(TUNNEL, "there is no second one any more")
            if self._last is not None:
                self._keep_open(self._last)
        self._settled, self._last = False, None

    def _keep_open(self, spare: Spare) -> None:
        try:
            if spare.opened() != self._state.carrier:
                spare.open(self._state.carrier)
            self._state.unwritten.pop("door", None)
        except (OSError, ExposerError) as error:
            if "door" not in self._state.unwritten:
                self._note("failed", f"the tunnel could not be opened: {error}")
            self._state.unwritten["door"] = f"the tunnel is closed: {error}"

    def _judge(self, now: float) -> None:
        """Since when the open one is down, and the waiting one well."""
        state = self._state
        if state.checked is not None and state.checked.reachable:
            self._heard.add(state.checked.url)
        checked = state.checked if state.checked is not None and state.checked.url == state.url else None
        is_down = down(state.open_tunnel, checked, state.url in self._heard)
        if is_down is False:
            self._down_since, self._said_both = None, False
        elif is_down:
            self._down_since = now if self._down_since is None else self._down_since
        waits = state.units[state.other]
        if state.waiting is not None and state.waiting.url != waits.detail.get("url"):
            state.waiting, self._looked_at = None, NEVER
        self._waits_down = down(waits, state.waiting, str(waits.detail.get("url", "")) in self._heard)
        if self._waits_down is not False:
            self._well_since = None
        elif self._well_since is None:
            self._well_since = now

    def _look(self, rooms: Rooms, spare: Spare, now: float) -> None:
        """Seldom while all is well: providers count. Soon when it might have to take over."""
        waits = self._state.units[self._state.other]
        url = str(waits.detail.get("url", "")) if waits.phase is Phase.UP else ""
        every = next_look(self._failures, spare.every[self._state.other])
        soon = self._down_since is not None or self._wish or self._due_back(spare, now)
        due = max(self._next_look, self._looked_at + (min(every, SOON) if soon else every))
        if not soon:
            due = max(due, waits.since + FIRST_LOOK)
        if url and not self._looking and now >= due:
            self._looking, self._next_look = True, now + SOON / 5
            self._world.check_waiting(rooms, url)

    def _due_back(self, spare: Spare, now: float) -> bool:
        back = way_back(spare.back, self._taken, now)
        well = self._well_since is not None and now - self._well_since >= back
        return self._state.carrier != TUNNEL and not self._state.held and bool(back) and well

    def _decide(self, spare: Spare, now: float) -> None:
        state = self._state
        sure = confirmed(state.open_tunnel, self._pipeline.failures)
        down_for = now - self._down_since if self._down_since is not None and sure else 0.0
        why = reason(
            state.carrier,
            down_for=down_for,
            well_for=0.0 if self._well_since is None else now - self._well_since,
            after=max(spare.after, 0.001),
            back=way_back(spare.back, self._taken, now),
            held=state.held,
            wish=self._wish,
        )
        if not why:
            return
        seen = state.waiting is not None and state.waiting.reachable
        patient = self._down_since is None or down_for >= UNSURE * spare.after
        # What was seen before the trouble began says nothing: it may be of both.
        fresh = self._looked_at > max(now - FRESH, self._down_since or NEVER)
        if self._well_since is not None and fresh and (seen or patient):
            self._switch(spare, why, now)
        elif self._wish and now - self._wished_at > FRESH:
            self._note("standby", f"{word(self._wish)} cannot be reached from outside, so it is not opened")
            self._wish = ""
            self._hold(False)
        elif self._waits_down and down_for >= spare.after and not self._said_both:
            self._said_both = True
            self._note("both-down", "both tunnels are down from outside; whichever comes back first is opened")

    def _switch(self, spare: Spare, why: str, now: float) -> None:
        """The open one is closed first. Whatever goes wrong in between, none is open until the next cycle."""
        try:
            spare.shut()
        except (OSError, ExposerError) as error:
            self._note("failed", f"the tunnel could not be closed, so it stays: {error}")
            self._down_since = None
            return
        self._taken = (*self._taken[-20:], *((now,) if self._state.carrier == TUNNEL else ()))
        self._turn_to(self._state.other, why)
        self._keep_open(spare)

    def _turn_to(self, role: str, why: str) -> None:
        state = self._state
        if role == TUNNEL:
            self._hold(False)
        state.carrier, state.took_over_at = role, time.time()
        state.waiting = state.checked = None
        self._down_since = self._well_since = None
        for each in TUNNELS:  # what nobody heard while it was the open one is no reason to start it anew now
            state.units[each] = state.units[each].with_(replace_at=None)
        self._next_look, self._looked_at, self._wish = 0.0, NEVER, ""
        self._note("took-over", f"{word(role)} takes over: {why}", role=role)
