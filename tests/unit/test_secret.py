"""A secret gets out through one door only."""

import copy
import dataclasses
import io
import json
import logging
import pickle
import pprint
import traceback
from collections.abc import Callable

import pytest
import yaml

from exposer.secret import Secret

CLEAR = "geheim-4711"


@dataclasses.dataclass
class Holder:
    name: str
    secret: Secret


def test_the_door_opens() -> None:
    assert Secret(CLEAR).reveal() == CLEAR


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        lambda s: f"{s}",
        lambda s: f"{s!r:>40}",
        lambda s: f"{s:>40}",
        lambda s: "%s %r" % (s, s),  # noqa: UP031
        lambda s: "{0} {0!r} {0!s}".format(s),  # noqa: UP032
        lambda s: str([s, {"k": s}, (s,)]),
        lambda s: repr(Holder("n", s)),
        lambda s: pprint.pformat({"k": s}),
        lambda s: json.dumps({"k": s}, default=str),
    ],
)
def test_however_it_is_shown_it_is_not_told(show: Callable[[Secret], str]) -> None:
    text = show(Secret(CLEAR))
    assert "Secret(…)" in text or "Secret(\\u2026)" in text
    assert CLEAR not in text


@pytest.mark.parametrize(
    "take",
    [
        json.dumps,
        lambda s: json.dumps({s: 1}),
        lambda s: pickle.dumps(s, 0),
        lambda s: pickle.dumps(s, 5),
        lambda s: pickle.dumps({"k": s}),
        copy.copy,
        copy.deepcopy,
        lambda s: dataclasses.asdict(Holder("n", s)),
        yaml.dump,
        hash,
        vars,
        list,
        bytes,
        lambda s: "key=" + s,
        lambda s: ",".join([s]),
        lambda s: s.encode(),
    ],
)
def test_what_would_take_its_value_fails_and_does_not_tell(take: Callable[[Secret], object]) -> None:
    with pytest.raises((TypeError, AttributeError)) as caught:
        take(Secret(CLEAR))
    assert CLEAR not in str(caught.value)


def test_a_traceback_with_all_its_locals_does_not_tell() -> None:
    def fail(secret: Secret) -> None:
        kept = [secret]
        raise ValueError(kept)

    with pytest.raises(ValueError) as caught:
        fail(Secret(CLEAR))
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    text = "".join(told.format())
    assert "kept = [Secret(…)]" in text
    assert CLEAR not in text


def test_a_log_does_not_tell() -> None:
    into = io.StringIO()
    handler = logging.StreamHandler(into)
    logger = logging.getLogger("test-secret")
    logger.addHandler(handler)
    try:
        logger.warning("key %s %r", Secret(CLEAR), Secret(CLEAR))
    finally:
        logger.removeHandler(handler)
    assert into.getvalue() == "key Secret(…) Secret(…)\n"


def test_secrets_are_compared_by_value_and_only_with_secrets() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


def test_a_secret_that_is_not_utf8_is_compared_too() -> None:
    """The environment may hold any bytes."""
    assert Secret("\udcff") == Secret("\udcff")
    assert Secret("\udcff") != Secret("\udcfe")
