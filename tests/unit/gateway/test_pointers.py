import re

import pytest

from exposer.gateway.pointers import Pointer, pointers

OWN = ("app.internal:8080", "127.0.0.1:8080", "demo.example.org")


def pointer(header: str) -> Pointer:
    return next(each for each in pointers(OWN) if each.header == header)


def becomes(header: str, value: str) -> str:
    """What nginx would make of a value."""
    found = pointer(header)
    for rule in found.rules:
        if match := re.fullmatch(rule.pattern, value, re.IGNORECASE):
            names = {**match.groupdict(default=""), found.source[1:]: value}
            return "".join(names.get(word.lstrip("$"), word) for word in re.split(r"(\$\w+)", rule.value))
    return ""


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("http://app.internal:8080/x?y=1#z", "/x?y=1#z"),
        ("https://APP.internal/x", "/x"),
        ("//127.0.0.1:8080/x", "/x"),
        ("http://localhost:8080", "/"),
        ("http://[::1]?a", "/?a"),
        ("https://demo.example.org/api/x", "/api/x"),
        ("/x", "/x"),
        ("../x?y", "../x?y"),
        ("?a=b:c", "?a=b:c"),
        ("https://accounts.example.com/o?x=1", "https://accounts.example.com/o?x=1"),
        ("https://xn--bcher-kva.xn--p1ai:8443/x", "https://xn--bcher-kva.xn--p1ai:8443/x"),
    ],
)
def test_what_is_our_own_becomes_a_path_and_what_is_public_stays(value: str, shown: str) -> None:
    assert becomes("Location", value) == shown


@pytest.mark.parametrize(
    "value",
    [
        "http://10.0.0.8/x",
        "http://93.184.216.34/x",
        "http://[fd00::1]/x",
        "http://0x7f.1/x",
        "http://2130706433/x",
        "http://minio:9000/x",
        "http://db.svc/x",
        "http://DB.Internal./x",
        "http://nas.lan:80/x",
        "http://a_b.example.com/x",
        "http://app.internal:9999/x",
        "http://user:pw@app.internal:8080/x",
        "http://user@example.com/x",
        "http://example.com\\@app.internal/",
        "http://app.internal:8080//evil.example.com",
        "http://app.internal:8080/\\evil.example.com",
        "///evil.example.com",
        "/\\evil.example.com",
        "\\\\nas\\share",
        "ftp://example.com/x",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http:x",
        "http:/app.internal/x",
        "/x\ty",
    ],
)
def test_what_would_tell_about_the_inside_is_left_out(value: str) -> None:
    assert becomes("Location", value) == becomes("Content-Location", value) == ""
    assert becomes("Refresh", f"0; url={value}") == becomes("Refresh", f"0; url='{value}'") == ""


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("5", "5"),
        ("5; url=http://app.internal:8080/x", "5; url=/x"),
        ("0;URL='http://localhost:8080/y'", "0;URL='/y'"),
        ('0; url="http://localhost:8080"', '0; url="/"'),
        ("0; url=/z", "0; url=/z"),
        ("0, https://example.com/x", "0, https://example.com/x"),
        ("soon", ""),
    ],
)
def test_a_refresh_is_a_pointer_too(value: str, shown: str) -> None:
    assert becomes("Refresh", value) == shown


def test_names_are_taken_letter_by_letter() -> None:
    assert becomes("Location", "http://appxinternal:8080/x") == ""
    assert becomes("Location", "http://app.internal.example.com/x") == "http://app.internal.example.com/x"


def test_however_many_names_there_are_nginx_takes_the_patterns() -> None:
    many = [f"{'x' * 60}-{number}.{'y' * 60}.{'z' * 60}.example.com:{number}" for number in range(500)]
    for found in pointers(many):
        for rule in found.rules:
            assert len(rule.pattern.replace("\\", "\\\\")) < 4000, found.header
