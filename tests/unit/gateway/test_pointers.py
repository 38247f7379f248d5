import re

import pytest

from exposer.gateway.pointers import NOWHERE, links, redirects

OWN = ("app.internal:8080", "127.0.0.1:8080", "demo.example.org")


def becomes(header: str, value: str) -> str:
    """What nginx would make of a value."""
    for rule in redirects(OWN) if header == "Location" else links(OWN):
        if match := re.fullmatch(rule.pattern, value, re.IGNORECASE):
            names = {**match.groupdict(default=""), "upstream_http_link": value}
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
def test_what_would_tell_about_the_inside_leads_nowhere(value: str) -> None:
    assert becomes("Location", value) == NOWHERE


def test_names_are_taken_letter_by_letter() -> None:
    assert becomes("Location", "http://appxinternal:8080/x") == NOWHERE
    assert becomes("Location", "http://app.internal.example.com/x") == "http://app.internal.example.com/x"


def test_however_many_names_there_are_nginx_takes_the_patterns() -> None:
    many = [f"{'x' * 60}-{number}.{'y' * 60}.{'z' * 60}.example.com:{number}" for number in range(500)]
    for rule in (*redirects(many), *links(many)):
        assert len(rule.pattern.replace("\\", "\\\\")) < 4000, rule.value
