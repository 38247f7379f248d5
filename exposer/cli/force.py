"""Brings a change of the keys into force and sees for itself that it is: by real requests, not by hope."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exposer import procs
from exposer.cli.find import read_snapshot, supervisor
from exposer.cli.ring import ring_store
from exposer.cli.show import note, settings
from exposer.errors import ExposerError, NotRunningError
from exposer.files import Places, names_in

if TYPE_CHECKING:
    from exposer.procs import ProcessId

WITHIN = 10.0
GONE_WITHIN = 1.0
CUT_WITHIN = 30.0  # a busy machine tries the new rules out in a container first


class StillValidError(ExposerError):
    """A key that was ended is not refused for sure."""

    code = "unverified"
    exit_code = 8


def withdraw(found: Places) -> None:
    """What no longer passes is refused from now on, on every connection."""
    import time

    from exposer.gateway.nginx import sync_live

    folder = Path(found.runtime, "gateway")
    if folder.is_dir():
        sync_live(folder, {key.id for key in ring_store(found).read().passing(time.time())})


def bring_into_force(found: Places, clear: str | None, key_id: str, within: float = WITHIN) -> bool:
    """Withdraws what no longer passes at the gateway, wakes the supervisor, and waits until the new key is accepted."""
    from exposer.wire import NoAnswerError, request

    withdraw(found)
    status = _woken(found)
    listen = status["gateway"].get("listen") if status else ""
    if status is None:
        return False
    if clear is None or not listen:
        return True

    # Asked for real only once the gateway says that it knows the key: wrong keys have a small quota there.
    if not known(found, key_id, within):
        return False
    try:
        answer = request(f"http://{listen}", "/.exposer/accepted", headers=_credential(clear))
    except NoAnswerError:
        return False
    return answer.status not in (401, 429)


def known(found: Places, key_id: str, within: float) -> bool:
    """Waits, for so many seconds, until the gateway says that it knows a key."""
    live = Path(found.runtime, "gateway", "live", key_id)
    return procs.wait_until(live.exists, within, every=0.01)


def end_for_good(found: Places, ids: Collection[str], clear: str | None = None) -> str:
    """Ends keys, and returns a sentence on what was seen. Raises StillValidError when that cannot be shown.

    Seen are: that the keys' files are gone, which every worker looks for with every call; that the gateway refuses
    (with the very key, where it is given); and that the workers from before, which may hold streams, have ended.
    """
    before = _workers(found)
    withdraw(found)
    _insist(found, ids)
    status = _woken(found)
    if status is None:
        if any(worker.alive() for worker in before):
            return "refused from now on; streams that run go on until the supervisor is back: exposer up"
        return "nothing runs that would accept it"
    listen = status["gateway"].get("listen")
    if not listen:
        return "the gateway does not run"
    _insist_on_refusal(str(listen), clear)
    if not procs.wait_until(lambda: not any(worker.alive() for worker in before), CUT_WITHIN, every=0.01):
        raise StillValidError("refused from now on, but streams that began before go on", "end all: exposer down")
    _insist(found, ids)
    return "refused on every connection; streams that it had were cut"


def _woken(found: Places) -> dict[str, Any] | None:
    """The status of a supervisor that has been told to look; None when there is none."""
    from exposer.control.client import ask

    status = read_snapshot(found)
    if supervisor(found) is None or status is None:
        return None
    try:
        ask(found.control, "nudge")
    except NotRunningError:
        note("the supervisor does not answer; the change is taken over as soon as it does")
        return None
    return status


def _insist(found: Places, ids: Collection[str]) -> None:
    """A reload that runs meanwhile may put a key's file back for a moment, before it asks the ring."""

    def gone() -> bool:
        if not _known(found, ids):
            return True
        withdraw(found)
        return not _known(found, ids)

    if not procs.wait_until(gone, GONE_WITHIN) and (left := _known(found, ids)):
        raise StillValidError(f"the gateway still knows {', '.join(sorted(left))}", "end all: exposer panic")


def _known(found: Places, ids: Collection[str]) -> set[str]:
    """Those of these keys that the gateway has a file of."""
    folders = [Path(found.runtime, "gateway", name) for name in ("live", "draining")]
    return set(ids) & {key_id for folder in folders for key_id in names_in(str(folder))}


def _insist_on_refusal(listen: str, clear: str | None) -> None:
    from exposer.wire import NoAnswerError, request

    headers = {} if clear is None else _credential(clear)
    try:
        status = request(f"http://{listen}", "/.exposer/ended", headers=headers).status
    except NoAnswerError:
        return  # nobody answers: nobody is let in
    if status not in (401, 403, 429):
        raise StillValidError(f"the gateway answers {status} instead of refusing", "end all: exposer panic")


def _workers(found: Places) -> "list[ProcessId]":
    """The gateway's workers as they are now."""
    from exposer.gateway.host import children
    from exposer.procs import Ledger, ProcessId

    masters = [
        entry.process
        for entry in Ledger(found.ledger).entries()
        if entry.role == "gateway" and entry.process is not None and entry.process.alive()
    ]
    pids = [pid for master in masters for pid in children(master.pid)]
    return [worker for pid in pids if (worker := ProcessId.of(pid)) is not None]


def _credential(clear: str) -> dict[str, str]:
    from exposer.config.load import find_config, load
    from exposer.gateway.credential import credential

    auth = load(find_config(settings().file)).auth
    return credential(auth.methods, auth.header, clear)
