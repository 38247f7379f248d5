"""The composition root: builds everything once, by hand, out of one config."""

import hashlib
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from exposer import backends
from exposer.config import own
from exposer.config.model import Config
from exposer.config.secrets import resolve
from exposer.files import Places
from exposer.fronts import Fronts
from exposer.gateway.folder import DOOR, sync_live
from exposer.gateway.own_calls import OwnCalls
from exposer.gateway.ranges import Ranges
from exposer.gateway.shutter import Shutter
from exposer.journal.post import post_heads
from exposer.keys.model import Ring
from exposer.keys.ring import settle
from exposer.keys.status import advice, describe, timestamp
from exposer.keys.store import RingBrokenError, RingStore
from exposer.library import Library
from exposer.notify.last import people
from exposer.procs import Entry
from exposer.spare import CHECK_EVERY, ELSE, Spare
from exposer.state.facts import Checked, Documented
from exposer.supervisor.ports import Part
from exposer.supervisor.recorder import RecordRules
from exposer.sweep import end, sweep
from exposer.tunnels.at_provider import at_provider
from exposer.tunnels.edges import diagnose

# What a later step needs is loaded by that step, or by `warm_up` before: the backend starts the sooner.
LATER = ("exposer.gatehouse", "exposer.openapi.publish", "exposer.openapi.shelf", "exposer.gateway.outside")
READING = ("exposer.openapi.read", "exposer.openapi.overlay", "exposer.openapi.profiles")
NOT_ONLINE = "https://not-online.invalid"


