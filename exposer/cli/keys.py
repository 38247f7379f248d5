"""`exposer keys` and `exposer rotate-key`."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exposer.cli.find import not_private, places
from exposer.cli.force import bring_into_force, end_for_good, withdraw
from exposer.cli.ring import ring_store
from exposer.cli.show import answer, duration, note, settings, table
from exposer.cli.words import ends_in_words
from exposer.errors import ExposerError, LockedError, UsageError
from exposer.files import NotPrivateError, Places, check_root, private_dir, state_root
from exposer.keys.status import describe, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from exposer.keys.model import Allowed, Key, Ring
    from exposer.keys.store import RingStore
    from exposer.secret import Secret


def _duration(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    seconds = None if value is None else duration(value, parameter.opts[0])
    if seconds is None:
        return None
    from exposer.config.values import TEN_YEARS

    if seconds > TEN_YEARS:  # what ends much later has no date
        raise UsageError(f"{parameter.opts[0]}: at most ten years, not {value}")
    return seconds


def _store(found: Places) -> "RingStore":
    if found.locked():
        raise LockedError(f"a panic holds {found.name}; its keys are all revoked", "lift the lock with: exposer unlock")
    try:
        private_dir(found.state)
        check_root(state_root())
    except NotPrivateError as error:
        raise not_private(error) from error
    return ring_store(found)


@click.command("rotate-key")
@click.argument("label", default="default")
@click.option(
    "--grace",
    callback=_duration,
    metavar="TIME",
    help="How long the old key stays valid once the new one is first used (default: auth.grace).",
)
@click.option("--now", is_flag=True, help="End the old key at once: for one that leaked.")
def rotate_key(label: str, grace: float | None, now: bool) -> None:
    """Make a new key for LABEL and print it once.

    The old one ends after a grace, which begins when the new one is first used: somebody has to paste it somewhere.
    """
    from exposer.config.load import find_config, load
    from exposer.keys.ring import rotate

    found = places(settings().file)
    auth = load(find_config(settings().file)).auth if not now else None
    wait = 0.0 if auth is None else auth.grace if grace is None else grace
    moment = time.time()

    def how(ring: "Ring") -> "tuple[Ring, tuple[Secret, tuple[Key, ...], Key]]":
        after, secret, replaced = rotate(ring, label, moment, grace=wait, max_wait=auth.max_wait if auth else None)
        return after, (secret, replaced, after.keys[-1])

    clear, old, key = _store(found).change(how)
    seen, trouble = "", None
    try:
        seen = end_for_good(found, [each.id for each in old]) if wait <= 0 and old else ""
    except ExposerError as error:
        trouble = error  # the new key is made, and is never shown again
    in_force = bring_into_force(found, clear.reveal(), key.id)
    data = {"schema": 1, "label": label, "id": key.id, "key": clear.reveal(), "in_force": in_force}
    data["replaced"] = [{"id": k.id, "state": str(k.state), "until": timestamp(k.until), "grace": k.grace} for k in old]
    answer(clear.reveal(), data)
    if trouble is not None:
        raise trouble
    for replaced in old:
        shown = describe(replaced, moment)
        paused = f"is paused, and ends {shown['expires']}" if shown["state"] == "suspended" else ""
        ends = f"has ended: {seen}" if wait <= 0 else paused or f"ends {ends_in_words(shown)}"
        note(f"the old key {replaced.id} of {label!r} {ends}; the new one is shown only now")


@click.group()
def keys() -> None:
    """List, add, pause and revoke keys."""


@keys.command("list")
def list_keys() -> None:
    """Show every key by label; never the key itself."""
    found = places(settings().file)
    rows = _described(found)
    shown = [
        (r["label"], r["id"], r["state"], r["created"] or "", r["last_used"] or "never", ends_in_words(r), _may(r))
        for r in rows
    ]
    heads = ("LABEL", "ID", "STATE", "CREATED", "LAST USED", "ENDS", "MAY")
    answer(
        table(shown, heads) if rows else "there are no keys yet; the first `exposer up` makes one",
        {"schema": 1, "keys": rows},
    )


@keys.command("add")
@click.argument("label")
@click.option("--expires", callback=_duration, metavar="TIME", help="Ends by itself after so long, such as 30d.")
@click.option("--rate", metavar="RATE", help="Its own rate, such as 60/min (default: limits.rate).")
@click.option(
    "--ops", multiple=True, metavar="GLOB", help='Only these: operation ids, or "METHOD /path/*"; repeatable.'
)
@click.option("--concurrency", type=click.IntRange(1, 65_535), help="So many calls at the same time.")
@click.option("--egress", metavar="SIZE", help="So many bytes an hour, such as 50MB/h; over it the key is paused.")
@click.option("--decoy", is_flag=True, help="A key that is never valid: whoever uses it sets off an alarm.")
def add(
    label: str,
    expires: float | None,
    rate: str | None,
    ops: tuple[str, ...],
    concurrency: int | None,
    egress: str | None,
    decoy: bool,
) -> None:
    """Make a further key for LABEL and print it once."""
    from exposer.keys.ring import mint

    found = places(settings().file)
    moment = time.time()
    if expires is not None and expires <= 0:
        raise UsageError("--expires: a key has to be good for a while", "leave it out for one that ends never")
    ends = None if expires is None else moment + expires
    allowed = _allowed(rate, ops, concurrency, egress)

    def how(ring: "Ring") -> "tuple[Ring, tuple[Secret, Key]]":
        after, secret = mint(ring, label, moment, expires=ends, allowed=allowed, decoy=decoy)
        return after, (secret, after.keys[-1])

    clear, key = _store(found).change(how)
    in_force = bring_into_force(found, None if decoy else clear.reveal(), key.id)
    data = {"schema": 1, "label": label, "id": key.id, "key": clear.reveal(), "in_force": in_force, "decoy": decoy}
    answer(clear.reveal(), data)
    if decoy:
        note("leave it where a thief would look: in a note, a file, an old config; it never lets anybody in")


@keys.command("show")
@click.argument("label")
def show(label: str) -> None:
    """Show what is known of the keys labelled LABEL."""
    rows = [row for row in _described(places(settings().file)) if row["label"] == label]
    if not rows:
        raise _unknown(label)
    text = "\n\n".join("\n".join(f"{name:<11} {_said(value)}" for name, value in row.items()) for row in rows)
    answer(text, {"schema": 1, "keys": rows})


@keys.command("revoke")
@click.argument("label")
@click.option("--key", "clear", metavar="KEY", help="Try the very key afterwards; '-' reads it from standard input.")
def revoke(label: str, clear: str | None) -> None:
    """End every key labelled LABEL at once, and the streams that it has."""
    from exposer.keys.ring import revoke as revoked

    if clear is not None and clear != "-":
        raise UsageError("a key in an argument can be read by others", "give it on standard input: --key -")
    given = sys.stdin.readline().strip() if clear else None
    found = places(settings().file)
    moment = time.time()

    def how(ring: "Ring") -> "tuple[Ring, tuple[Key, ...]]":
        return revoked(ring, label, moment)

    hit = _store(found).change(how)
    seen = end_for_good(found, [key.id for key in hit], given)
    ids = ", ".join(key.id for key in hit)
    answer(
        f"{label}: revoked ({ids}); {seen}",
        {"schema": 1, "label": label, "revoked": [key.id for key in hit], "seen": seen},
    )


@keys.command("suspend")
@click.argument("label")
def suspend(label: str) -> None:
    """Take the keys labelled LABEL out of use until they are resumed."""
    from exposer.keys.ring import suspend as suspended

    found = places(settings().file)
    moment = time.time()
    ids = _change(found, label, lambda ring, hit: suspended(ring, hit, moment, "by hand"))
    answer(f"{label}: suspended; {end_for_good(found, ids)}", {"schema": 1, "label": label, "suspended": list(ids)})


@keys.command("resume")
@click.argument("label")
def resume(label: str) -> None:
    """Bring suspended keys labelled LABEL back."""
    from exposer.keys.ring import resume as resumed

    found = places(settings().file)
    ids = _change(found, label, resumed)
    withdraw(found)
    in_force = bring_into_force(found, None, "")
    answer(f"{label}: resumed", {"schema": 1, "label": label, "resumed": list(ids), "in_force": in_force})


def _change(found: Places, label: str, how: "Callable[[Ring, list[str]], Ring]") -> tuple[str, ...]:
    """Changes the keys of a label, and returns the ids of those that are not as they were."""

    def change(ring: "Ring") -> "tuple[Ring, tuple[str, ...]]":
        after = how(ring, [key.id for key in ring.keys if key.label == label])
        before = set(ring.keys)
        return after, tuple(key.id for key in after.keys if key not in before)

    ids = _store(found).change(change)
    if not ids:
        raise UsageError(
            f"there is no key labelled {label!r} to which this applies", "see them with: exposer keys list"
        )
    return ids


def _described(found: Places) -> list[dict[str, Any]]:
    """All keys, with when they were last used as far as that is on record."""
    ring = ring_store(found).read()
    used = _last_used(found, [key.id for key in ring.keys])
    return [describe(key, time.time(), used) for key in ring.keys]


def _last_used(found: Places, ids: list[str]) -> dict[str, float]:
    from exposer.journal import Journal, JournalError

    path = Path(found.state, "journal.db")
    if not path.exists():
        return {}
    try:
        journal = Journal(path)
    except JournalError:
        return {}
    try:
        return journal.last_used(ids)
    except JournalError:
        return {}
    finally:
        journal.close()


def _allowed(rate: str | None, ops: tuple[str, ...], concurrency: int | None, egress: str | None) -> "Allowed":
    from exposer.config.units import parse_egress, parse_rate
    from exposer.errors import ConfigError
    from exposer.gateway.passer import countable
    from exposer.keys.model import Allowed

    try:
        pace = countable(parse_rate(rate), "--rate") if rate else None
        most = parse_egress(egress) if egress else 0
    except ConfigError as error:
        raise UsageError(error.message, error.hint) from error
    except ValueError as error:
        raise UsageError(f"{'--egress' if rate is None else '--rate or --egress'}: {error}") from error
    if egress and not most:
        raise UsageError("--egress: a key has to be good for something", "pause it with: exposer keys suspend LABEL")
    return Allowed(tuple(ops), (pace.count, pace.seconds) if pace else None, concurrency or 0, most)


def _may(row: dict[str, Any]) -> str:
    from exposer.cli.shown import size

    parts = [" ".join(row["operations"])] if row.get("operations") else []
    parts += [row["rate"]] if row.get("rate") else []
    parts += [f"{row['concurrency']} at once"] if row.get("concurrency") else []
    parts += [f"{size(row['egress'])}/h"] if row.get("egress") else []
    return ", ".join(parts) or "-"


def _said(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else "-" if value in (None, "") else str(value)


def _unknown(label: str) -> UsageError:
    return UsageError(f"there is no key labelled {label!r}", "see them with: exposer keys list")
