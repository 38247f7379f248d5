"""Last lines are shown without secrets and without anything that would move a person's cursor."""

from exposer.backends import tail
from exposer.secret import Secret


def test_secrets_are_masked_also_when_one_contains_another() -> None:
    shown = tail.masked("a=abc b=abcdef", [Secret("abc"), Secret("abcdef")])
    assert shown == "a=… b=…"


def test_single_lines_of_a_secret_with_several_are_masked() -> None:
    key = "-----BEGIN-----\nMIIEowIBAAKCAQ\n-----END-----"
    assert "MIIEow" not in tail.last_lines("read MIIEowIBAAKCAQ there", [Secret(key)])


def test_an_empty_secret_masks_nothing() -> None:
    assert tail.masked("hello", [Secret("")]) == "hello"


def test_only_the_last_lines_are_kept() -> None:
    assert tail.last_lines("\n".join(str(n) for n in range(100)), [], 2) == "  98\n  99"


def test_control_characters_are_dropped() -> None:
    assert tail.last_lines("a\x1b[31mred\x1b[0m\x07\x9b2J\r\nb\tc", []) == "  ared2J\n  b\tc"


def test_nothing_printed_is_nothing_shown() -> None:
    assert tail.last_lines("\n\n", []) == ""
