"""What `up` says when it is online: everything a person needs to go on, in a few lines."""

import shlex
import sys
import time
from typing import TYPE_CHECKING, Any

from exposer.cli.first_key import FirstKey
from exposer.cli.show import answer
from exposer.cli.wish import Wish
from exposer.gateway.credential import credential

if TYPE_CHECKING:
    from exposer.config.model import Config


def announce(wish: Wish, status: dict[str, Any], first: FirstKey) -> None:
    """Says that it is online, and shows the first key for the only time."""
    took = time.monotonic() - wish.begun
    answer(as_text(status, first, wish.config, took), as_json(status, first))
    sys.stdout.flush()
    first.shown()


def as_text(status: dict[str, Any], first: FirstKey, config: "Config", seconds: float) -> str:
    """The summary on a terminal."""
    url, schema = status["public_url"], status["schema"]
    clear = first.clear.reveal() if first.clear else ""
    where = url or "none: this tunnel has callers of its own"
    lines = [f"{status['name']} is online after {seconds:.1f} s", "", f"  address   {where}"]
    if clear:
        lines.append(f"  key       {clear}")
        lines.append(f"            labelled {first.label!r}, shown only now; a new one: exposer rotate-key")
    else:
        lines.append("  key       as before (exposer keys list); a new one: exposer rotate-key")
    ca = status["tunnel"].get("ca", "")
    if ca:
        lines.append(f"  trust     {ca} (give it to the client; good for this machine's own names only)")
    if url:
        lines.append(f"  try       {_curl(url + (schema['example'] or '/'), config, clear, ca)}")
    lines.append(f"  document  {schema['published']} of {schema['operations']} operations: exposer schema show")
    if url and not status["checks"]["public_reachable"]:
        lines.append(f"  note      could not be asked from here: {status['checks'].get('why')}")
    lines += ["  end       exposer down (cleanly), exposer panic (at once, and locked)", ""]
    return "\n".join(lines)


def _curl(url: str, config: "Config", clear: str, ca: str = "") -> str:
    header = credential(config.auth.methods, config.auth.header, clear or "KEY")
    name, value = next(iter(header.items()))
    trust = f"--cacert {shlex.quote(ca)} " if ca else ""
    return f"curl {trust}-H {shlex.quote(f'{name}: {value}')} {shlex.quote(url)}"


def as_json(status: dict[str, Any], first: FirstKey | None) -> dict[str, Any]:
    """The status, and the first key if there is a new one. `schema` is the document's figures, as in `status`."""
    new = first is not None and first.clear is not None
    key = {"label": first.label, "key": first.clear.reveal()} if new and first and first.clear else None
    return status | {"first_key": key}


def intentions(config: "Config") -> tuple[str, dict[str, Any]]:
    """What `up` would do, as text and for --json."""
    what = {"backend": config.backend.kind, "engine": config.engine, "tunnel": config.tunnel.provider}
    steps = [
        f"run the backend ({config.backend.kind}) and wait until it is healthy",
        f"read its document ({config.backend.openapi or 'none'}), publish {', '.join(config.schema.methods)} calls",
        f"start the gateway ({config.engine}) and see it refuse a call without a key",
        f"open the tunnel ({config.tunnel.provider}) and ask its address from outside",
    ]
    if config.second is not None:
        steps.append(f"connect {config.second.provider} too, closed, to take over when the first is down from outside")
    text = "\n".join(f"{n}. {step}" for n, step in enumerate(steps, 1))
    return text, {"schema": 1, "name": config.name, "standby": config.tunnel.standby or None} | what
