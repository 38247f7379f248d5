"""The kill switch's command line."""

import pytest

from exposer.panic.options import Options


def test_with_nothing_said_nothing_is_asked_for() -> None:
    options = Options([])
    assert (options.error, options.reason, options.backend, options.flags) == ("", "", "", set())


@pytest.mark.parametrize(
    ("argv", "values"),
    [
        (["--reason", "it leaks"], {"--reason": "it leaks"}),
        (["--reason=it leaks = bad"], {"--reason": "it leaks = bad"}),
        (["--reason", "--looks-like-an-option"], {"--reason": "--looks-like-an-option"}),
        (["--backend", "keep", "--name=one"], {"--backend": "keep", "--name": "one"}),
        (["-f", "x.toml"], {"-f": "x.toml"}),
        (["-fx.toml"], {"-f": "x.toml"}),
        (["--file=x.toml"], {"--file": "x.toml"}),
        (["--reason"], {"--reason": ""}),
    ],
)
def test_a_value_may_stand_behind_its_option_or_be_tied_to_it(argv: list[str], values: dict[str, str]) -> None:
    options = Options(argv)
    assert (options.error, options.values) == ("", values)


@pytest.mark.parametrize("flag", ["--no-verify", "--json", "-q", "--quiet", "-v", "--verbose", "--no-color"])
def test_every_global_flag_of_the_command_is_understood(flag: str) -> None:
    options = Options([flag])
    assert (options.error, options.flags) == ("", {flag})


@pytest.mark.parametrize(
    ("argv", "part"),
    [
        (["--nonsense"], "--nonsense"),
        (["welink"], "welink"),
        (["--json=yes"], "--json=yes"),
        (["--backend", "burn"], "'burn'"),
        (["--backend", "--json"], "'--json'"),
        (["--name"], "--name takes"),
        (["--name", ""], "--name takes"),
        (["--name", "../else"], "'../else'"),
        (["--name", ".."], "'..'"),
    ],
)
def test_what_is_not_understood_is_said(argv: list[str], part: str) -> None:
    assert part in Options(argv).error
