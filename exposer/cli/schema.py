"""`exposer schema`: the published document and the operations; works without a running daemon."""

from typing import TYPE_CHECKING

import click

from exposer.cli.find import places, read_snapshot, supervisor
from exposer.cli.show import answer, note, settings, table
from exposer.errors import ExposerError

if TYPE_CHECKING:
    from exposer.app import House
    from exposer.openapi.model import Document


@click.group()
def schema() -> None:
    """Show the published document and its operations."""


@schema.command()
@click.option("--yaml", "as_yaml", is_flag=True, help="As YAML.")
def show(as_yaml: bool) -> None:
    """Print the document to give to a client."""
    import json
    from pathlib import Path

    from exposer.app import NOT_ONLINE

    found = places(settings().file)
    status = read_snapshot(found) if supervisor(found) is not None else None
    path = Path(found.schema, "openapi.json")
    if status and status.get("public_url") and path.exists():
        text = path.read_text(encoding="utf-8")
    else:
        house, document = _house_and_document()
        text = house.text(house.choose(document), NOT_ONLINE).text
        note("not online: the server in it is a placeholder")
    if as_yaml:
        import yaml

        click.echo(yaml.safe_dump(json.loads(text), allow_unicode=True, sort_keys=False), nl=False)
    else:
        click.echo(text)


@schema.command()
def ops() -> None:
    """List every operation of the backend: published or not, and why."""
    from exposer.openapi.operations import operations
    from exposer.openapi.select import choose

    house, document = _house_and_document()
    choices = choose(operations(document), house.config.schema)
    data = [
        {"id": c.operation.id, "method": c.operation.method, "path": c.operation.full_path}
        | {"published": c.published, "why": c.why}
        for c in choices
    ]
    rows = [
        ("yes" if c.published else "no", c.operation.method, c.operation.full_path, c.operation.id, c.why)
        for c in choices
    ]
    answer(table(rows, ("PUBLISHED", "METHOD", "PATH", "ID", "WHY")), {"schema": 1, "operations": data})


def _house_and_document() -> "tuple[House, Document]":
    """The document read now: from a file or URL as it is, from the backend only while that runs."""
    from exposer.app import House
    from exposer.config.load import find_config, load
    from exposer.openapi.read import read
    from exposer.procs import Ledger

    config = load(find_config(settings().file))
    found = places(settings().file)
    source = config.backend.openapi
    if not source:
        raise ExposerError("this exposure has no document", "name one in backend.openapi, such as /openapi.json")
    upstream = config.backend.url
    for entry in Ledger(found.ledger).entries():
        if entry.role == "backend":
            upstream = str(entry.detail.get("upstream", upstream))
    if source.startswith("/") and not upstream:
        raise ExposerError(
            f"the document is at {source} on the backend, which does not run", "start it with: exposer up"
        )
    house = House(config, found, config.engine)
    return house, read(source, upstream, headers=house.upstream_headers())
