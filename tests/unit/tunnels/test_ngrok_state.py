"""What is folded out of the ngrok agent's log."""

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exposer.tunnels.fact import Fact
from exposer.tunnels.ngrok_codes import explain
from exposer.tunnels.ngrok_state import State, fields, fold, hopeless, noise, read_line, settle, surprises, url_of

START = "t=2026-11-21T06:55:26+0000 lvl=info msg="
ONLINE = f'{START}"client session established" obj=csess'
CLOSED = 't=1 lvl=eror msg="session closed, starting reconnect loop" err="read EOF from remote peer"'
REVOKED = r't=1 lvl=eror msg="failed to reconnect session" err="revoked\r\n\r\nERR_NGROK_107\r\n"'
REBIND = r't=1 lvl=eror msg="failed to reconnect session" err="in use\r\n\r\nERR_NGROK_334\r\n"'
STOP = f'{START}"received remote stop" obj=csess'


def told(*lines: str, now: float = 100.0) -> State:
    facts = [fact for line in lines if (fact := read_line(line)) is not None]
    return reduce(lambda state, fact: fold(state, fact, now), facts, State())


def test_a_session_makes_it_online_and_its_end_offline() -> None:
    assert told(ONLINE).phase == "online"
    assert told(ONLINE, CLOSED).phase == "offline"
    assert told(ONLINE, CLOSED, ONLINE).sessions == 2


def test_tunnel_session_started_is_no_sign_of_being_online() -> None:
    assert told(f'{START}"tunnel session started"').phase == "starting"
    assert told(ONLINE, CLOSED, f'{START}"tunnel session started"', REBIND).phase == "offline"


def test_a_refusal_at_the_start_is_no_loss_of_a_session() -> None:
    state = told(r't=1 lvl=crit msg="command failed" err="bad\r\nERR_NGROK_107\r\n"')
    assert (state.phase, state.code) == ("failed", 107)
    assert explain(state.code, state.error).fatal


def test_the_owners_stop_is_remembered_whatever_follows() -> None:
    assert told(ONLINE, STOP, 'lvl=crit msg="command failed" err="x"').phase == "stopped"


def test_a_plain_text_code_is_taken_up() -> None:
    assert told("ERROR:  ERR_NGROK_4018").code == 4018


def test_the_same_fatal_refusal_three_times_is_hopeless() -> None:
    assert not hopeless(told(ONLINE, CLOSED, REVOKED, REVOKED), 100.0)
    assert hopeless(told(ONLINE, CLOSED, REVOKED, REVOKED, REVOKED), 100.0)
    assert not hopeless(told(ONLINE, CLOSED, REBIND, REBIND, REBIND), 100.0)


def test_a_minute_offline_is_hopeless() -> None:
    assert not hopeless(told(ONLINE, CLOSED), 159.0)
    assert hopeless(told(ONLINE, CLOSED), 161.0)


def test_a_session_that_is_refused_again_at_once_does_not_start_the_clock_anew() -> None:
    state = told(ONLINE, CLOSED)
    for second in range(1, 63):
        state = settle(fold(state, Fact("online"), 100.0 + second), 100.0 + second)
        state = fold(state, Fact("refused", "ERR_NGROK_334"), 100.0 + second)
    assert hopeless(state, 162.0)


def test_old_trouble_is_forgotten_once_a_session_lasts() -> None:
    state = settle(told(ONLINE, CLOSED, REVOKED, ONLINE), 106.0)
    assert (state.error, state.code, state.offline_since) == ("", 0, 0.0)
    assert settle(told(ONLINE, CLOSED, REVOKED, ONLINE), 101.0).code == 107


def test_lines_about_visitors_and_about_our_own_looking_are_noise() -> None:
    assert noise(f'{START}"join connections" obj=join id=1 l=127.0.0.1:1 r=203.0.113.9:1')
    assert noise("lvl=info msg=start pg=/api/status id=1")
    assert not noise(ONLINE)


OURS = {"name": "exposer", "url": "https://a.ngrok.app", "upstream": {"url": "http://127.0.0.1:8000"}}


def test_only_our_own_endpoint_is_expected() -> None:
    assert surprises({"endpoints": [OURS]}, "exposer", "http://127.0.0.1:8000") == []
    assert surprises({}, "exposer", "http://127.0.0.1:8000") == []


@pytest.mark.parametrize(
    "other",
    [
        OURS | {"name": "other"},
        OURS | {"upstream": {"url": "file:///etc"}},
        OURS | {"upstream": None},
        OURS | {"upstream": {"url": "http://127.0.0.1:80"}},
        "odd",
    ],
)
def test_any_other_endpoint_is_a_surprise(other: object) -> None:
    assert len(surprises({"endpoints": [OURS, other]}, "exposer", "http://127.0.0.1:8000")) == 1


def test_another_name_than_the_one_that_was_asked_for_is_a_surprise() -> None:
    mine = OURS | {"url": "https://mine.ngrok.app"}
    assert surprises({"endpoints": [mine]}, "exposer", "http://127.0.0.1:8000", "mine.ngrok.app") == []
    assert len(surprises({"endpoints": [mine]}, "exposer", "http://127.0.0.1:8000", "other.ngrok.app")) == 1


@pytest.mark.parametrize("odd", [None, [], {"endpoints": 5}, {"endpoints": [5]}, {"endpoints": [{"url": "tcp://x"}]}])
def test_an_odd_list_tells_no_address(odd: object) -> None:
    assert url_of(odd) == ""


def test_what_is_written_down_can_be_read_back() -> None:
    state = told(ONLINE, CLOSED)
    assert State.from_json(state.as_json() | {"unknown": 1}) == state
    assert State.from_json(None) == State()


@given(st.text())
def test_no_line_is_too_odd_to_be_read(line: str) -> None:
    read_line(line)
    fields(line)
    noise(line)


@pytest.mark.parametrize("code", [102, 103, 105, 106, 107, 120, 121, 123, 313, 314, 4018, 8014, 9009, 9040, 3208])
def test_what_only_a_person_can_mend_is_fatal(code: int) -> None:
    assert explain(code).fatal
    assert f"ERR_NGROK_{code}" in explain(code).text


@pytest.mark.parametrize("code", [108, 324, 334, 348, 725, 726, 727, 728, 4026, 4027])
def test_what_time_can_mend_is_waited_for(code: int) -> None:
    assert not explain(code).fatal
    assert explain(code).wait >= 20


def test_a_code_that_is_not_known_comes_with_the_agents_own_words() -> None:
    assert explain(9999, "odd thing").text == "ngrok says: odd thing"
    assert "err_ngrok_9999" in explain(9999).hint
