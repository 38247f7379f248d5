"""A secret never stands in the file; where it does, it is refused and not repeated."""

import pytest

from exposer.config.load import parse
from exposer.config.model import SecretRef
from exposer.errors import ConfigError
from tests.unit.config.reading import HERE, LEAST, backend, problem

LITERAL = "correct-horse-battery-staple"


@pytest.mark.parametrize(
    "text",
    [
        f'{LEAST}auth = {{ header = "Authorization", value = "{LITERAL}" }}\n',
        f'{LEAST}auth = {{ header = "Authorization", value = "Bearer:{LITERAL}" }}\n',
        f'{LEAST}auth = {{ header = "Authorization", value = "env:{LITERAL}" }}\n',
        f'{LEAST}auth = {{ header = "Authorization", value = ["{LITERAL}"] }}\n',
        f'{LEAST}[tunnel]\ntoken = "{LITERAL}"\n',
        f'{LEAST}[tunnel]\ntokn = "{LITERAL}"\n',
        f'{LEAST}env = {{ MY_TOKEN = "{LITERAL}" }}\n',
        f'{LEAST}env = {{ DB_PASSWORD = "env:{LITERAL}" }}\n',
        f'{LEAST}[backend.env]\nAPI_KEY = "{LITERAL}"\n',
        f'{LEAST}[backend.env]\nX = "sk-{LITERAL}"\n',
        f'{LEAST}[backend.env]\nX = "https://me:{LITERAL}@db"\n',
        f'name = "x"\n[backend]\nport = 1\ncommand = ["a", "--key=ghp_{LITERAL}"]\n',
        f'name = "x"\n[backend]\nurl = "http://me:{LITERAL}@h"\n',
        f'{LEAST}openapi = "https://me:{LITERAL}@h/x"\n',
        f'{LEAST}[tunnel]\nhostname = "sk-{LITERAL}"\n',
        f'{LEAST}[notify]\nwebhook = ["xhttps://h/{LITERAL}"]\n',
        f'{LEAST}[tunnel]\ntoken = "{LITERAL}\n',
    ],
)
def test_a_secret_in_the_file_is_refused_and_never_repeated(text):
    with pytest.raises(ConfigError) as caught:
        parse(text, HERE)
    error = caught.value
    assert len(error.problems) == 1
    assert LITERAL not in repr((error, error.message, error.hint, error.problems, error.__cause__))


def test_an_environment_may_have_plain_settings_and_references():
    env = backend(
        'env = { LEVEL = "info", EMPTY = "", TOKEN = "keyring:app/me", USE_TOKEN = "true",'
        ' DB_PASSWORD_FILE = "/run/secrets/db", MULTI = "a\\nb" }'
    ).env
    assert env["LEVEL"] == "info"
    assert env["TOKEN"] == SecretRef("keyring", "app/me")
    assert env["USE_TOKEN"] == "true"
    assert env["MULTI"] == "a\nb"


def test_a_variable_that_is_not_set_is_no_problem_of_the_file(monkeypatch):
    monkeypatch.delenv("NOT_SET", raising=False)
    assert backend('env = { A = "env:NOT_SET" }').env["A"] == SecretRef("env", "NOT_SET")


def test_a_problem_in_a_table_of_variables_has_the_variables_line():
    found = problem(f'{LEAST}[backend.env]\nLEVEL = "info"\nTOKEN = "{LITERAL}"\n')
    assert found.startswith("exposer.toml:7: backend.env.TOKEN: ")
