"""What callers have sent is shown to people as text, and as nothing else."""

import pytest

from exposer.cli.shown import event_line, on_a_terminal
from exposer.journal import Event


@pytest.mark.parametrize("odd", ["\x1b[2J", "\x1b]0;title\x07", "\x9b2J", "\x08\x08", "\r", "\x00", "\u202e", "\n"])
def test_an_event_is_one_line_that_steers_no_terminal(odd: str) -> None:
    line = event_line(Event(1, 1_700_000_000.0, "odd", {"text": f"before{odd}after · fine → ë"}))
    assert line.isprintable()
    assert "before" in line
    assert "after · fine → ë" in line


def test_a_part_s_output_keeps_its_lines_and_colours_and_steers_nothing_else() -> None:
    plain = "one\ttwo\n\x1b[31mred\x1b[0m ë\r\nlast\n"
    assert on_a_terminal(plain) == plain.replace("\r", "")
    assert on_a_terminal("GET /\x1b[2J\x1b]0;x\x07\x9b1A\x08\rforged") == "GET /?[2J?]0;x??1A??forged"
