"""What callers have sent is no formula in a spreadsheet."""

import pytest

from exposer.cli.shown import harmless

FORMULA = tuple("=+-@\uff1d")


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+1",
        "-1",
        "@sum(1)",
        "\t=1",
        "\r=1",
        "/x;=cmd|'/C calc'!A0",  # where a semicolon parts cells, this one begins with =
        '/x;"=1"',
        "/x; =1",
        "/a\t=1",
        "a,-1",
        "\uff1d1+1",
    ],
)
def test_no_cell_is_taken_for_a_formula_whatever_parts_the_cells(cell: str) -> None:
    for mark in ";,\t\r\n":
        for part in harmless([cell])[0].split(mark):  # type: ignore[attr-defined]
            assert part.lstrip(' \t\r\n"')[:1] not in FORMULA


def test_what_is_no_formula_stays_as_it_is() -> None:
    row = [200, 1.5, "/api/a-b;c=d", "list-notes", "2026-01-31T18:00:00.000Z", "a; b", "x, y"]
    assert harmless(row) == row
