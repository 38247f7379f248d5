"""How long an exposure may be online."""

import time
from datetime import datetime

import pytest

from exposer.cli.timebox import read_box
from exposer.errors import UsageError
from exposer.guard.lease import now
from exposer.supervisor.timebox import FOREVER, TimeBox


def test_without_a_box_it_is_never_over() -> None:
    assert FOREVER.over(1e12, 1e12, 0.0) == ""
    assert FOREVER.expires(5.0, 6.0, 7.0) == 0.0


def test_it_ends_after_a_while_at_a_time_or_when_nobody_calls() -> None:
    assert TimeBox(ends=100.0).over(99.0, 0.0, 0.0) == ""
    assert "time is over" in TimeBox(ends=100.0).over(100.0, 0.0, 0.0)
    assert "time is over" in TimeBox(until=100.0).over(0.0, 100.0, 0.0)
    assert TimeBox(idle=30.0).over(129.0, 0.0, 100.0) == ""
    assert "nobody has called for 30 s" in TimeBox(idle=30.0).over(130.0, 0.0, 100.0)


def test_what_comes_first_is_when_it_expires() -> None:
    assert TimeBox(ends=160.0, until=1500.0, idle=30.0).expires(100.0, 1000.0, 90.0) == 1020.0


def test_a_box_survives_as_a_word() -> None:
    box = TimeBox(1.25, 1766000000.5, 30.0)
    assert TimeBox.from_word(box.to_word()) == box


def test_options_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    box = read_box("2h", "", "30m", "")
    assert box.ends == pytest.approx(now() + 7200, abs=60)
    assert (box.until, box.idle) == (0.0, 1800.0)
    later = datetime.fromtimestamp(time.time() + 3600).replace(microsecond=0)
    box = read_box("", f"{later:%H:%M:%S}", "", "")
    assert box.until == later.timestamp()
    assert box.ends == pytest.approx(now() + 3600, abs=60)
    assert read_box("2h", "", "", TimeBox(7.0).to_word()) == TimeBox(7.0)


@pytest.mark.parametrize(
    ("lasts", "until", "idle", "says"),
    [
        ("0", "", "", "--for"),
        ("soon", "", "", "--for"),
        ("", "25:00", "", "--until"),
        ("", "2001-01-01T10:00", "", "over already"),
        ("", "", "0s", "--idle"),
    ],
)
def test_nonsense_is_refused(lasts: str, until: str, idle: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_box(lasts, until, idle, "")
