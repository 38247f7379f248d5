"""What reaches a supervisor from outside its loop."""

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exposer.errors import ExposerError
from exposer.files import Places
from exposer.journal import Journal
from exposer.procs import Entry
from exposer.supervisor.daemon import Daemon
from exposer.supervisor.ledger import GuardedLedger
from tests.support.rooms import Rooms


class Home(Rooms):
    lease, tripwires, probes = 90.0, (), 0


HOME = Home(public=False)


class Load:
    """Gives the same again and again, until it is to raise something."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __call__(self) -> Any:
        if self.error is not None:
            raise self.error
        return HOME


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setenv("EXPOSER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("EXPOSER_RUNTIME_DIR", str(tmp_path / "run"))
    places = Places("tests")
    places.prepare()
    return places


@pytest.fixture
def daemon(places: Places) -> Iterator[Daemon]:
    daemon = Daemon(
        places, Load(), lambda path, answer: None, lambda kind, text: None, Journal(Path(places.state, "j"))
    )  # type: ignore[arg-type,return-value]
    yield daemon
    daemon._watch.close()
    daemon.world.close()


def ends(job: Callable[[], None]) -> bool:
    thread = threading.Thread(target=job, daemon=True)
    thread.start()
    thread.join(60)
    return not thread.is_alive()


def test_a_signal_waits_for_nothing_that_the_interrupted_thread_may_hold(daemon: Daemon) -> None:
    def interrupted() -> None:
        with daemon.loop.journal._lock:
            daemon._signalled(signal.SIGTERM, None)
            daemon._notice()

    assert ends(interrupted)
    assert daemon.loop.state.wanted
    daemon.loop.cycle(0.0)
    assert not daemon.loop.state.wanted


def test_a_storm_of_signals_does_not_stop_the_inbox(daemon: Daemon) -> None:
    before = signal.signal(signal.SIGALRM, lambda *_: daemon.loop.nudge())
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        for _ in range(20_000):
            daemon.world.inbox.put(None)
            daemon.world.inbox.get()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("error", [ExposerError("nonsense"), PermissionError(13, "Permission denied", "/own/nginx.j2")])
def test_whatever_the_config_names_cannot_be_read_the_last_good_one_stays(daemon: Daemon, error: Exception) -> None:
    daemon.load.error = error  # type: ignore[attr-defined]
    daemon._reload()
    assert daemon.home is HOME
    assert "nonsense" in daemon.loop.state.config_error or "/own/nginx.j2" in daemon.loop.state.config_error


def test_after_the_last_look_nothing_can_be_put_on_record(places: Places) -> None:
    ledger = GuardedLedger(places)
    ledger.append(Entry("backend"))
    ledger.closed = True
    with pytest.raises(ExposerError, match="taken offline"):
        ledger.append(Entry("backend"))
    assert len(ledger.entries()) == 1
