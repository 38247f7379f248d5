"""The rule for a healthy backend."""

import pytest

from exposer.backends import health
from exposer.config.model import Backend

WITH = Backend(kind="image", port=8080, health="/health")
WITHOUT = Backend(kind="image", port=8080)


@pytest.mark.parametrize("status", [200, 204])
def test_a_health_path_wants_success(status: int) -> None:
    assert health.judge(WITH, status) == ""


@pytest.mark.parametrize("status", [301, 401, 404, 500, 502])
def test_a_health_path_with_any_other_answer_is_not_well(status: int) -> None:
    assert f"GET /health answers {status}" in health.judge(WITH, status)


@pytest.mark.parametrize("status", [200, 302, 401, 404])
def test_without_a_health_path_any_answer_of_a_working_server_will_do(status: int) -> None:
    assert health.judge(WITHOUT, status) == ""


@pytest.mark.parametrize("status", [500, 502, 503])
def test_without_a_health_path_a_servers_error_is_not_well(status: int) -> None:
    assert health.judge(WITHOUT, status)


def test_a_refused_health_check_points_to_the_backends_own_key() -> None:
    assert "backend.auth" in health.judge(WITH, 401)


def test_an_address_with_a_path_keeps_it() -> None:
    assert health.split("http://h:1/api/", "/health") == ("http://h:1", "/api/health")
    assert health.split("http://h:1", "/") == ("http://h:1", "/")
    assert health.split("unix:/a/b.sock", "/health") == ("unix:/a/b.sock", "/health")


def test_waiting_ends_with_the_first_healthy_answer() -> None:
    answers = iter(["not yet", "not yet", ""])
    assert health.await_healthy(lambda: next(answers), lambda: False, 5) == ""


def test_waiting_ends_at_once_for_the_dead() -> None:
    assert health.await_healthy(lambda: "never", lambda: True, 60)


def test_waiting_too_long_tells_the_last_complaint() -> None:
    assert health.await_healthy(lambda: "GET / answers 500", lambda: False, 0.05) == "GET / answers 500"
