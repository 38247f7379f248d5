"""A secret is fetched from its place, and no error holds its value."""

import os
import sys

import pytest

from exposer.config.model import SecretRef
from exposer.config.secrets import resolve
from exposer.errors import MissingError
from exposer.secret import Secret

VALUE = "correct-horse-battery-staple"


def refused(ref):
    with pytest.raises(MissingError) as caught:
        resolve(ref)
    error = caught.value
    assert VALUE not in repr((error, error.message, error.hint, error.__cause__))
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
    assert error.hint
    return error


def test_a_variable_holds_the_secret(monkeypatch):
    monkeypatch.setenv("MY_TOKEN", VALUE)
    assert resolve(SecretRef("env", "MY_TOKEN")) == Secret(VALUE)


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_not_set_or_empty_is_named(monkeypatch, value):
    monkeypatch.delenv("MY_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("MY_TOKEN", value)
    assert "MY_TOKEN" in refused(SecretRef("env", "MY_TOKEN")).message


def test_a_variable_that_is_no_text_is_refused(monkeypatch):
    monkeypatch.setitem(os.environb, b"MY_TOKEN", VALUE.encode() + b"\xff")
    refused(SecretRef("env", "MY_TOKEN"))


@pytest.fixture
def secret_file(tmp_path):
    """Makes a private file with this content and returns the reference to it."""

    def make(content, mode=0o600):
        path = tmp_path / "key"
        path.write_bytes(content)
        path.chmod(mode)
        return SecretRef("file", str(path))

    return make


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"abc", "abc"),
        (b"abc\n", "abc"),
        (b"abc\r\n", "abc"),
        (b"abc\n\n", "abc\n"),
        (b" a b ", " a b "),
        ("ü\n".encode(), "ü"),
    ],
)
def test_one_line_end_after_the_secret_in_a_file_is_not_part_of_it(secret_file, content, value):
    assert resolve(secret_file(content)).reveal() == value


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o660, 0o601, 0o777])
def test_a_file_that_others_may_open_is_refused_with_the_way_to_mend_it(secret_file, mode):
    error = refused(secret_file(VALUE.encode(), mode))
    assert "chmod 600" in error.hint


def test_a_file_that_only_its_owner_may_read_is_fine(secret_file):
    assert resolve(secret_file(VALUE.encode(), 0o400)).reveal() == VALUE


@pytest.mark.parametrize("content", [b"", b"\n", VALUE.encode() + b"\xff", VALUE.encode() * 5000])
def test_a_file_without_a_usable_secret_is_refused(secret_file, content):
    refused(secret_file(content))


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert "no secret file" in refused(SecretRef("file", str(tmp_path / "none"))).message
    for path in (str(tmp_path), "a\0b", "x" * 5000):
        refused(SecretRef("file", path))


def test_a_pipe_does_not_hold_us_up(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "regular file" in refused(SecretRef("file", str(tmp_path / "pipe"))).message


def test_a_symlink_to_a_private_file_is_followed(secret_file, tmp_path):
    target = secret_file(VALUE.encode())
    (tmp_path / "link").symlink_to(target.name)
    assert resolve(SecretRef("file", str(tmp_path / "link"))).reveal() == VALUE


KEYRING = f"""
def get_password(service, user):
    if service == "broken":
        raise RuntimeError("{VALUE}")
    return {{("exposer", "me"): "{VALUE}", ("app", "me"): "other"}}.get((service, user))
"""


@pytest.fixture
def keyring(tmp_path, monkeypatch):
    """A stand-in for the optional package, which is not installed here."""
    (tmp_path / "keyring.py").write_text(KEYRING)
    monkeypatch.delitem(sys.modules, "keyring", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("keyring", None)


@pytest.mark.usefixtures("keyring")
def test_the_keyring_is_asked_under_our_name_or_the_one_given():
    assert resolve(SecretRef("keyring", "me")).reveal() == VALUE
    assert resolve(SecretRef("keyring", "app/me")).reveal() == "other"


@pytest.mark.usefixtures("keyring")
def test_a_keyring_without_the_secret_or_out_of_order_is_told():
    assert "keyring set exposer you" in refused(SecretRef("keyring", "you")).hint
    assert "RuntimeError" in refused(SecretRef("keyring", "broken/me")).message


def test_without_the_keyring_package_the_way_out_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert "pip install keyring" in refused(SecretRef("keyring", "me")).hint


def test_an_unknown_kind_of_place_is_refused():
    refused(SecretRef("vault", "me"))
