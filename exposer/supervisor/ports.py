"""What the loop needs of the outside world; backends, gateways and tunnels satisfy it by shape."""

from typing import Protocol, runtime_checkable

from exposer.procs import Entry
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
class Reloadable(Protocol):
    """A part that can take over a new wish while it runs, as long as its `shape` is the same."""

    shape: str

    def reload(self, entry: Entry, record: Record, tell: Tell) -> Entry:
        """Takes the new wish over without dropping a request and returns the new ledger entry.
        Raises ExposerError; then the old wish is still in force."""
