"""What looks like a secret is seen as one, and ordinary settings are not."""

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exposer.config.leaks import secret_like, secret_name, shown, token_like

SECRETS = """
TOKEN GITHUB_TOKEN my_secret DB_PASSWORD ROOT_PASSWD API_KEY OPENAI_APIKEY SSH_PRIVATE_KEY AWS_CREDENTIALS
AWS_ACCESS_KEY_ID GPG_PASSPHRASE DB_PASS ADMIN_JWT
"""
SETTINGS = "PORT LEVEL PASSENGER_COUNT KEYBOARD DB_HOST COMPASS PATH DB_PASSWORD_FILE"


@pytest.mark.parametrize("name", SECRETS.split())
def test_a_variable_that_sounds_like_a_secret(name):
    assert secret_name(name)


@pytest.mark.parametrize("name", SETTINGS.split())
def test_a_variable_that_sounds_like_a_setting(name):
    assert not secret_name(name)


@pytest.mark.parametrize(
    "value",
    [
        "sk-abcdefgh1234",
        "ghp_abcdefgh1234",
        "github_pat_abcdefgh",
        "xoxb-123456-abcdef",
        "eyJhbGciOiJIUzI1NiJ9.e30.abc",
        "AKIAIOSFODNN7EXAMPLE",
        "exp_k3s9a2b1_abcdefg",
        "postgres://user:hunter2@db/x",
        "Bearer sk-abcdefgh1234",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nabc",
        "--key=ghp_abcdefgh1234",
    ],
)
def test_a_known_kind_of_token(value):
    assert token_like(value)
    assert secret_like(value)
    assert value not in shown(value)


@pytest.mark.parametrize("seed", range(50))
def test_random_text_is_taken_for_a_secret(seed):
    data = random.Random(seed).randbytes(32)
    assert secret_like(data.hex())
    assert secret_like(base64.urlsafe_b64encode(data).decode())
    assert secret_like(f"--key={base64.b64encode(data).decode()}")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "info",
        "sk-SK",
        "sk_SK.UTF-8",
        "http://127.0.0.1:8080/api",
        "/usr/share/java/some-application/lib/config1",
        "/usr/share/java/Some-Application/lib/Config1/Main.class",
        "MyVeryLongClassNameFactoryBuilderImplementation",
        "my-service-name-in-production-eu-west-1",
        "--max-connections-per-backend-server=100",
        "550e8400-e29b-41d4-a716-446655440000",
        "a" * 64,
        "0" * 40,
        "thisisaverylongnameofaconfiguration",
        "postgres://user@db/x",
        "sqlite:///data/app.db",
        "2026-01-02T03:04:05Z",
    ],
)
def test_an_ordinary_value_is_no_secret(value):
    assert not secret_like(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("abc", "'abc'"),
        (True, "true"),
        (5, "5"),
        (1.5, "1.5"),
        ([1], "a list"),
        ({}, "a table"),
        (None, "nothing"),
        ("x" * 100, "a text of 100 characters"),
        ("a\nb", r"'a\nb'"),
    ],
)
def test_an_error_repeats_a_value_shortly_and_on_one_line(value, text):
    assert shown(value) == text


def test_a_number_too_large_to_be_written_is_not_written():
    assert shown(10**5000) == "a number that large"


@given(st.text())
def test_any_text_is_shown_on_one_line(value):
    assert len(shown(value).splitlines()) == 1
