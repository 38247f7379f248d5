"""Callers that still use an old address are told of once an hour, and shown for a day."""

from exposer.journal import Request
from exposer.state.facts import Noted
from exposer.supervisor.strays import MOST, Strays


def call(at: float, key: str = "k", host: str = "", door: str = "") -> Request:
    return Request(at, key, "op", "GET", 200, 1, 0.1, "r", "203.0.113.7", "", host, door)


def told(*requests: Request) -> tuple[Strays, list[Noted]]:
    said: list[Noted] = []
    strays = Strays(said.append)
    strays.heard(requests)
    return strays, said


def test_a_caller_by_the_closed_tunnel_or_another_name_is_told_of_once_an_hour() -> None:
    strays, said = told(call(10_000.0, host="old.example.com"), call(10_001.0, host="old.example.com"))
    assert [note.kind for note in said] == ["old-address"]
    assert "old.example.com" in said[0].text
    strays.heard([call(10_002.0, door="tunnel"), call(14_000.0, host="old.example.com")])
    assert len(said) == 3
    advice = strays.advice(14_000.0)
    assert len(advice) == 2
    assert strays.advice(14_000.0 + 2 * 86_400.0) == []


def test_calls_by_the_present_address_and_strangers_without_a_key_do_not_count() -> None:
    strays, said = told(call(10_000.0), call(10_000.0, key="", host="old.example.com"))
    assert said == []
    assert strays.advice(10_000.0) == []


def test_names_without_end_are_not_remembered_without_end() -> None:
    strays, said = told(*(call(10_000.0, host=f"n{number}.example") for number in range(1000)))
    assert len(said) == len(strays.advice(10_000.0)) == MOST
