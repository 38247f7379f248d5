"""`exposer keys` and `exposer rotate-key`."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exposer.cli.find import not_private, places, read_snapshot, supervisor
from exposer.cli.show import answer, duration, note, settings, table
from exposer.errors import LockedError, NotRunningError
from exposer.files import NotPrivateError, Places, check_root, private_dir, state_root
from exposer.keys.status import describe, timestamp

if TYPE_CHECKING:
    from exposer.keys.model import Key, Ring
    from exposer.keys.store import RingStore
    from exposer.secret import Secret


def _duration(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    return None if value is None else duration(value, parameter.opts[0])


def _store(found: Places) -> "RingStore":
    from exposer.keys.store import RingStore

    if found.locked():
        raise LockedError(f"a panic holds {found.name}; its keys are all revoked", "lift the lock with: exposer unlock")
    try:
        private_dir(found.state)
        check_root(state_root())
    except NotPrivateError as error:
        raise not_private(error) from error
    return RingStore(Path(found.state))


@click.command("rotate-key")
@click.argument("label", default="default")
@click.option(
    "--grace", callback=_duration, metavar="TIME", help="How long the old key stays valid (default: auth.grace)."
)
@click.option("--now", is_flag=True, help="End the old key at once: for one that leaked.")
def rotate_key(label: str, grace: float | None, now: bool) -> None:
    """Make a new key for LABEL and print it once; the old one ends after a grace."""
    from exposer.config.load import find_config, load
    from exposer.keys.ring import rotate

    found = places(settings().file)
    wait = 0.0 if now else grace if grace is not None else load(find_config(settings().file)).auth.grace
    moment = time.time()

    def how(ring: "Ring") -> "tuple[Ring, tuple[Secret, tuple[Key, ...], Key]]":
        after, secret, replaced = rotate(ring, label, moment, grace=wait)
        return after, (secret, replaced, after.keys[-1])

    clear, old, key = _store(found).change(how)
    in_force = bring_into_force(found, clear.reveal(), key.id)
    data = {"schema": 1, "label": label, "id": key.id, "key": clear.reveal(), "in_force": in_force}
    data["replaced"] = [{"id": k.id, "state": str(k.state), "until": timestamp(k.until)} for k in old]
    answer(clear.reveal(), data)
    for replaced in old:
        ends = "has ended" if wait <= 0 else f"ends {timestamp(replaced.until)}"
        note(f"the old key {replaced.id} of {label!r} {ends}; the new one is shown only now")


@click.group()
def keys() -> None:
    """List, add and revoke keys."""


@keys.command("list")
def list_keys() -> None:
    """Show every key by label; never the key itself."""
    from exposer.keys.store import RingStore

    found = places(settings().file)
    ring = RingStore(Path(found.state)).read()
    rows = [describe(key, time.time()) for key in ring.keys]
    shown = [(r["label"], r["id"], r["state"], r["created"] or "", r["expires"] or "never") for r in rows]
    heads = ("LABEL", "ID", "STATE", "CREATED", "ENDS")
    answer(
        table(shown, heads) if rows else "there are no keys yet; the first `exposer up` makes one",
        {"schema": 1, "keys": rows},
    )


@keys.command("add")
@click.argument("label")
@click.option("--expires", callback=_duration, metavar="TIME", help="Ends by itself after so long, such as 30d.")
def add(label: str, expires: float | None) -> None:
    """Make a further key for LABEL and print it once."""
    from exposer.keys.ring import mint

    found = places(settings().file)
    moment = time.time()
    ends = None if not expires else moment + expires

    def how(ring: "Ring") -> "tuple[Ring, tuple[Secret, Key]]":
        after, secret = mint(ring, label, moment, expires=ends)
        return after, (secret, after.keys[-1])

    clear, key = _store(found).change(how)
    in_force = bring_into_force(found, clear.reveal(), key.id)
    answer(clear.reveal(), {"schema": 1, "label": label, "id": key.id, "key": clear.reveal(), "in_force": in_force})


@keys.command("show")
@click.argument("label")
def show(label: str) -> None:
    """Show what is known of the keys labelled LABEL."""
    from exposer.errors import UsageError
    from exposer.keys.store import RingStore

    found = places(settings().file)
    rows = [describe(k, time.time()) for k in RingStore(Path(found.state)).read().keys if k.label == label]
    if not rows:
        raise UsageError(f"there is no key labelled {label!r}", "see them with: exposer keys list")
    text = "\n\n".join("\n".join(f"{name:<8} {value or '-'}" for name, value in row.items()) for row in rows)
    answer(text, {"schema": 1, "keys": rows})


@keys.command("revoke")
@click.argument("label")
def revoke(label: str) -> None:
    """End every key labelled LABEL at once."""
    from exposer.keys.ring import revoke as revoked

    found = places(settings().file)
    moment = time.time()
    hit = _store(found).change(lambda ring: revoked(ring, label, moment))
    bring_into_force(found, None, "")
    ids = ", ".join(key.id for key in hit)
    answer(f"{label}: revoked ({ids})", {"schema": 1, "label": label, "revoked": [key.id for key in hit]})


def bring_into_force(found: Places, clear: str | None, key_id: str, within: float = 10.0) -> bool:
    """Withdraws what no longer passes at the gateway, wakes the supervisor, and waits until the new key is accepted."""
    from exposer import procs
    from exposer.control.client import ask
    from exposer.gateway.nginx import sync_live
    from exposer.keys.store import RingStore
    from exposer.wire import NoAnswerError, request

    passing = RingStore(Path(found.state)).read().passing(time.time())
    folder = Path(found.runtime, "gateway")
    if folder.is_dir():
        sync_live(folder, {key.id for key in passing})
    status = read_snapshot(found)
    if supervisor(found) is None or status is None:
        return False
    try:
        ask(found.control, "nudge")
    except NotRunningError:
        note("the supervisor does not answer; the change is taken over as soon as it does")
        return False
    listen = status["gateway"].get("listen")
    if clear is None or not listen:
        return True

    # Asked for real only once the gateway says that it knows the key: wrong keys have a small quota there.
    if not procs.wait_until((folder / "live" / key_id).exists, within, every=0.01):
        return False
    try:
        return request(f"http://{listen}", "/.exposer/accepted", headers=_credential(clear)).status not in (401, 429)
    except NoAnswerError:
        return False


def _credential(clear: str) -> dict[str, str]:
    from exposer.config.load import find_config, load
    from exposer.gateway.credential import credential

    auth = load(find_config(settings().file)).auth
    return credential(auth.methods, auth.header, clear)
