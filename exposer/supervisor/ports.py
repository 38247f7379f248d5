"""What the loop needs of the outside world; backends, gateways and tunnels satisfy it by shape."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from exposer.notify.notice import Destination
from exposer.openapi.model import Publication
from exposer.procs import Entry
from exposer.state.facts import Checked, Documented
from exposer.state.model import Look, Record, Tell


class Part(Protocol):
    """One thing that can be started, looked at and stopped. Calls may block; the loop makes them in a worker.

    `digest` names the wish: a running part whose ledger entry has another digest is replaced.
    """

    role: str
    digest: str

    def start(self, record: Record, tell: Tell) -> Entry:
        """Starts it and returns its ledger entry. `record` is called with each entry (there may be several)
        *before* the thing can get traffic; `tell` takes progress for a person, a short line each.
        Raises ExposerError; then nothing that it started is left running."""

    def look(self, entry: Entry) -> Look:
        """Looks at it without changing it; at most a few seconds. Never raises."""

    def stop(self, entry: Entry) -> None:
        """Ends it and everything that belongs to it. Safe to call twice, and for something long gone."""

    def adopt(self, entries: list[Entry]) -> Entry | None:
        """The entry of a running part with this very digest, out of the ledger, if there is one."""


@runtime_checkable
class Reloadable(Part, Protocol):
    """A part that can take over a new wish while it runs, as long as its `shape` is the same."""

    shape: str

    def reload(self, entry: Entry, record: Record, tell: Tell) -> Entry:
        """Takes the new wish over without dropping a request and returns the new ledger entry.
        Raises ExposerError; then the old wish is still in force."""


@runtime_checkable
class Sealed(Part, Protocol):
    """A part that can tell when somebody else has changed it."""

    def broken(self, entry: Entry, seal: str) -> str:
        """What is not as it was, as a sentence; "" when all is, or it cannot be told. `seal` says what to look at:
        FILES (cheap) or CONTAINERS (asks the engine). Never raises."""


class Proof(Protocol):
    """What a self-test of the gateway has shown; the fields are those of `SelfTested`."""

    @property
    def calls(self) -> int: ...
    @property
    def hole(self) -> str: ...
    @property
    def trouble(self) -> str: ...
    @property
    def passed(self) -> str: ...
    @property
    def why(self) -> str: ...


@runtime_checkable
class Provable(Part, Protocol):
    """A part that can be asked whether it refuses what it must."""

    def prove(self, entry: Entry, *, whole: bool) -> Proof:
        """All of the self-test; or, not `whole`, what was not shown at its own start. Never raises."""


@runtime_checkable
class Beside(Part, Protocol):
    """A part that others may reach past the gateway."""

    def beside(self, entry: Entry) -> list[str]:
        """At which addresses, as far as this is not allowed. Never raises."""


class Spare(Protocol):
    """A second tunnel. `after` and `back` as in the config; `every` says how often each one's address may be asked."""

    after: float
    back: float
    every: Mapping[str, float]

    def part(self, listen: str) -> Part: ...

    def opened(self) -> str:
        """The role of the tunnel that is open; "" when none is. Cheap enough for every cycle."""

    def open(self, role: str) -> None:
        """Opens this tunnel, and closes the other first. Raises OSError."""

    def shut(self) -> None:
        """Closes both. Raises OSError."""

    def chosen(self) -> str:
        """The second tunnel's role when a person has asked for it, of an earlier supervisor too; else ""."""

    def choose(self, role: str) -> None:
        """Keeps that choice for a next supervisor, or with "" drops it. Raises OSError."""


class Rooms(Protocol):
    """What the app builds out of one config. A new config is a new one of these."""

    name: str
    check_every: float  # how often the public address may be asked from outside (seconds)

    @property
    def spare(self) -> Spare | None:
        """The second tunnel, if there is one."""

    def backend(self) -> Part: ...

    def gateway(self, upstream: str, documented: Documented, now: float) -> Part: ...

    def tunnel(self, listen: str) -> Part: ...

    def schema_digest(self) -> str:
        """Changes when other operations would be chosen, or the document is read from elsewhere."""

    def document_is_here(self) -> bool:
        """Whether it can be read before the backend answers: it is a file, or named calls take its place."""

    def read_document(self, upstream: str) -> Documented:
        """Reads the backend's document and chooses what to publish. Raises ExposerError."""

    def publish(self, documented: Documented, url: str) -> Publication:
        """Writes the document for this public address into the state folder. Raises ExposerError, OSError."""

    def check(self, url: str, gateway: Part | None, *, whole: bool = False, waits: bool = False) -> Checked:
        """Asks the public address as an outsider would: all that can be asked there, or a little. `gateway` is the one
        that runs; by a way that `waits` no key lets in. Never raises."""

    def announced(self) -> str:
        """The address that the own hook was last told of, by an earlier supervisor too; "" when there is none."""

    def announce(self, url: str, before: str, record: Record) -> None:
        """Runs the own hook, if any, and remembers that it worked. Blocks for so long. Raises ExposerError, OSError."""

    def destinations(self) -> tuple[Destination, ...]:
        """Who gets notices."""

    def sync_keys(self, now: float) -> None:
        """Makes a key that no longer passes be refused at once, without a reload. Raises ExposerError."""

    def end(self, entry: Entry) -> None:
        """Ends whatever a ledger entry names, also one that another config or an earlier run has left behind."""

    def stamp(self, now: float) -> str:
        """Changes when the ring or an own template changes; cheap enough for every cycle."""

    def networks_trouble(self) -> str:
        """Which callers' networks are not known, so that none of them gets in, as a sentence; "" when all are."""

    def networks_due(self, now: float) -> bool:
        """Whether a list of callers' networks should be read anew; cheap enough for every cycle."""

    def renew_networks(self, now: float) -> str:
        """Reads the lists and says what has changed. Raises ExposerError; then the ones before are in force."""

    def advice(self, now: float) -> tuple[str, ...]:
        """What a person should do soon, a sentence each; `now` is in seconds since 1970."""

    def trouble(self) -> str:
        """What is wrong with the keys, as a sentence with a next step; "" when nothing is."""
