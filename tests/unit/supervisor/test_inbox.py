"""What wakes the loop, and what waits for its next turn."""

import threading
import time
from collections.abc import Iterator

import pytest

from exposer.state.facts import Fact, Inspected, Looked, Noted
from exposer.state.model import FILES, TUNNEL, Look
from exposer.supervisor.inbox import Inbox

WELL = Looked(TUNNEL, Look(True, True, "https://a"))
LONG = 300.0


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """One that has heard that the tunnel is well, while all is calm."""
    inbox = Inbox()
    inbox.hear(WELL)
    assert inbox.facts(0.0, calm=True) == [WELL]
    return inbox


def woken(inbox: Inbox, fact: Fact) -> bool:
    inbox.hear(fact)
    found = inbox.facts(0.0, calm=True)
    assert found == [fact], "nothing is lost"
    return inbox.woken


@pytest.mark.parametrize("fact", [WELL, Inspected(FILES, ())])
def test_what_finds_all_as_it_was_is_heard_of_and_wakes_nobody(inbox: Inbox, fact: Fact) -> None:
    assert not woken(inbox, fact)


@pytest.mark.parametrize(
    "fact",
    [
        Looked(TUNNEL, Look(True, True, "https://b")),
        Looked(TUNNEL, Look(True, False, "https://a")),
        Looked(TUNNEL, Look(True, True, "https://a", detail={"reconnects": 1})),
        Looked(TUNNEL, Look(True, True, "https://a", fatal=True)),
        Inspected(FILES, ("somebody has changed nginx.conf",)),
        Noted("advice", "hello"),
    ],
)
def test_whatever_is_news_wakes_the_loop_at_once(inbox: Inbox, fact: Fact) -> None:
    assert woken(inbox, fact)


@pytest.mark.parametrize("look", [Look(True, False), Look(True, None), Look(True, True, fatal=True)])
def test_a_part_that_is_not_well_is_news_each_time(inbox: Inbox, look: Look) -> None:
    assert woken(inbox, Looked(TUNNEL, look))
    assert woken(inbox, Looked(TUNNEL, look))


def test_while_something_is_under_way_everything_is_news(inbox: Inbox) -> None:
    inbox.facts(0.0, calm=False)
    inbox.hear(WELL)
    assert inbox.facts(0.0, calm=False) == [WELL]
    assert inbox.woken


def test_what_waited_comes_before_the_news_that_ends_the_wait(inbox: Inbox) -> None:
    news = Noted("advice", "hello")
    inbox.hear(WELL)
    threading.Timer(0.05, inbox.hear, [news]).start()
    begun = time.monotonic()
    assert inbox.facts(LONG, calm=True) == [WELL, news]
    assert time.monotonic() - begun < LONG


def test_a_nudge_wakes_and_says_nothing(inbox: Inbox) -> None:
    inbox.put(None)
    assert inbox.facts(LONG, calm=True) == []
    assert inbox.woken
