import pytest

from exposer.config.model import Limits, Rate
from exposer.errors import ConfigError
from exposer.gateway.limits import pace, wait
from exposer.gateway.passer import may_call
from exposer.openapi.model import Operation
from tests.support.gateway import make_policy
from tests.unit.gateway.test_site import RING

READ = Operation("getItem", "GET", "/items/{id}", "/api/items/{id}", tags=("items",))


@pytest.mark.parametrize(
    ("pattern", "may"),
    [
        ("getItem", True),
        ("get*", True),
        ("*", True),
        ("items", True),  # its tag
        ("GET /items/*", True),
        ("GET /api/items/{any}", True),
        ("* /items/**", True),
        ("POST /items/*", False),
        ("GET /items", False),
        ("getitem", False),
        ("get", False),
        ("", False),
    ],
)
def test_a_key_is_for_operations_by_id_by_glob_or_by_method_and_path(pattern: str, may: bool) -> None:
    assert may_call([pattern], READ) is may


@pytest.mark.parametrize(
    ("rate", "seconds"),
    [(Rate(60, 60), 1), (Rate(6, 60), 10), (Rate(90, 60), 1), (Rate(7, 60), 9), (Rate(90, 3600), 60)],
)
def test_the_wait_that_is_told_is_never_shorter_than_what_nginx_counts(rate: Rate, seconds: int) -> None:
    assert wait(rate) == seconds
    count, unit = pace(rate).split("r/")
    assert wait(rate) >= {"s": 1, "m": 60}[unit] / int(count)


def test_a_total_rate_that_cannot_be_counted_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"limits\.total_rate"):
        make_policy(RING, "http://127.0.0.1:1", limits=Limits(total_rate=Rate(1, 3600)))
