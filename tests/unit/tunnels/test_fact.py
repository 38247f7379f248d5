"""What may be shown of a provider's own words."""

from hypothesis import given
from hypothesis import strategies as st

from exposer.tunnels.fact import Fault, redact

SECRET = "2abcVerySecretToken_7QyV9wN3"


def test_a_known_secret_is_taken_out_wherever_it_stands() -> None:
    assert SECRET not in redact(f"dial {SECRET}: refused by ({SECRET})", SECRET)


def test_a_text_that_repeats_the_token_in_its_own_way_is_replaced_by_its_code() -> None:
    said = r"The authtoken you gave is bad.\r\nYour authtoken: something-else\r\n\r\nERR_NGROK_107\r\n"
    assert redact(said) == "the authtoken was refused (ERR_NGROK_107)"


def test_headers_user_names_in_urls_and_long_tokens_are_taken_out() -> None:
    said = redact("https://user:pass@host/ Authorization: Bearer abc.def")
    assert said == "https://…@host/ Authorization: …"
    assert redact("Cookie: id=1; other=2") == "Cookie: …"
    assert "eyJ" not in redact(f"--token eyJ{'hIjoi' * 20}")
    assert redact("Your authtoken: abcdef") == "Your authtoken: …"


def test_control_characters_cannot_forge_a_second_line() -> None:
    assert redact("one\r\ntwo\x1b[31m\x00three") == "one two [31m three"


@given(st.text(max_size=200), st.text(max_size=200))
def test_whatever_is_around_it_a_secret_never_comes_through(before: str, after: str) -> None:
    assert SECRET not in redact(before + SECRET + after, SECRET)


def test_a_fault_becomes_an_error_that_tells_whether_and_when_to_try_again() -> None:
    error = Fault("it is wrong", "mend it", fatal=True, wait=60.0).error()
    assert (error.message, error.hint, error.fatal, error.retry_after) == ("it is wrong", "mend it", True, 60.0)
    assert error.code == "tunnel"
