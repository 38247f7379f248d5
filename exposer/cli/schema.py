"""`exposer schema`: the published documents and the operations; works without a running daemon."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exposer.cli.find import places, read_snapshot, supervisor
from exposer.cli.show import answer, note, settings, table
from exposer.errors import ExposerError, UsageError

if TYPE_CHECKING:
    from exposer.app import House
    from exposer.openapi.model import Finding, Publication
    from exposer.openapi.shelf import Shelf

CLIENTS = click.Choice(("gpt-action", "mcp", "openapi", "copilot"))
client_option = click.option("--client", type=CLIENTS, help="For this client instead of the configured one.")


@click.group()
def schema() -> None:
    """Show the published document and its operations."""


@schema.command()
@click.option("--pack", default=1, show_default=True, metavar="N", help="Which document, when there are several.")
@click.option("--yaml", "as_yaml", is_flag=True, help="As YAML.")
@client_option
def show(pack: int, as_yaml: bool, client: str | None) -> None:
    """Print the document to give to a client."""
    import json

    now = Now.look(client)
    if not 1 <= pack <= len(now.packs):
        many = f"there are {len(now.packs)} documents" if len(now.packs) > 1 else "there is one document"
        raise UsageError(f"there is no document {pack}: {many}", "see how many there are with: exposer schema check")
    text = now.packs[pack - 1]
    now.say_placeholder()
    if len(now.packs) > 1:
        note(f"document {pack} of {len(now.packs)}; the others: exposer schema show --pack N")
    now.taken()
    if settings().json:
        head = {"schema": 1, "client": now.client, "pack": pack, "packs": len(now.packs)}
        answer("", head | {"document": json.loads(text)})
    elif as_yaml:
        import yaml

        click.echo(yaml.safe_dump(json.loads(text), allow_unicode=True, sort_keys=False), nl=False)
    else:
        click.echo(text)


@schema.command()
def ops() -> None:
    """List every operation of the backend: published or not, its risk, and why."""
    house, upstream = _house()
    if not house.config.backend.openapi:
        raise ExposerError("this exposure has no document", "name one in backend.openapi, such as /openapi.json")
    choices = house.choices(house.document(upstream))
    data = [
        {"id": c.operation.id, "method": c.operation.method, "path": c.operation.full_path}
        | {"published": c.published, "why": c.why, "rank": c.rank or None}
        | {"risk": {"level": c.verdict.level.name.lower(), "reasons": list(c.verdict.reasons)}}
        for c in choices
    ]
    rows = [
        ("yes" if c.published else "no", c.verdict.level.name.lower(), op.method, op.full_path, op.id, c.why)
        for c in choices
        for op in (c.operation,)
    ]
    answer(table(rows, ("PUBLISHED", "RISK", "METHOD", "PATH", "ID", "WHY")), {"schema": 1, "operations": data})


@schema.command()
@client_option
def check(client: str | None) -> int:
    """Say what was changed for the client's importer, and what it would still refuse.

    Ends with 1 when something is left that the importer would refuse.
    """
    from exposer.openapi.checks import conforms

    now = Now.look(client, compute=True)
    found = now.publication
    refused = [
        {"pack": number, "what": what}
        for number, text in enumerate(now.packs, 1)
        for what in conforms(text, now.client)
    ]
    data = {
        "schema": 1,
        "client": now.client,
        "server": now.server,
        "placeholder": now.placeholder,
        "clean": not refused,
        "packs": [
            {"pack": n, "operations": len(p.operations), "bytes": len(p.text.encode())} for n, p in _numbered(found)
        ],
        "findings": [_as_dict(finding) for finding in found.findings],
        "dropped": [{"id": operation.id, "why": why} for operation, why in found.dropped],
        "inject": {name: dict(headers) for name, headers in found.inject.items()},
        "refused": refused,
        "notes": list(now.notes),
    }
    for text in now.notes:
        note(text)
    now.say_placeholder()
    answer("\n".join(_told(now, [f"document {r['pack']}: {r['what']}" for r in refused])), data)
    return 1 if refused else 0


@schema.command()
@client_option
def diff(client: str | None) -> None:
    """Say what has changed since the document was last given to the client."""
    from exposer.openapi.diff import compare, sentences

    now = Now.look(client, compute=True)
    base, before = now.shelf.last(now.client, now.packs)
    found = compare(before.packs if before else (), now.packs)
    now.say_placeholder()
    data = {
        "schema": 1,
        "client": now.client,
        "base": base,
        "paste": not found.same,
        "packs": list(found.packs),
        "server": None if found.server is None else {"old": found.server[0], "new": found.server[1]},
        "added": list(found.added),
        "removed": list(found.removed),
        "changed": list(found.changed),
        "front": list(found.front),
    }
    said = sentences(found, len(now.packs)) if before else ["nothing was published yet: exposer schema show"]
    answer("\n".join(said), data)


@schema.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@client_option
def export(folder: Path, client: str | None) -> None:
    """Write the documents into a folder, one JSON file each."""
    from exposer import files
    from exposer.openapi.shelf import names

    now = Now.look(client)
    now.say_placeholder()
    written: list[str] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in zip(names(len(now.packs)), now.packs, strict=True):
            files.swap(str(folder / name), text.encode(), mode=0o644)
            written.append(str(folder / name))
    except OSError as error:
        raise ExposerError(f"{folder}: cannot be written: {error.strerror}", "choose another folder") from error
    now.taken()
    answer("\n".join(written), {"schema": 1, "client": now.client, "files": written})


@dataclass(frozen=True)
class Now:
    """The documents as they are now: those that are published, or made for this call."""

    client: str
    packs: tuple[str, ...]
    placeholder: bool
    server: str
    shelf: "Shelf"
    made: "Publication | None" = None
    notes: tuple[str, ...] = ()

    @classmethod
    def look(cls, client: str | None, *, compute: bool = False) -> "Now":
        """What is published for the configured client lies ready while it is online; all else is made."""
        from exposer.app import NOT_ONLINE
        from exposer.openapi.shelf import Shelf

        found = places(settings().file)
        status = read_snapshot(found) if supervisor(found) is not None else None
        url = str((status or {}).get("public_url") or "")
        shelf = Shelf(found.schema)
        kept = shelf.current() if url else None
        if kept is not None and not compute and client in (None, kept.client):
            return cls(kept.client, kept.packs, False, url, shelf)
        house, upstream = _house()
        wanted = client or house.config.schema.client
        made = house.text(house.read_document(upstream), url or NOT_ONLINE, wanted)
        texts = tuple(pack.text for pack in made.packs)
        return cls(wanted, texts, not url, url or NOT_ONLINE, shelf, made, house.overlay_notes)

    @property
    def publication(self) -> "Publication":
        assert self.made is not None  # noqa: S101
        return self.made

    def say_placeholder(self) -> None:
        if self.placeholder:
            note("not online: the server in it is a placeholder")

    def taken(self) -> None:
        """A document with the real address is likely to be pasted: `diff` starts from it."""
        if not self.placeholder:
            self.shelf.take(self.client, self.packs)


def _numbered(found: "Publication") -> Any:
    return enumerate(found.packs, 1)


def _as_dict(finding: "Finding") -> dict[str, Any]:
    return {
        "where": finding.where,
        "what": finding.what,
        "prevents": finding.prevents,
        "step": finding.step,
        "remains": finding.remains,
    }


def _told(now: Now, refused: list[str]) -> list[str]:
    """The findings by step: what was changed, where, and what the importer would have said."""
    from exposer.openapi.fit import STEPS

    found = now.publication
    lines: list[str] = []
    for name, step in STEPS.items():
        these = [finding for finding in found.findings if finding.step == name]
        if these:
            lines += [f"{name}: {step.changes}", f"    prevents: {these[0].prevents}"]
            shown = these if settings().verbose else these[:3]
            lines += [f"    {finding.where}: {finding.what}" for finding in shown]
            lines += [f"    … and {len(these) - len(shown)} more (-v shows all)"] if len(these) > len(shown) else []
    for number, pack in _numbered(found):
        lines.append(f"document {number}: {len(pack.operations)} operations, {len(pack.text.encode()):,} bytes")
    if refused:
        return [*lines, f"{now.client} would refuse:", *(f"    {what}" for what in refused)]
    return [*lines, f"{now.client} would take {'it' if len(found.packs) == 1 else 'them'} as it is"]


def _house() -> "tuple[House, str]":
    """The exposure, and where its backend answers: a document in a file or elsewhere can be had without that."""
    from exposer.app import House
    from exposer.config.load import find_config, load
    from exposer.procs import Ledger

    config = load(find_config(settings().file))
    found = places(settings().file)
    source = config.backend.openapi
    if not source and not config.schema.include:
        raise ExposerError("this exposure has no document", "name one in backend.openapi, such as /openapi.json")
    upstream = config.backend.url
    for entry in Ledger(found.ledger).entries():
        if entry.role == "backend":
            upstream = str(entry.detail.get("upstream", upstream))
    if source.startswith("/") and not upstream:
        raise ExposerError(
            f"the document is at {source} on the backend, which does not run", "start it with: exposer up"
        )
    return House(config, found, config.engine), upstream