class House(Library):
    """One config, made into parts. A new config is a new House; the parts that mean the same have the same digest."""

    def __init__(
        self,
        config: Config,
        places: Places,
        engine: str,
        *,
        without_document: bool = False,
        shutter: Shutter | None = None,
        own_calls: OwnCalls | None = None,
    ) -> None:
        super().__init__(config, places, without_document)
        self.shutter = shutter or Shutter(Path(places.runtime, "gateway"))
        self.own_calls = own_calls or OwnCalls()
        self.engine = engine
        self.lease = config.lease
        self.tripwires: Collection[str] = config.panic.on
        self.probes = config.panic.probes
        self.check_every = CHECK_EVERY.get(config.tunnel.provider, ELSE)
        master = config.auth.master
        self.store = RingStore(Path(places.state), None if master is None else partial(resolve, master))
        self.last_used: Mapping[str, float] = {}
        self.ring_error = ""
        self._ring: tuple[tuple[int, ...], Ring] | None = None
        self.fronts = Fronts(config.tunnel, places)
        self.spare = Spare(config, places) if config.second else None
        self._ranges = Ranges(Path(places.state), config.limits.allow_from)
        self._built: dict[str, tuple[object, Part]] = {}
        self._templates = own.folder_digest(config.gateway.templates)

    def warm_up(self) -> None:
        """Loads what the steps after the backend's start need."""
        for name in (*LATER, *(READING if self._source else ())):
            import_module(name)
        import_module("exposer.gateway.site").warm_up()
        if self.engine == "docker":
            import_module("exposer.engine.client").warm_up()

    def backend(self) -> Part:
        return self._once("backend", None, self._make_backend)

    def gateway(self, upstream: str, documented: Documented, now: float) -> Part:
        passing = tuple(key.id for key in self.ring().passing(now))
        document = documented.document
        wish = (documented.operations, documented.hidden, document and document.digest)
        known = (upstream, wish, passing, self._ring and self._ring[0], self._ranges.networks(), self.fronts.front(now))
        return self._once("gateway", known, lambda: self._make_gateway(upstream, documented, now))

    def tunnel(self, listen: str) -> Part:
        where = self.fronts.listen(listen)
        return self._once("tunnel", where, lambda: self._make_tunnel(where))

    def ring(self) -> Ring:
        """The keys as they are now; an empty ring, so that nothing passes, while the file cannot be read."""
        stamp, known = self.store.stamp(), self._ring
        if known is None or known[0] != stamp:
            try:
                known, self.ring_error = (stamp, self.store.read()), ""
            except RingBrokenError as error:
                known, self.ring_error = (stamp, Ring(salt="broken")), f"{error.message}; {error.hint}"
            self._ring = known  # another thread may put an older one here at once
        ring = known[1]
        return replace(ring, keys=()) if self.shutter.why else ring

    def trouble(self) -> str:
        return self.ring_error

    def networks_trouble(self) -> str:
        return self._ranges.trouble()

    def networks_due(self, now: float) -> bool:
        return self._ranges.due(now)

    def renew_networks(self, now: float) -> str:
        return self._ranges.refresh(now)

    def advice(self, now: float) -> tuple[str, ...]:
        keys = advice(self.ring().keys, now, self.config.auth.rotate_every)
        return (*keys, *self.fronts.advice(now))

    def stamp(self, now: float) -> str:
        ring = self.ring()
        due = settle(ring, now) is not ring
        return f"{self._ring and self._ring[0]} {[key.id for key in ring.passing(now)]} {due} {self.shutter.why}"

    def sync_keys(self, now: float) -> None:
        ring = self.ring()
        folder = Path(self.places.runtime, "gateway")
        if folder.is_dir():
            sync_live(folder, {key.id for key in ring.passing(now)})
        if self.shutter.why:
            return
        if settle(ring, now) is not ring:  # a clock that is set back must not bring an ended key to life
            self.store.change(lambda known: (settle(known, now), None))

    def check(self, url: str, gateway: Part | None, *, whole: bool = False, waits: bool = False) -> Checked:
        from exposer.gateway.nginx import NginxProcess
        from exposer.gateway.outside import check

        if not isinstance(gateway, NginxProcess):
            return Checked(url, False, None, "the gateway is not there")
        whole = whole and url != gateway.test.base()  # else nothing is on the way that could add to it
        return check(url, gateway.test, diagnose, self.fronts.trust(), whole=whole, waits=waits)

    def probe(self) -> tuple[str, str]:
        """A path that nobody can guess and what our gateway says there: how we know it from outside."""
        salt = self.ring().salt
        return tuple(hashlib.sha256(f"{what} {salt}".encode()).hexdigest()[:48] for what in ("probe", "answer"))  # type: ignore[return-value]

    def end(self, entry: Entry) -> None:
        end(entry)

    def sweep(self) -> list[str]:
        return sweep(self.places)

    def record_rules(self) -> RecordRules:
        audit, name = self.config.audit, self.config.name
        post = partial(post_heads, audit.webhook, name) if audit.webhook else None
        return RecordRules(audit.retain, audit.max_size, audit.on_full == "refuse", post)

    def for_panic(self) -> Mapping[str, Any]:
        probe, answer = self.probe()
        tunnels = [self.config.tunnel, *([self.config.second] if self.config.second else [])]
        there = [job for tunnel in tunnels if (job := at_provider(tunnel, self.config.name, resolve))]
        return {"panic": self.config.panic.backend, "probe": probe, "probe_answer": answer, "at_provider": there} | {
            "people": people(self.config)
        }

    def describe(self) -> Mapping[str, Any]:
        now = time.time()
        return {
            "backend": self.config.backend.kind,
            "engine": self.engine,
            "provider": self.config.tunnel.provider,
            "standby": self.config.tunnel.standby or None,
            "source": self._source.removeprefix("file:") or None,
            "keys": [describe(key, now, self.last_used) for key in self.ring().keys],
            "advice": list(self.advice(now)),
            "networks": {
                name: {"networks": len(known.networks), "at": timestamp(known.at)}
                for name, known in self._ranges.known().items()
            },
        }

    def watched(self) -> tuple[list[Path], list[Path]]:
        watched = [Path(self.config.path), *self.fronts.watched()]
        if self._source.startswith("file:"):
            watched.append(Path(self._source.removeprefix("file:")))
        if self.config.schema.overlay:
            watched.append(Path(self.config.schema.overlay))
        return watched, [Path(self.config.gateway.templates)] if self.config.gateway.templates else []

    def _make_backend(self) -> Part:
        return backends.of_exposure(self.config, self.places, resolve)

    def _make_tunnel(self, listen: str) -> Part:
        from exposer import tunnels

        config, places = self.config, self.places
        door, alone = str(Path(places.runtime, "gateway", DOOR)), bool(config.limits.allow_from)
        return tunnels.make(config.tunnel, config.name, listen, places.runtime, places.state, resolve, door, alone)

    def _make_gateway(self, upstream: str, documented: Documented, now: float) -> Part:
        from exposer.gatehouse import make_gateway

        return make_gateway(
            self.config,
            self.places,
            self.engine,
            documented,
            upstream=upstream,
            ring=self.ring,
            allow_from=self._ranges.networks(),
            probe=self.probe(),
            front=self.fronts.front(now),
            now=now,
            own=self.own_calls,
            vault=self.store,
        )

    def _once(self, role: str, known: object, build: Any) -> Part:
        """Builds a part anew only when what it is made of has changed."""
        built = self._built.get(role)
        if built is None or built[0] != known:
            built = (known, build())
            self._built[role] = built
        return built[1]
