"""What the calls on record mean for the keys: last use, the end of a grace, too much taken, an alarm.

It hears every batch that is recorded, in the recorder's thread, and changes the ring like a command would; the loop
sees another ring and does the rest.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from exposer.errors import ExposerError
from exposer.journal import Journal, JournalError, Request
from exposer.keys.meter import HOUR, Meter
from exposer.keys.model import Key, KeyState, Ring
from exposer.keys.ring import first_used, suspend
from exposer.keys.store import RingStore
from exposer.state.facts import Recorded

TIDY_EVERY = 300.0


class KeyUse:
    """`ring` gives the keys as they are; `egress` how many bytes an hour a key may take that has no limit of its own
    (0: any), and `factor` how many times as much is an alarm. `last_used` is kept up to date, for all to read."""

    def __init__(
        self,
        store: Callable[[], RingStore],
        ring: Callable[[], Ring],
        journal: Journal,
        egress: Callable[[], int],
        factor: Callable[[], float],
        tell: Callable[[Recorded], None],
        last_used: dict[str, float],
    ) -> None:
        self._store, self._ring, self._journal, self._tell = store, ring, journal, tell
        self._egress, self._factor = egress, factor
        self._alarmed: frozenset[str] = frozenset()
        self._meter = Meter(last_used=last_used)
        self._tidied = 0.0

    def remember(self, now: float) -> None:
        """Takes over what the journal has from before: limits hold over a restart. Without it we begin anew."""
        try:
            self._meter.last_used.update(self._journal.last_used(key.id for key in self._ring().keys))
            for key_id, minute, size in self._journal.by_minute(now - HOUR):
                self._meter.minutes.setdefault(key_id, {})[minute] = size
        except JournalError:
            return
        self._settle(self._meter.last_used, now)

    def heard(self, requests: Sequence[Request]) -> None:
        """One batch that is on record now."""
        ring, now = self._ring(), time.time()
        decoys = {key.id: key.label for key in ring.keys if key.state is KeyState.DECOY}
        for request in requests:
            if request.key in decoys:
                self._alarm(decoys[request.key], request)
            elif request.key and request.operation:
                self._meter.take(request.key, request.at, request.bytes)
        self._settle(self._meter.begun, now)
        callers = {request.key for request in requests if request.key}
        self._pause(callers, now)
        self._watch_egress(callers, now)
        if now - self._tidied > TIDY_EVERY:
            self._tidied = now
            self._meter.forget((key.id for key in ring.keys), now)

    def _settle(self, used: Mapping[str, float], now: float) -> None:
        """A successor is used: its forerunner's grace begins."""
        ring = self._ring()
        if first_used(ring, used, now) is ring:
            return
        begun = self._changed(lambda known: first_used(known, used, now))
        for key in begun:
            ends = time.strftime("%Y-%m-%d %H:%M", time.localtime(key.until))
            text = f"the new key of {key.label!r} is in use; the old one ({key.id}) ends {ends}"
            self._tell(Recorded("grace-began", text, data={"label": key.label, "id": key.id, "until": key.until}))

    def _pause(self, ids: Iterable[str], now: float) -> None:
        """Keys that have taken too much within an hour are paused until they have room again."""
        keys = {key.id: key for key in self._ring().keys if key.id in set(ids) and key.passes(now)}
        limits = {id_: limit for id_, key in keys.items() if (limit := key.egress or self._egress())}
        for id_, back in self._meter.over(limits, now).items():
            label, taken = keys[id_].label, self._meter.taken(id_, now)
            when = time.strftime("%H:%M", time.localtime(back))
            why = f"it has taken {taken:,} bytes within an hour, and may take {limits[id_]:,}"
            self._changed(lambda known, id_=id_, why=why, back=back: suspend(known, (id_,), now, why, back))  # type: ignore[misc]
            text = f"the key {label!r} is paused until {when}: {why}"
            self._tell(Recorded("key-suspended", text, data={"label": label, "id": id_, "until": back, "bytes": taken}))

    def _watch_egress(self, ids: Collection[str], now: float) -> None:
        """A key that is paused may go on with what had begun, and one answer may be larger than all that it may take.
        The alarm is raised once each time."""
        keys = [key for key in self._ring().keys if key.id in ids]
        most = {key.id: (key.egress or self._egress()) * self._factor() for key in keys}
        over = {id_ for id_, limit in most.items() if 0 < limit < self._meter.taken(id_, now)}
        for key in keys:
            if key.id in over - self._alarmed:
                taken = self._meter.taken(key.id, now)
                text = f"ALARM: the key {key.label!r} has taken {taken:,} bytes within an hour"
                text += f", {self._factor():g} times what it may and more"
                data = {"label": key.label, "id": key.id, "bytes": taken}
                self._tell(Recorded("egress-passed", text, data=data))
        self._alarmed = (self._alarmed - set(ids)) | over

    def _alarm(self, label: str, request: Request) -> None:
        asked = f"{request.method} {request.path or request.operation}"
        text = f"ALARM: the decoy {label!r} was used from {request.address} ({asked}): somebody has found it"
        data = {"label": label, "id": request.key, "address": request.address, "path": request.path}
        self._tell(Recorded("decoy-used", text, data=data))

    def _changed(self, how: Callable[[Ring], Ring]) -> tuple[Key, ...]:
        """The keys that are not as they were. That the ring cannot be written is said, and stops nothing here."""

        def change(known: Ring) -> tuple[Ring, tuple[Key, ...]]:
            after = how(known)
            before = set(known.keys)
            return after, tuple(key for key in after.keys if key not in before)

        try:
            return self._store().change(change)
        except (ExposerError, OSError) as error:
            self._tell(Recorded("keyring", f"the keys could not be brought up to date: {error}"))
            return ()
