"""`exposer audit`: who called what, when, and how much left; and the proof that nobody altered the record."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exposer import procs
from exposer.cli.asked import moment, statuses
from exposer.cli.find import places
from exposer.cli.show import answer, settings, table
from exposer.cli.shown import (
    CALLS_HEAD,
    EVENTS_HEAD,
    Labels,
    call_fields,
    call_line,
    event_fields,
    event_line,
    harmless,
    size,
)
from exposer.errors import ExposerError, NotRunningError, UsageError
from exposer.files import Places

if TYPE_CHECKING:
    from exposer.journal import Event, Filter, Journal, Request

Found = tuple[list["tuple[int, Request]"], list["Event"]]


@click.group(invoke_without_command=True)
@click.option("--since", metavar="TIME", help="From then on: so long ago, such as 24h, or a time.")
@click.option("--until", metavar="TIME", help="Up to then.")
@click.option("--key", metavar="LABEL", help="Only calls with this key.")
@click.option("--op", "operation", metavar="ID", help="Only calls of this operation.")
@click.option("--status", metavar="STATUS", help="Only calls that were answered so: 404, 4xx, >=500.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 1_000_000), help="How many at most.")
@click.option("--requests", "only", flag_value="requests", help="No events.")
@click.option("--events", "only", flag_value="events", help="Events only.")
@click.option("-f", "--follow", is_flag=True, help="Go on as more happens.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV, calls or (with --events) events.")
@click.pass_context
def audit(context: click.Context, /, **chosen: Any) -> None:
    """Show the calls and events on record, the newest last."""
    if context.invoked_subcommand is not None:
        return
    follow = chosen.pop("follow")
    if follow and settings().json:
        raise UsageError("--follow goes on for ever, and --json is one document", "use --csv, or leave one out")
    found = places(settings().file, lenient=True)
    labels = Labels(found)
    search = Search(labels, **chosen)
    show: Callable[[Found], None] = search.write_csv if chosen["as_csv"] else search.write_text
    journal = opened(found)
    try:
        first = search.look(journal)
        if settings().json:
            answer("", search.as_json(first))
            return
        show(first)
        while follow:
            procs.pause(0.5)
            show(search.look_on(journal))
    finally:
        journal.close()


class Search:
    """What is asked for. `look_on` finds what has come since."""

    def __init__(
        self,
        labels: Labels,
        since: str | None,
        until: str | None,
        key: str | None,
        operation: str | None,
        status: str | None,
        limit: int,
        only: str | None,
        as_csv: bool,
    ) -> None:
        from exposer.journal import Filter

        self.labels = labels
        self.limit = limit
        narrowed = bool(key or operation or status)
        self._with_events = only == "events" or (only is None and not narrowed and not as_csv)
        self._with_requests = only != "events"
        self._heads = as_csv
        self._wanted = Filter(
            since=moment(since, "--since") if since else None,
            until=moment(until, "--until") if until else None,
            keys=labels.ids(key) if key else None,
            operation=operation or "",
            status=statuses(status) if status else None,
        )
        self._seen = (0, 0)

    def look(self, journal: "Journal") -> Found:
        return self._find(journal, self.limit)

    def look_on(self, journal: "Journal") -> Found:
        return self._find(journal, 100_000)

    def _find(self, journal: "Journal", limit: int) -> Found:
        from dataclasses import replace

        wanted, (calls_seen, events_seen) = self._wanted, self._seen
        calls = journal.requests(replace(wanted, after=calls_seen), limit) if self._with_requests else []
        events = self._events(journal, wanted, limit, events_seen) if self._with_events else []
        if self._with_requests and self._with_events:
            calls, events = _newest(calls, events, limit)
        self._seen = (calls[-1][0] if calls else calls_seen, events[-1].seq if events else events_seen)
        return calls, events

    def _events(self, journal: "Journal", wanted: "Filter", limit: int, after: int) -> "list[Event]":
        until = wanted.until if wanted.until is not None else float("inf")
        return journal.events_between(wanted.since or 0.0, until, limit, after)

    def write_text(self, found: Found) -> None:
        calls, events = found
        lines = [(call.at, call_line(call, self.labels)) for _, call in calls]
        lines += [(event.at, event_line(event)) for event in events]
        for _, line in sorted(lines, key=lambda pair: pair[0]):
            click.echo(line)

    def write_csv(self, found: Found) -> None:
        import csv
        import sys

        writer = csv.writer(sys.stdout, lineterminator="\n")
        if self._heads:
            writer.writerow(CALLS_HEAD if self._with_requests else EVENTS_HEAD)
            self._heads = False
        writer.writerows(harmless(row) for row in self._rows(found))
        sys.stdout.flush()

    def _rows(self, found: Found) -> Iterator[tuple[object, ...]]:
        calls, events = found
        yield from (tuple(call_fields(call, self.labels).values()) for _, call in calls)
        if not self._with_requests:
            yield from (tuple(event_fields(event).values()) for event in events)

    def as_json(self, found: Found) -> dict[str, Any]:
        calls, events = found
        return {
            "schema": 1,
            "requests": [call_fields(call, self.labels) for _, call in calls],
            "events": [{**event_fields(event), "data": event.data} for event in events],
        }


def _newest(calls: "list[tuple[int, Request]]", events: "list[Event]", limit: int) -> Found:
    """Both together no more than so many."""
    times = sorted([call.at for _, call in calls] + [event.at for event in events])[-limit:]
    since = times[0] if times else 0.0
    return [pair for pair in calls if pair[1].at >= since], [event for event in events if event.at >= since]


@audit.command("verify")
def verify() -> None:
    """Prove that no row of the record was changed, removed, put in or moved."""
    found = places(settings().file, lenient=True)
    journal = opened(found)
    try:
        broken, heads = journal.broken(), journal.heads()
    finally:
        journal.close()
    if broken is not None:
        when = "" if broken.at is None else time.strftime(" of %Y-%m-%d %H:%M:%S", time.localtime(broken.at))
        error = ExposerError(
            f"row {broken.seq} of {broken.table}{when}: {broken.why}",
            "what stands before that row is as it was written; to begin a new record, keep this one elsewhere: "
            "journal.db and journal.db.heads",
        )
        error.code = "altered"
        raise error
    events, calls = heads["events"], heads["requests"]
    text = f"whole: {events.seq:,} events and {calls.seq:,} calls were recorded, and none was altered since"
    answer(text, {"schema": 1, "whole": True, "heads": {n: {"seq": h.seq, "chain": h.chain} for n, h in heads.items()}})


@audit.command("report")
@click.option("--since", default="24h", show_default=True, metavar="TIME", help="So long ago, or a time.")
@click.option("--until", metavar="TIME", help="Up to then.")
@click.option("--incident", is_flag=True, help="Show the latest incident report.")
def report(since: str, until: str | None, incident: bool) -> None:
    """Sum up what left: by key, by operation, by day."""
    from exposer.journal import Filter

    found = places(settings().file, lenient=True)
    if incident:
        show_incident(found)
        return
    begins = moment(since, "--since")
    ends = moment(until, "--until") if until else None
    labels = Labels(found)
    journal = opened(found)
    try:
        shares = journal.shares(Filter(since=begins, until=ends))
    finally:
        journal.close()
    sums: dict[str, dict[str, list[int]]] = {"keys": {}, "operations": {}, "days": {}}
    for share in shares:
        names = {
            "keys": labels.of(share.key) if share.key else "(no valid key)",
            "operations": share.operation or "(refused)",
            "days": share.day,
        }
        for what, name in names.items():
            total = sums[what].setdefault(name, [0, 0])
            total[0] += share.calls
            total[1] += share.bytes
    answer(_report_text(sums), _report_json(sums, begins, ends))


def _report_text(sums: dict[str, dict[str, list[int]]]) -> str:
    if not sums["days"]:
        return "nothing left, and nobody called"
    heads = {"keys": "KEY", "operations": "OPERATION", "days": "DAY (UTC)"}
    parts = []
    for what, head in heads.items():
        by_name = sorted(sums[what].items())
        most = by_name if what == "days" else sorted(by_name, key=lambda item: -item[1][1])
        rows = [(name, f"{calls:,}", size(left)) for name, (calls, left) in most]
        parts.append(table(rows, (head, "CALLS", "LEFT")))
    return "\n\n".join(parts)


def _report_json(sums: dict[str, dict[str, list[int]]], since: float, until: float | None) -> dict[str, Any]:
    from exposer.keys.status import timestamp

    return {
        "schema": 1,
        "since": timestamp(since),
        "until": timestamp(until),
        "calls": sum(calls for calls, _ in sums["days"].values()),
        "bytes": sum(left for _, left in sums["days"].values()),
        **{
            what: [{"name": name, "calls": calls, "bytes": left} for name, (calls, left) in each.items()]
            for what, each in sums.items()
        },
    }


def show_incident(found: Places) -> None:
    """The latest incident report."""
    import json

    folder = Path(found.state, "incidents")
    latest = max(folder.glob("*.md"), default=None) if folder.is_dir() else None
    if latest is None:
        raise NotRunningError(f"{found.name} has had no panic: there is no incident report")
    data = latest.with_suffix(".json")
    said = json.loads(data.read_text(encoding="utf-8")) if data.exists() else {}
    answer(latest.read_text(encoding="utf-8", errors="replace"), {"schema": 1, "path": str(latest), "incident": said})


def opened(found: Places) -> "Journal":
    """The journal. Raises NotRunningError while there is none."""
    from exposer.journal import Journal

    path = Path(found.state, "journal.db")
    if not path.exists():
        raise NotRunningError(f"{found.name} has no record yet", "it begins with: exposer up")
    return Journal(path)
