"""What comes over the control socket decides nothing in its own thread."""

import threading
from typing import Any

import pytest

from exposer.state.facts import Down, Use
from exposer.supervisor import orders
from exposer.supervisor.inbox import Inbox


def status() -> dict[str, Any]:
    return {"phase": "online"}


def test_status_is_answered_at_once() -> None:
    assert orders.answer({"command": "status"}, Inbox().put, status)["status"] == {"phase": "online"}


def test_down_is_an_order_to_the_loop() -> None:
    inbox = Inbox()
    assert "error" not in orders.answer({"command": "down"}, inbox.put, status)
    assert inbox.get(timeout=60) == Down()


@pytest.mark.parametrize("why", ["", "there is no second tunnel"])
def test_use_is_answered_when_the_loop_has_carried_it_out(why: str) -> None:
    inbox = Inbox()

    def loop() -> None:
        order = inbox.get(timeout=60)
        assert isinstance(order, Use)
        assert order.role == "standby"
        order.answer(why)

    thread = threading.Thread(target=loop)
    thread.start()
    assert orders.answer({"command": "use", "tunnel": "standby"}, inbox.put, status).get("error", "") == why
    thread.join()


def test_a_loop_that_does_not_come_to_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "PATIENCE", 0.01)
    assert "busy" in orders.answer({"command": "use"}, Inbox().put, status)["error"]


@pytest.mark.parametrize("command", [None, "", "up", ["down"], {"down": 1}])
def test_anything_else_is_no_order(command: Any) -> None:
    inbox = Inbox()
    assert orders.answer({"command": command}, inbox.put, status) == {"error": "unknown command"}
    assert inbox.empty()
