"""Slow work in threads, and when none may begin."""

import threading

from exposer.state.facts import Fact, Failed, Stopped
from exposer.supervisor.inbox import Inbox
from exposer.supervisor.workers import Workers

SOON = 60.0


def one(workers: Workers, *, at_once: bool = False) -> threading.Event:
    """Submits a job and returns what tells that it has begun."""
    begun = threading.Event()

    def job() -> Fact:
        begun.set()
        return Stopped("x")

    workers.submit("x", job, at_once=at_once)
    return begun


def test_what_a_job_raises_becomes_a_fact() -> None:
    inbox = Inbox()
    workers = Workers(inbox)

    def job() -> Fact:
        raise RuntimeError("no")

    workers.submit("x", job)
    told = inbox.get(timeout=SOON)
    assert isinstance(told, Failed)
    assert (told.error, told.code) == ("RuntimeError: no", "internal")
    workers.close()


def test_while_they_are_held_only_what_is_at_once_begins() -> None:
    workers = Workers(Inbox())
    workers.hold()
    later, now = one(workers), one(workers, at_once=True)
    assert now.wait(SOON)
    assert not later.wait(0.2)
    workers.release()
    assert later.wait(SOON)
    workers.close()


def test_what_was_held_to_the_end_never_begins() -> None:
    workers = Workers(Inbox())
    workers.hold()
    later = one(workers)
    workers.close(SOON)  # and it does not wait for it
    workers.release()
    assert not later.wait(0.2)
