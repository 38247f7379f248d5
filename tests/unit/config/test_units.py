"""Times, sizes and rates the way people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exposer.config import units
from exposer.config.model import Rate

WHOLE = st.integers(min_value=0, max_value=10**12 - 1)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("30d", 2592000), ("0s", 0), ("1m", 60)]
)
def test_a_time_is_a_number_and_a_unit(text, seconds):
    assert units.parse_duration(text) == seconds
    assert isinstance(units.parse_duration(text), float)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("100k", 100_000),
        ("1MB", 1_000_000),
        ("512MiB", 512 * 1024**2),
        ("512Mi", 512 * 1024**2),
        ("2GB", 2 * 10**9),
        ("1gib", 1024**3),
        ("3KiB", 3072),
        ("7B", 7),
        ("1m", 10**6),
        ("1TB", 10**12),
    ],
)
def test_k_is_a_thousand_and_ki_is_1024(text, size):
    assert units.parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "rate"),
    [("60/min", Rate(60, 60)), ("5/s", Rate(5, 1)), ("1000/h", Rate(1000, 3600))],
)
def test_a_rate_is_so_many_in_so_many_seconds(text, rate):
    assert units.parse_rate(text) == rate


def test_egress_is_a_size_an_hour():
    assert units.parse_egress("50MB/h") == 50_000_000


NOT_THESE = [
    "",
    " ",
    "s",
    "90",
    "90 s",
    " 90s",
    "90s\n",
    "-1s",
    "1.5h",
    "٣s",
    "9" * 20 + "s",
    None,
    90,
    9.5,
    True,
    [],
]


@pytest.mark.parametrize("parse", [units.parse_duration, units.parse_size, units.parse_egress, units.parse_rate])
@pytest.mark.parametrize("text", NOT_THESE)
def test_whatever_is_no_number_with_a_unit_is_refused_with_an_example(parse, text):
    with pytest.raises(ValueError, match='such as "'):
        parse(text)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (units.parse_duration, "5w"),
        (units.parse_duration, "5S"),
        (units.parse_size, "5x"),
        (units.parse_egress, "50MB"),
        (units.parse_egress, "50MB/s"),
        (units.parse_rate, "60/m"),
        (units.parse_rate, "0/s"),
        (units.parse_rate, "60min"),
    ],
)
def test_an_unknown_unit_is_refused_and_repeated(parse, text):
    with pytest.raises(ValueError, match=text):
        parse(text)


def test_a_secret_in_the_wrong_place_is_not_repeated():
    with pytest.raises(ValueError) as caught:
        units.parse_duration("ghp_0123456789abcdef")
    assert "ghp_" not in str(caught.value)


@given(WHOLE)
def test_a_time_survives_being_written_and_read(seconds):
    assert units.parse_duration(units.format_duration(float(seconds))) == seconds


@given(WHOLE)
def test_a_size_survives_being_written_and_read(size):
    assert units.parse_size(units.format_size(size)) == size
    assert units.parse_egress(units.format_egress(size)) == size


@given(WHOLE.filter(bool), st.sampled_from([1, 60, 3600]))
def test_a_rate_survives_being_written_and_read(count, seconds):
    assert units.parse_rate(units.format_rate(Rate(count, seconds))) == Rate(count, seconds)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(90.0, "90s"), (900.0, "15m"), (60.0, "60s"), (3600.0, "1h"), (86400.0 * 90, "90d"), (0.5, "0.5s")],
)
def test_a_time_is_shown_in_its_largest_unit(seconds, text):
    assert units.format_duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(10**6, "1MB"), (100_000, "100k"), (1024**3, "1GiB"), (0, "0B"), (1001, "1001B")]
)
def test_a_size_is_shown_in_its_largest_unit(size, text):
    assert units.format_size(size) == text


@given(st.text())
def test_any_text_is_read_or_refused_with_a_sentence(text):
    for parse in (units.parse_duration, units.parse_size, units.parse_egress, units.parse_rate):
        said = ""
        try:
            parse(text)
        except ValueError as error:
            said = str(error)
        assert len(said.splitlines()) <= 1
