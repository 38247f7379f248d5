"""Notices on their way: nobody waits for a slow one."""

import threading

from exposer.errors import ExposerError
from exposer.notify.notice import Notice
from exposer.notify.outbox import MOST, Outbox
from tests.support.eventually import eventually

NOTICE = Notice("x", "online", "it is online")


class Someone:
    def __init__(self, label: str) -> None:
        self.label = label
        self.got: list[Notice] = []
        self.free = threading.Event()
        self.free.set()
        self.error: Exception | None = None

    def send(self, notice: Notice) -> None:
        self.free.wait(300)
        if self.error:
            raise self.error
        self.got.append(notice)


def test_one_that_hangs_holds_up_nobody_else_and_what_is_too_much_is_dropped_and_told() -> None:
    slow, quick = Someone("slow"), Someone("quick")
    slow.free.clear()
    troubles: list[str] = []
    outbox = Outbox(troubles.append)
    outbox.follow((slow, quick))
    for number in range(MOST + 10):
        outbox.put(NOTICE)
        eventually(lambda number=number: len(quick.got) > number)  # type: ignore[misc]
    assert slow.got == []
    assert troubles
    assert all("slow" in text for text in troubles)
    outbox.close(0.05)  # gives up on it
    slow.free.set()


def test_trouble_with_one_notice_is_told_and_the_next_still_goes_out() -> None:
    someone = Someone("webhook h")
    troubles: list[str] = []
    outbox = Outbox(troubles.append)
    outbox.follow((someone,))
    for error in (ExposerError("webhook h answered 404"), ValueError("https://h/T0KEN")):
        someone.error = error
        outbox.put(NOTICE)
        eventually(lambda: troubles)
        assert "T0KEN" not in troubles[0]
        assert "it is online" in troubles.pop()
    someone.error = None
    outbox.put(NOTICE)
    outbox.close(60)
    assert someone.got == [NOTICE]


def test_what_is_on_its_way_goes_out_although_the_config_has_changed() -> None:
    before, after = Someone("before"), Someone("after")
    outbox = Outbox(lambda text: None)
    outbox.follow((before,))
    outbox.put(NOTICE)
    outbox.follow((after,))
    outbox.put(NOTICE)
    outbox.close(60)
    eventually(lambda: before.got == after.got == [NOTICE])
