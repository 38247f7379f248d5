import re

from hypothesis import given
from hypothesis import strategies as st

from exposer.gateway.sizes import at_least


@given(st.integers(1, 10**9), st.integers(0, 10**10))
def test_a_pattern_knows_numbers_of_at_least_so_much(limit: int, number: int) -> None:
    assert bool(re.fullmatch(at_least(limit), str(number))) is (number >= limit)


@given(st.integers(1, 10**6), st.integers(-2, 2))
def test_also_at_the_very_edge(limit: int, away: int) -> None:
    number = max(0, limit + away)
    assert bool(re.fullmatch(at_least(limit), str(number))) is (number >= limit)
