"""One thing at a time is done to a part."""

import threading

from exposer.state.facts import Stopped
from exposer.supervisor.turns import Turns


def test_two_jobs_on_one_part_follow_each_other_and_those_on_two_do_not_wait() -> None:
    turns = Turns(["gateway", "tunnel"])
    began, may_end, order = threading.Event(), threading.Event(), []

    def long() -> Stopped:
        began.set()
        assert may_end.wait(30)
        order.append("long")
        return Stopped("gateway")

    def short() -> Stopped:
        order.append("short")
        return Stopped("gateway")

    first = threading.Thread(target=turns.take("gateway", long))
    first.start()
    assert began.wait(30)
    second = threading.Thread(target=turns.take("gateway", short))
    second.start()
    assert turns.take("tunnel", lambda: Stopped("tunnel"))() == Stopped("tunnel")
    assert not turns.steady("gateway", turns.count("gateway"))
    may_end.set()
    first.join()
    second.join()
    assert order == ["long", "short"]
    assert turns.steady("gateway", turns.count("gateway"))
    assert not turns.steady("gateway", 0)


def test_a_job_that_fails_ends_its_turn() -> None:
    turns = Turns(["gateway"])

    def job() -> None:
        raise OSError

    try:
        turns.take("gateway", job)()
    except OSError:
        pass
    assert turns.take("gateway", lambda: Stopped("gateway"))() == Stopped("gateway")
    assert turns.count("gateway") == 4


def test_a_change_under_way_is_waited_for() -> None:
    turns = Turns(["gateway"])
    began, may_end = threading.Event(), threading.Event()

    def job() -> Stopped:
        began.set()
        assert may_end.wait(30)
        return Stopped("gateway")

    thread = threading.Thread(target=turns.take("gateway", job))
    thread.start()
    assert began.wait(30)
    turns.wait("gateway", 0.01)
    assert turns.count("gateway") == 1
    threading.Timer(0.1, may_end.set).start()
    turns.wait("gateway", 30)
    assert turns.count("gateway") == 2
    thread.join()
